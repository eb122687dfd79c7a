// The error codes of the whole product, one enum for device, link, log and dashboard.
// Freestanding: included by small static programs. The numbers are those of fleet.v1.Code in
// link.proto; a unit test compares the two. Numbers are never reused.
#pragma once

namespace proto {

enum class Code : int {
  unset = 0,
  // Input that is wrong, by whom it must be mended.
  bad_argument = 1,         // a flag, a request field, a message field
  bad_manifest = 2,         // a manifest that breaks a rule
  manifest_too_new = 3,     // a signed manifest with a field or value that we do not know
  not_supported = 4,        // known, but not built yet
  bad_image = 5,            // bytes that are no image, or a broken one
  wrong_arch = 6,           // an image for another CPU
  no_monitor = 7,           // no monitor here can run the image
  not_found = 8,
  already_exists = 9,
  conflict = 10,            // version is not last + 1, or somebody was faster
  too_large = 11,           // a size or a count beyond limits.h
  // Trust.
  bad_signature = 20,       // threshold of good signatures not reached
  bad_metadata = 21,        // not TUF metadata, or a rule of TUF broken
  expired = 22,             // metadata or certificate beyond its date
  rollback = 23,            // an older version than one already trusted
  bad_digest = 24,          // bytes that do not match their digest or length
  not_signed = 25,          // a target that no role lists
  refused_digest = 26,      // an image that failed on this device before
  yanked = 27,
  // Identity.
  unauthenticated = 30,     // no token or certificate, or a wrong one
  forbidden = 31,           // a known one without the right
  token_used = 32,          // an enrolment token that is used up or too old
  // The device.
  no_space = 40,
  no_memory = 41,
  port_taken = 42,
  no_fit = 43,              // `needs` or the board says no
  no_fallback = 44,         // no good release in the other slot, or outside the window
  monitor_missing = 45,     // the monitor's program is not installed
  start_failed = 46,        // the monitor did not start
  launcher = 47,            // the launcher refused or is away
  // The guest, the causes of a revert.
  guest_exit = 60,          // ended by itself
  guest_abort = 61,         // trap, panic or abort
  monitor_fault = 62,       // the monitor died
  killed_by_limit = 63,     // memory or CPU limit
  no_answer = 64,           // health never passed before the deadline
  unhealthy = 65,           // health failed after it had passed
  crash_loop = 66,
  tries_used_up = 67,       // power cuts in the trial
  superseded = 68,          // a newer Desired came
  ordered = 69,             // the operator said so
  uplink_lost = 70,
  // The world.
  io = 80,
  timeout = 81,
  unreachable = 82,
  closed = 83,
  cancelled = 84,
  unavailable = 85,         // try again later
  budget = 86,              // over update.max_bytes
  internal = 99,
};

/// The code's name as it is written in logs, JSON and on the terminal ("bad_digest").
constexpr const char* name_of(Code code) {
  switch (code) {
    case Code::unset: return "unset";
    case Code::bad_argument: return "bad_argument";
    case Code::bad_manifest: return "bad_manifest";
    case Code::manifest_too_new: return "manifest_too_new";
    case Code::not_supported: return "not_supported";
    case Code::bad_image: return "bad_image";
    case Code::wrong_arch: return "wrong_arch";
    case Code::no_monitor: return "no_monitor";
    case Code::not_found: return "not_found";
    case Code::already_exists: return "already_exists";
    case Code::conflict: return "conflict";
    case Code::too_large: return "too_large";
    case Code::bad_signature: return "bad_signature";
    case Code::bad_metadata: return "bad_metadata";
    case Code::expired: return "expired";
    case Code::rollback: return "rollback";
    case Code::bad_digest: return "bad_digest";
    case Code::not_signed: return "not_signed";
    case Code::refused_digest: return "refused_digest";
    case Code::yanked: return "yanked";
    case Code::unauthenticated: return "unauthenticated";
    case Code::forbidden: return "forbidden";
    case Code::token_used: return "token_used";
    case Code::no_space: return "no_space";
    case Code::no_memory: return "no_memory";
    case Code::port_taken: return "port_taken";
    case Code::no_fit: return "no_fit";
    case Code::no_fallback: return "no_fallback";
    case Code::monitor_missing: return "monitor_missing";
    case Code::start_failed: return "start_failed";
    case Code::launcher: return "launcher";
    case Code::guest_exit: return "guest_exit";
    case Code::guest_abort: return "guest_abort";
    case Code::monitor_fault: return "monitor_fault";
    case Code::killed_by_limit: return "killed_by_limit";
    case Code::no_answer: return "no_answer";
    case Code::unhealthy: return "unhealthy";
    case Code::crash_loop: return "crash_loop";
    case Code::tries_used_up: return "tries_used_up";
    case Code::superseded: return "superseded";
    case Code::ordered: return "ordered";
    case Code::uplink_lost: return "uplink_lost";
    case Code::io: return "io";
    case Code::timeout: return "timeout";
    case Code::unreachable: return "unreachable";
    case Code::closed: return "closed";
    case Code::cancelled: return "cancelled";
    case Code::unavailable: return "unavailable";
    case Code::budget: return "budget";
    case Code::internal: return "internal";
  }
  return "unknown";
}

}  // namespace proto
