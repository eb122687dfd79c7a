#include "deploy/fleetctl/expiry.h"

#include "deploy/fleetctl/text.h"
#include "ota/repository.h"

namespace fleetctl {

std::string time_left(std::int64_t expires, std::int64_t now) {
  const std::int64_t left = expires - now;
  return left <= 0 ? "expired" : age_text(static_cast<std::uint64_t>(left) * 1000);
}

std::vector<std::string> expiry_notes(const ota::Root& root, const ota::Targets& targets,
                                      std::int64_t now) {
  struct Role {
    const char* name;
    std::int64_t expires;
    std::int64_t lifetime_s;
  };
  std::vector<std::string> notes;
  for (const Role& role :
       {Role{ota::Root::kType, root.header.expires, ota::kRootLifetime_s},
        Role{ota::Targets::kType, targets.header.expires, ota::kTargetsLifetime_s}}) {
    if (!ota::renew_due(role.expires, role.lifetime_s, now)) continue;
    const std::string state = now < role.expires
                                  ? " is good for " + time_left(role.expires, now) + " more"
                                  : " has expired";
    notes.push_back(std::string("the signature of ") + role.name + state +
                    "; without it no device takes a release. Renew it:  fleetctl keys refresh");
  }
  return notes;
}

}  // namespace fleetctl
