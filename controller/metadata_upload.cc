// Roles that operators send by themselves: root, targets, and app roles without a new release.
#include <algorithm>
#include <set>
#include <utility>

#include "controller/metadata.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::string_view kAppRoles = "apps.";
/// Names the newest timestamp that was published with news; devices compare it, no more.
constexpr const char* kNewsSetting = "metadata_news";

Error not_uploaded(const std::string& role) {
  return {Code::bad_argument, "role " + role + ": one of root, targets, apps.NAME", role};
}

}  // namespace

/// What passed every check and is to be stored.
struct Metadata::Accepted {
  struct Role {
    std::string name;
    std::int64_t version = 0;
    std::string text;
  };
  std::vector<Role> roles;
  std::optional<ota::Root> root;
  News news;
};

Status Metadata::accept_root(const v1::MetadataUpload& upload, Accepted& accepted) {
  TRY(const auto current, root());
  TRY(auto offered, ota::accept_root(current ? &current->value : nullptr, upload.json(),
                                     clock_.wall_ms() / 1000));
  const ota::Root& next = offered.value;
  // A root with other online keys would make every snapshot of ours worthless.
  for (const char* role : {ota::Snapshot::kType, ota::Timestamp::kType}) {
    if (keys_.named_by(next, role) != nullptr) continue;
    return Error{Code::bad_argument,
                 std::string("this root does not name this controller's ") + role +
                     " key, or its successor, with threshold 1; make it with those of"
                     " GET /v1/online-keys", "root"};
  }
  // Else no device could follow until somebody signs targets.
  TRY(const auto have, targets("targets"));
  if (have) {
    TRY_VOID(ota::verify_threshold(
        have->canonical, have->signatures, next.keys, next.roles.at(ota::Targets::kType),
        "targets " + std::to_string(have->value.header.version) +
            " under this root (sign targets with its keys first)"));
  }
  accepted.news.keys = current.has_value();
  accepted.roles.push_back({upload.role(), next.header.version, upload.json()});
  accepted.root = std::move(offered.value);
  return {};
}

// An app whose delegation goes to another key must come along, signed by that one.
Status Metadata::check_still_signed(const ota::Targets& next, const Accepted& accepted) {
  if (!next.delegations) return {};
  for (const ota::DelegatedRole& line : next.delegations->roles) {
    const bool replaced =
        std::any_of(accepted.roles.begin(), accepted.roles.end(),
                    [&line](const Accepted::Role& role) { return role.name == line.name; });
    if (replaced) continue;
    TRY(const auto have, targets(line.name));
    if (!have) continue;
    TRY_VOID(ota::verify_threshold(have->canonical, have->signatures, next.delegations->keys,
                                   line.keys,
                                   line.name + " " + std::to_string(have->value.header.version) +
                                       " under these targets (send it along, signed again)"));
  }
  return {};
}

Status Metadata::accept_targets(const v1::MetadataUpload& upload, Accepted& accepted) {
  TRY(const auto current_root, root());
  if (!current_root) {
    return Error{Code::unavailable,
                 "there is no root yet; upload that first (fleetctl keys init)", ""};
  }
  TRY(const auto current, targets("targets"));
  TRY(const auto offered,
      ota::accept_targets(current_root->value, current ? &current->value : nullptr, upload.json(),
                          clock_.wall_ms() / 1000));
  accepted.roles.push_back({upload.role(), offered.value.header.version, upload.json()});
  for (const v1::MetadataUpload& other : upload.together()) {
    TRY_VOID(accept_app_role(offered.value, other, ota::Follows::next, accepted));
    accepted.news.keys = true;
  }
  return check_still_signed(offered.value, accepted);
}

Status Metadata::accept_app_role(const ota::Targets& top, const v1::MetadataUpload& upload,
                                 ota::Follows follows, Accepted& accepted) {
  if (!upload.role().starts_with(kAppRoles)) return not_uploaded(upload.role());
  const std::string app = upload.role().substr(kAppRoles.size());
  const bool only_edited = follows == ota::Follows::next;
  TRY(const auto current, targets(upload.role()));
  if (!current && only_edited) {
    return Error{Code::bad_argument,
                 "nothing of " + app + " is published yet; its first release comes by a push", app};
  }
  TRY(const auto offered,
      ota::accept_app_role(top, app, current ? &current->value : nullptr, upload.json(),
                           clock_.wall_ms() / 1000, follows));
  std::vector<ota::ListedRelease> before;
  if (current) {
    TRY(before, ota::releases_of(current->value, app));
  }
  TRY(const auto after, ota::releases_of(offered.value, app));
  for (const ota::ListedRelease& release : after) {
    const auto same =
        std::find_if(before.begin(), before.end(), [&release](const ota::ListedRelease& each) {
          return each.number == release.number;
        });
    const bool is_new = same == before.end();
    if (is_new && only_edited) {
      return Error{Code::bad_argument,
                   "release " + std::to_string(release.number) + " of " + app +
                       " is new; a release comes by a push", app};
    }
    const bool newly_yanked = release.yanked && (is_new || !same->yanked);
    if (newly_yanked) accepted.news.yanked[app].push_back(release.number);
  }
  accepted.roles.push_back({upload.role(), offered.value.header.version, upload.json()});
  return {};
}

Result<bool> Metadata::is_above(const v1::MetadataUpload& upload) {
  TRY(const ota::Header offered, header_of(upload.json()));
  TRY(const auto text, store_.metadata(upload.role()));
  if (!text) return true;
  TRY(const ota::Header ours, header_of(*text));
  return offered.version > ours.version;
}

// Only for its number: those that are published next must be above what was seen.
Status Metadata::accept_online(const ota::Root& root, const v1::MetadataUpload& upload,
                               Accepted& accepted) {
  ota::Header header;
  const auto check = [&](const auto& offered) {
    header = offered.value.header;
    return ota::verify_threshold(offered.canonical, offered.signatures, root.keys,
                                 root.roles.at(upload.role()), upload.role());
  };
  if (upload.role() == ota::Snapshot::kType) {
    TRY(const auto offered, ota::parse_snapshot(upload.json()));
    TRY_VOID(check(offered));
  } else {
    TRY(const auto offered, ota::parse_timestamp(upload.json()));
    TRY_VOID(check(offered));
  }
  accepted.roles.push_back({upload.role(), header.version, upload.json()});
  return {};
}

Status Metadata::accept_restored(const v1::MetadataUpload& upload, Accepted& accepted) {
  TRY(const auto current_root, root());
  TRY(auto top, targets("targets"));
  if (upload.role() != ota::Targets::kType || !current_root || !top) {
    return Error{Code::bad_argument,
                 "what was seen comes as targets with all others together, to a controller that has"
                 " root and targets",
                 upload.role()};
  }
  TRY(const bool newer, is_above(upload));
  if (newer) {
    TRY(top, ota::accept_targets(current_root->value, &top->value, upload.json(),
                                 clock_.wall_ms() / 1000, ota::Follows::later));
    accepted.roles.push_back({upload.role(), top->value.header.version, upload.json()});
  }
  for (const v1::MetadataUpload& other : upload.together()) {
    TRY(const bool above, is_above(other));
    if (!above) continue;
    if (ota::is_online_role(other.role())) {
      TRY_VOID(accept_online(current_root->value, other, accepted));
    } else {
      TRY_VOID(accept_app_role(top->value, other, ota::Follows::later, accepted));
    }
  }
  accepted.news.keys = !accepted.roles.empty();
  return check_still_signed(top->value, accepted);
}

Result<Metadata::Accepted> Metadata::accept(const v1::MetadataUpload& upload) {
  Accepted accepted;
  if (upload.restored()) {
    TRY_VOID(accept_restored(upload, accepted));
    return accepted;
  }
  if (upload.together_size() != 0 && upload.role() != ota::Targets::kType) {
    return Error{Code::bad_argument, "only targets brings other roles along", upload.role()};
  }
  if (upload.role() == ota::Root::kType) {
    TRY_VOID(accept_root(upload, accepted));
  } else if (upload.role() == ota::Targets::kType) {
    TRY_VOID(accept_targets(upload, accepted));
  } else if (!upload.role().starts_with(kAppRoles)) {
    return not_uploaded(upload.role());
  } else {
    TRY(const auto top, targets("targets"));
    if (!top) {
      return Error{Code::unavailable, "there are no targets yet; run fleetctl keys init", ""};
    }
    TRY_VOID(accept_app_role(top->value, upload, ota::Follows::next, accepted));
  }
  return accepted;
}

Status Metadata::upload(const v1::MetadataUpload& upload,
                        const std::function<Status(const News& news)>& tell) {
  TRY(const Accepted accepted, accept(upload));
  if (accepted.roles.empty()) return {};
  Store::Transaction transaction(store_);
  for (const Accepted::Role& role : accepted.roles) {
    TRY_VOID(store_.add_metadata(role.name, role.version, role.text));
  }
  TRY(const auto have_targets, store_.metadata("targets"));
  if (have_targets) TRY_VOID(publish(true));
  if (accepted.news.keys || !accepted.news.yanked.empty()) {
    TRY(const auto timestamp_text, store_.metadata("timestamp"));
    if (timestamp_text) {
      TRY(const auto timestamp, ota::parse_timestamp(*timestamp_text));
      TRY_VOID(store_.set_setting(kNewsSetting, std::to_string(timestamp.value.header.version)));
    }
  }
  News news = accepted.news;
  for (const Accepted::Role& role : accepted.roles) {
    news.roles.push_back(role.name + " " + std::to_string(role.version));
  }
  TRY_VOID(tell(news));
  TRY_VOID(transaction.commit());
  for (const Accepted::Role& role : accepted.roles) {
    proto::log_info("metadata.accepted", {{"role", role.name}, {"version", role.version}});
  }
  if (!accepted.root) return {};
  // The root counts from its commit on, whichever file its keys are in: renew() does what fails.
  const Status settled = keys_.settle(*accepted.root);
  if (!settled) proto::log_error("key.not_switched", {{"why", settled.error().what}});
  return {};
}

Result<std::uint64_t> newest_news(Store& store) {
  TRY(const auto text, store.setting(kNewsSetting));
  return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

}  // namespace controller
