#include "controller/why.h"

#include <algorithm>
#include <utility>

#include "proto/units.h"

namespace controller {
namespace {

using proto::Code;

constexpr int kNext = 4;

// What a rule says: that it holds, that it does not, or nothing.
struct Verdict {
  std::string held;
  std::string clear;
};

struct Rule {
  const char* name;
  Verdict (*judge)(const WhyFacts& facts);
};

std::string ago(std::int64_t then_ms, std::int64_t now_ms) {
  return proto::format_elapsed_ms(
      static_cast<std::uint64_t>(std::max<std::int64_t>(now_ms - then_ms, 0)));
}

bool ended_badly(const WhyFacts& facts) {
  if (!facts.row) return false;
  const v1::DeviceState state = facts.row->state();
  return state == v1::REVERTED || state == v1::FAILED || state == v1::HELD;
}

std::uint64_t runs(const WhyFacts& facts) {
  return facts.status && !facts.status->stopped() ? facts.status->live_release() : 0;
}

// After a bad end the controller wants what runs, so that nobody tries it again; before its turn a
// device wants what it wanted. What the fleet wants there is the rollout's.
std::uint64_t wants(const WhyFacts& facts) {
  const bool of_rollout = ended_badly(facts) || facts.waits_for_turn;
  if (of_rollout && facts.rollout && rollout::is_release(facts.rollout->kind)) {
    return facts.rollout->release;
  }
  return facts.wish && facts.wish->run() == v1::RUN ? facts.wish->release() : 0;
}

Code code_of(const WhyFacts& facts) {
  return ended_badly(facts) ? static_cast<Code>(facts.row->why().code()) : Code::unset;
}

std::string said(const WhyFacts& facts) {
  return facts.row->why().text().empty() ? proto::name_of(code_of(facts))
                                         : facts.row->why().text();
}

// For rules that the device itself judged and told.
Verdict told(const WhyFacts& facts, std::initializer_list<Code> codes, const char* clear) {
  const bool held = std::find(codes.begin(), codes.end(), code_of(facts)) != codes.end();
  return held ? Verdict{said(facts), ""} : Verdict{"", clear};
}

Verdict offline(const WhyFacts& facts) {
  if (facts.online) return {"", "link up"};
  if (facts.certificate_over) {
    return {"its certificate has ended; it renews by itself when it connects, last heard " +
                ago(facts.seen_ms, facts.now_ms) + " ago", ""};
  }
  return {facts.seen_ms == 0 ? "it was never connected"
                             : "not connected for " + ago(facts.seen_ms, facts.now_ms), ""};
}

Verdict ahead(const WhyFacts& facts) {
  if (facts.ahead.empty()) return {};
  return {"it " + facts.ahead + "; nothing is told to it until a person decides", ""};
}

Verdict wave(const WhyFacts& facts) { return {facts.wave, ""}; }

Verdict ended(const WhyFacts& facts) {
  if (!facts.rollout || !facts.row || ended_badly(facts)) return {};
  if (facts.row->state() == v1::SUPERSEDED) {
    return {facts.rollout->id() + " was superseded for this device before it was done", ""};
  }
  const v1::RolloutState state = facts.rollout->state;
  const bool over = state == v1::ROLLOUT_ABORTED || state == v1::ROLLOUT_FAILED;
  if (!over || rollout::has_ended(facts.rollout->kind, facts.row->state())) return {};
  return {facts.rollout->id() + " has " + rollout::word(state) + " before this device took part",
          ""};
}

Verdict window(const WhyFacts& facts) {
  if (facts.gate.hold_fetch || facts.gate.hold_arm) return {facts.gate.text, ""};
  return {"", "window open"};
}

Verdict yanked(const WhyFacts& facts) {
  if (facts.yanked) {
    return {facts.app + " " + std::to_string(wants(facts)) + " was yanked: no device takes it", ""};
  }
  return told(facts, {Code::yanked}, "not yanked");
}

Verdict metadata(const WhyFacts& facts) {
  const v1::MetadataStatus& held = facts.inventory.metadata();
  if (held.has_why()) return {"it takes nothing new: " + held.why().text(), ""};
  return told(facts,
              {Code::expired, Code::bad_metadata, Code::bad_signature, Code::not_signed,
               Code::rollback, Code::bad_digest},
              "metadata good");
}

Verdict clock(const WhyFacts& facts) {
  if (facts.inventory.clock_synchronised()) return {"", "clock ok"};
  const bool by_date =
      code_of(facts) == Code::expired ||
      (facts.inventory.metadata().has_why() &&
       facts.inventory.metadata().why().code() == static_cast<v1::Code>(Code::expired));
  if (by_date) return {"its clock is not synchronised, and by it the metadata has expired", ""};
  return {};
}

Verdict refused(const WhyFacts& facts) {
  return told(facts, {Code::refused_digest}, "digest not refused");
}

Verdict fallback(const WhyFacts& facts) { return told(facts, {Code::no_fallback}, ""); }

Verdict memory(const WhyFacts& facts) {
  const std::uint64_t need = facts.manifest ? facts.manifest->needs().memory_free_bytes() : 0;
  const std::uint64_t free = facts.inventory.memory_free_bytes();
  std::string text;
  if (need > free && wants(facts) != runs(facts)) {
    text = "needs.memory_free " + proto::format_size_bytes(need) + ", free " +
           proto::format_size_bytes(free);
  } else if (code_of(facts) == Code::no_memory) {
    text = said(facts);
  } else {
    return {"", free == 0 ? "" : "memory " + proto::format_size_bytes(free)};
  }
  std::string others;
  for (const std::string& one : facts.other_memory) others += (others.empty() ? "" : ", ") + one;
  return {text + (others.empty() ? "" : "  (" + others + ")"), ""};
}

Verdict space(const WhyFacts& facts) {
  const std::uint64_t free = facts.inventory.disk_free_bytes();
  const std::string clear = "disk " + proto::format_size_bytes(free);
  return told(facts, {Code::no_space}, free == 0 ? "" : clear.c_str());
}

Verdict fit(const WhyFacts& facts) {
  const bool asks = facts.manifest && wants(facts) != runs(facts);
  if (asks && facts.manifest->needs().boards_size() > 0) {
    const auto& boards = facts.manifest->needs().boards();
    if (std::find(boards.begin(), boards.end(), facts.inventory.board()) == boards.end()) {
      return {"needs.boards does not name " + facts.inventory.board(), ""};
    }
  }
  const std::string clear = "board " + facts.inventory.board() + " fits";
  return told(facts,
              {Code::no_fit, Code::wrong_arch, Code::no_monitor, Code::monitor_missing,
               Code::not_supported, Code::manifest_too_new, Code::bad_manifest, Code::bad_image},
              facts.inventory.board().empty() ? "" : clear.c_str());
}

Verdict port(const WhyFacts& facts) { return told(facts, {Code::port_taken}, ""); }
Verdict budget(const WhyFacts& facts) { return told(facts, {Code::budget}, ""); }

// What its variables want is known before the device was asked, and it says so itself, too.
Verdict values(const WhyFacts& facts) {
  if (!facts.values.empty()) {
    const v1::ConfigValue& first = facts.values.front();
    const std::string more =
        facts.values.size() > 1 ? ", and " + std::to_string(facts.values.size() - 1) + " more" : "";
    return {"variable " + first.name() + " " + first.problem() + more, ""};
  }
  const bool has_vars = facts.manifest && facts.manifest->vars_size() > 0;
  return told(facts, {Code::bad_argument, Code::unauthenticated},
              has_vars ? "its variables have values" : "");
}

// What is left: it was tried there, and did not do.
Verdict tried(const WhyFacts& facts) {
  switch (code_of(facts)) {
    case Code::guest_exit:
    case Code::guest_abort:
    case Code::monitor_fault:
    case Code::killed_by_limit:
    case Code::no_answer:
    case Code::unhealthy:
    case Code::crash_loop:
    case Code::tries_used_up:
    case Code::start_failed:
    case Code::uplink_lost:
    case Code::ordered:
    case Code::launcher:
    case Code::io:
    case Code::timeout:
    case Code::unreachable:
    case Code::closed:
    case Code::cancelled:
    case Code::unavailable:
    case Code::internal: return {said(facts), ""};
    default: return {};
  }
}

Verdict busy(const WhyFacts& facts) {
  if (!facts.row || rollout::has_ended(facts.rollout->kind, facts.row->state())) return {};
  if (facts.row->state() == v1::WAITING) return {};
  return {std::string("under way: ") + rollout::word(facts.row->state()) +
              (facts.row->detail().empty() ? "" : ", " + facts.row->detail()), ""};
}

// In the order in which they stop an update.
constexpr Rule kRules[] = {
    {"AHEAD", ahead},       {"OFFLINE", offline},   {"ENDED", ended},       {"YANKED", yanked},
    {"WAVE", wave},         {"WINDOW", window},     {"METADATA", metadata}, {"CLOCK", clock},
    {"REFUSED", refused},   {"FALLBACK", fallback}, {"FIT", fit},           {"MEMORY", memory},
    {"SPACE", space},       {"PORT", port},         {"BUDGET", budget},     {"VALUES", values},
    {"TRIED", tried},
    {"BUSY", busy},
};

std::string summary(const WhyFacts& facts) {
  const std::uint64_t live = runs(facts);
  const std::uint64_t wanted = wants(facts);
  if (!facts.ahead.empty()) return facts.device + " is ahead of this controller, and left alone.";
  const std::string who = facts.device + " runs " +
                          (live == 0 ? "no " + facts.app : facts.app + " " + std::to_string(live));
  if (facts.wish && facts.wish->run() == v1::STOP) {
    return who + (live == 0 ? ", as wanted: it was stopped." : ", and shall stop it.");
  }
  if (facts.wish && facts.wish->run() == v1::REMOVE) return who + "; it is being removed.";
  if (!facts.wish && !ended_badly(facts) && !facts.waits_for_turn) {
    return who + "; no push names it. It keeps what it runs until a push or a delete does.";
  }
  if (wanted == live) return who + ", as wanted.";
  return who + ", not " + (live == 0 ? std::to_string(wanted)
                                     : facts.app + " " + std::to_string(wanted)) + ".";
}

void add_next(const WhyFacts& facts, v1::WhyApp& out) {
  const std::string on = " --to " + facts.device;
  const auto add = [&out](const std::string& line) {
    if (out.next_size() < kNext) out.add_next(line);
  };
  if (out.held_by_size() == 0) return;
  const std::string& first = out.held_by(0).rule();
  if (first == "AHEAD") {
    add("fleetctl device show " + facts.device);
    add("fleetctl device accept " + facts.device);
    return;
  }
  if (first == "OFFLINE") add("fleetctl device show " + facts.device);
  if (first == "REFUSED" || first == "TRIED") {
    add("fleetctl flights " + facts.app + " --device " + facts.device);
    add("fleetctl push " + facts.app + on);
  }
  if (first == "YANKED" || first == "ENDED") add("fleetctl push " + facts.app + on);
  if (first == "FALLBACK") add("fleetctl rollback " + facts.app + " --release N" + on);
  if (first == "MEMORY" || first == "SPACE" || first == "PORT") {
    add("fleetctl ps" + on);
    add("fleetctl push " + facts.app + on);
  }
  if (first == "VALUES") {
    for (const v1::ConfigValue& value : facts.values) {
      const bool secret = value.type() == v1::VAR_SECRET;
      add("fleetctl config set " + facts.app + " " + value.name() + (secret ? "" : "=VALUE") + on);
      if (out.next_size() == kNext - 2) break;
    }
    if (facts.values.empty()) add("fleetctl config list " + facts.app + on);
    if (facts.rollout && ended_badly(facts) && rollout::has_waves(facts.rollout->kind)) {
      add("fleetctl rollout retry " + facts.rollout->id() + " --device " + facts.device);
    }
  }
  if (first == "FIT" || first == "BUDGET") add("fleetctl releases " + facts.app);
  if (facts.rollout) add("fleetctl rollout show " + facts.rollout->id());
}

}  // namespace

v1::WhyApp why(const WhyFacts& facts) {
  v1::WhyApp out;
  out.set_app(facts.app);
  out.set_runs(runs(facts));
  out.set_wants(wants(facts));
  out.set_summary(summary(facts));
  if (facts.rollout) {
    out.set_wanted_by("rollout " + facts.rollout->id() + " (" + facts.rollout->selector + ", " +
                      facts.rollout->by + ")");
  }
  if (facts.row) {
    std::string text = rollout::word(facts.row->state());
    if (facts.row->has_why()) text += ": " + said(facts);
    if (facts.row->ended_ms() != 0) {
      text += ", " + ago(static_cast<std::int64_t>(facts.row->ended_ms()), facts.now_ms) + " ago";
    }
    out.set_tried(text);
  }
  const bool as_wanted = out.runs() == out.wants() && !ended_badly(facts);
  const bool wanted =
      facts.wish.has_value() || ended_badly(facts) || facts.waits_for_turn;
  if (facts.ahead.empty() && (as_wanted || !wanted)) return out;
  for (const Rule& rule : kRules) {
    Verdict verdict = rule.judge(facts);
    if (verdict.held.empty() && verdict.clear.empty()) continue;
    const bool held = !verdict.held.empty();
    v1::WhyRule& line = held ? *out.add_held_by() : *out.add_clear();
    line.set_rule(rule.name);
    line.set_text(held ? std::move(verdict.held) : std::move(verdict.clear));
  }
  if (out.held_by_size() == 0) {
    v1::WhyRule& line = *out.add_held_by();
    line.set_rule("WAITING");
    line.set_text("it was told, and has not answered yet");
  }
  add_next(facts, out);
  return out;
}

}  // namespace controller
