#include "deploy/fleetctl/expiry.h"

#include "deploy/fleetctl/keystore.h"
#include "deploy/fleetctl/text.h"
#include "ota/repository.h"

namespace fleetctl {
std::string time_left(std::int64_t expires, std::int64_t now) {
  const std::int64_t left = expires - now;
  return left <= 0 ? "expired" : age_text(static_cast<std::uint64_t>(left) * 1000);
}

bool needs_care(const RoleExpiry& role, std::int64_t now) {
  return role.expires != 0 && ota::needs_care(role.role, role.expires, now);
}

std::string keys_line(const std::vector<RoleExpiry>& roles, std::int64_t now) {
  std::vector<std::string> people;
  std::vector<std::string> online;
  for (const RoleExpiry& role : roles) {
    if (role.expires == 0) continue;
    const std::string left = time_left(role.expires, now);
    if (ota::is_online_role(role.role)) {
      online.push_back(role.role + " renews itself, " + left);
    } else {
      people.push_back(visible(shown_role(role.role)) + " " + left);
    }
  }
  people.insert(people.end(), online.begin(), online.end());
  return join(people, "   ");
}

std::vector<std::string> expiry_notes(const std::vector<RoleExpiry>& roles, std::int64_t now) {
  std::vector<std::string> notes;
  for (const RoleExpiry& role : roles) {
    if (!needs_care(role, now)) continue;
    const std::string state = now < role.expires
                                  ? " is good for " + time_left(role.expires, now) + " more"
                                  : " has expired";
    const bool of_app = role.role.starts_with("apps.");
    notes.push_back(
        "the signature of " + shown_role(role.role) + state + "; without it no device takes a "
        "release" + (of_app ? " of this app" : "") + ". " +
        (ota::is_online_role(role.role)
             ? "The controller should have renewed it by itself: look for metadata.not_renewed in "
               "its log"
             : "Renew it:  fleetctl keys refresh"));
  }
  return notes;
}

}  // namespace fleetctl
