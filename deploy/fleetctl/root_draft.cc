#include "deploy/fleetctl/root_draft.h"

#include <algorithm>
#include <set>

#include "deploy/fleetctl/text.h"

namespace fleetctl {
namespace {

SignatureCount count_by(const ota::Root& keys_of, const ota::Signed<ota::Root>& draft) {
  const ota::RoleKeys& role = keys_of.roles.at(ota::Root::kType);
  return {ota::count_signatures(draft.canonical, draft.signatures, keys_of.keys, role),
          role.threshold};
}

bool has(const std::vector<std::string>& ids, const std::string& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::string text_of(const SignatureCount& count) {
  return std::to_string(count.have) + " of " + std::to_string(count.want);
}

}  // namespace

SignatureCount RootDraft::by_old_keys() const { return count_by(trusted, next); }
SignatureCount RootDraft::by_new_keys() const { return count_by(next.value, next); }

bool RootDraft::complete() const {
  const SignatureCount old_keys = by_old_keys();
  const SignatureCount new_keys = by_new_keys();
  return old_keys.have >= old_keys.want && new_keys.have >= new_keys.want;
}

std::vector<std::string> RootDraft::unsigned_keyids() const {
  std::set<std::string> ids;
  for (const ota::Root* root : {&trusted, &next.value}) {
    const auto& keyids = root->roles.at(ota::Root::kType).keyids;
    ids.insert(keyids.begin(), keyids.end());
  }
  for (const ota::Signature& signature : next.signatures) ids.erase(signature.keyid);
  return {ids.begin(), ids.end()};
}

std::vector<std::string> RootDraft::changes() const {
  std::vector<std::string> lines;
  for (const auto& [name, now] : next.value.roles) {
    const auto found = trusted.roles.find(name);
    const ota::RoleKeys before = found == trusted.roles.end() ? ota::RoleKeys() : found->second;
    for (const std::string& id : before.keyids) {
      if (!has(now.keyids, id)) lines.push_back("- " + name + " key " + short_digest(id));
    }
    for (const std::string& id : now.keyids) {
      if (!has(before.keyids, id)) lines.push_back("+ " + name + " key " + short_digest(id));
    }
    if (now.threshold != before.threshold) {
      lines.push_back("  " + name + " wants " + std::to_string(now.threshold) + " of " +
                      std::to_string(now.keyids.size()) + " keys, before " +
                      std::to_string(before.threshold) + " of " +
                      std::to_string(before.keyids.size()));
    }
  }
  for (const auto& [name, role] : trusted.roles) {
    if (next.value.roles.count(name) == 0) lines.push_back("- the role " + name);
  }
  if (next.value.consistent_snapshot != trusted.consistent_snapshot) {
    lines.push_back("  consistent snapshots go " +
                    std::string(next.value.consistent_snapshot ? "on" : "off"));
  }
  lines.push_back("  expires " + ota::format_time(next.value.header.expires) + ", before " +
                  ota::format_time(trusted.header.expires));
  return lines;
}

std::string RootDraft::progress() const {
  return text_of(by_old_keys()) + " signatures by the keys of root " +
         std::to_string(trusted.header.version) + ", " + text_of(by_new_keys()) +
         " by those of root " + std::to_string(next.value.header.version);
}

proto::Result<RootDraft> read_root_draft(std::string_view bytes, const ota::Root& trusted) {
  TRY(ota::Signed<ota::Root> next, ota::parse_root(bytes));
  const std::int64_t follows = next.value.header.version - 1;
  if (follows != trusted.header.version) {
    return proto::Error{proto::Code::rollback,
                        "it is root " + std::to_string(follows + 1) + ", and root " +
                            std::to_string(trusted.header.version) + " is the newest that is "
                            "trusted here; nothing is signed on top of another one\n"
                            "draw it up again, or name the root before it:  --on FILE", {}};
  }
  return RootDraft{trusted, std::move(next)};
}

}  // namespace fleetctl
