#include "proto/cause.h"

namespace proto {

fleet::v1::Cause cause_of(fleet::v1::Code code) {
  switch (code) {
    case fleet::v1::CODE_UNSET: return fleet::v1::CAUSE_UNSPECIFIED;
    case fleet::v1::CODE_GUEST_EXIT:
    case fleet::v1::CODE_GUEST_ABORT:
    case fleet::v1::CODE_KILLED_BY_LIMIT:
    case fleet::v1::CODE_NO_ANSWER:
    case fleet::v1::CODE_UNHEALTHY:
    case fleet::v1::CODE_CRASH_LOOP:
    case fleet::v1::CODE_BAD_MANIFEST:
    case fleet::v1::CODE_BAD_IMAGE:
    case fleet::v1::CODE_REFUSED_DIGEST:
    case fleet::v1::CODE_YANKED: return fleet::v1::CAUSE_IMAGE;
    case fleet::v1::CODE_UPLINK_LOST:
    case fleet::v1::CODE_UNREACHABLE:
    case fleet::v1::CODE_CLOSED:
    case fleet::v1::CODE_UNAVAILABLE:
    case fleet::v1::CODE_BAD_DIGEST: return fleet::v1::CAUSE_NETWORK;
    default: return fleet::v1::CAUSE_DEVICE;
  }
}

const char* word_of_cause(fleet::v1::Cause cause) {
  switch (cause) {
    case fleet::v1::CAUSE_IMAGE: return "image";
    case fleet::v1::CAUSE_DEVICE: return "device";
    case fleet::v1::CAUSE_NETWORK: return "network";
    default: return "";
  }
}

}  // namespace proto
