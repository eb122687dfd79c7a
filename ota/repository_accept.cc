// What the controller asks of metadata that an operator sends, before it stores or publishes it.
// The devices ask all of it again; this only keeps mistakes out early.
#include <algorithm>

#include "ota/repository.h"

namespace ota {
namespace {

std::string named(std::string_view role, std::int64_t version) {
  return std::string(role) + " version " + std::to_string(version);
}

Status check_follows(std::string_view role, std::int64_t offered, std::int64_t current,
                     Follows follows = Follows::next) {
  if (follows == Follows::next ? offered == current + 1 : offered > current) return {};
  return Error{Code::conflict,
               named(role, offered) + " cannot follow version " + std::to_string(current) +
                   "; somebody was faster: refresh and sign again",
               std::string(role)};
}

Status check_fresh(std::string_view role, const Header& header, std::int64_t now) {
  if (now < header.expires) return {};
  return Error{Code::expired,
               named(role, header.version) + " expired at " + format_time(header.expires) +
                   "; sign it again, or set the clock right",
               std::string(role)};
}

// A number once used names the same bytes for ever, and new numbers are above all old ones.
Status check_numbers(const Targets* current, const Targets& offered, std::string_view app) {
  TRY(const std::vector<ListedRelease> next, releases_of(offered, app));
  std::vector<ListedRelease> known;
  if (current != nullptr) {
    TRY(known, releases_of(*current, app));
  }
  const std::int64_t highest = known.empty() ? 0 : known.back().number;
  for (const ListedRelease& release : next) {
    const auto same = std::find_if(known.begin(), known.end(), [&](const ListedRelease& each) {
      return each.number == release.number;
    });
    const bool unchanged = same != known.end() && same->manifest == release.manifest;
    if (unchanged && same->yanked && !release.yanked) {
      return Error{Code::rollback,
                   "release " + std::to_string(release.number) + " of " + std::string(app) +
                       " was yanked, and that is for ever; push what it should have been",
                   std::string(app)};
    }
    if (release.number > highest || unchanged) continue;
    return Error{Code::rollback,
                 "release " + std::to_string(release.number) + " of " + std::string(app) +
                     " was used before with other content; take " + std::to_string(highest + 1),
                 std::string(app)};
  }
  if (!next.empty() && next.back().number < highest) {
    return Error{Code::rollback,
                 "the role of the app " + std::string(app) +
                     " no longer lists its newest release " + std::to_string(highest) +
                     "; numbers would be used again",
                 std::string(app)};
  }
  if (next.empty() && highest > 0) {
    return Error{Code::rollback, "the role of the app " + std::string(app) + " lists no release",
                 std::string(app)};
  }
  return {};
}

}  // namespace

Result<Signed<Root>> accept_root(const Root* current, std::string_view bytes, std::int64_t now) {
  TRY(Signed<Root> offered, parse_root(bytes));
  const std::int64_t version = offered.value.header.version;
  if (current != nullptr) {
    TRY_VOID(verify_threshold(offered.canonical, offered.signatures, current->keys,
                              current->roles.at(Root::kType),
                              named(Root::kType, version) + " (by the keys of the one before)"));
  }
  TRY_VOID(check_follows(Root::kType, version, current != nullptr ? current->header.version : 0));
  TRY_VOID(verify_threshold(offered.canonical, offered.signatures, offered.value.keys,
                            offered.value.roles.at(Root::kType), named(Root::kType, version)));
  TRY_VOID(check_fresh(Root::kType, offered.value.header, now));
  return offered;
}

Result<Signed<Targets>> accept_targets(const Root& root, const Targets* current,
                                       std::string_view bytes, std::int64_t now,
                                       Follows follows) {
  TRY(Signed<Targets> offered, parse_targets(bytes));
  const std::int64_t version = offered.value.header.version;
  TRY_VOID(verify_threshold(offered.canonical, offered.signatures, root.keys,
                            root.roles.at(Targets::kType), named(Targets::kType, version)));
  TRY_VOID(check_follows(Targets::kType, version,
                         current != nullptr ? current->header.version : 0, follows));
  TRY_VOID(check_fresh(Targets::kType, offered.value.header, now));
  return offered;
}

Result<Signed<Targets>> accept_app_role(const Targets& targets, std::string_view app,
                                        const Targets* current, std::string_view bytes,
                                        std::int64_t now, Follows follows) {
  const std::string name = app_role_name(app);
  const DelegatedRole* line = nullptr;
  if (targets.delegations) {
    for (const DelegatedRole& each : targets.delegations->roles) {
      if (each.name == name) line = &each;
    }
  }
  if (line == nullptr) {
    return Error{Code::not_signed,
                 "no key may sign for the app " + std::string(app) +
                     " yet: fleetctl keys delegate " + std::string(app),
                 std::string(app)};
  }
  TRY(Signed<Targets> offered, parse_targets(bytes));
  const std::int64_t version = offered.value.header.version;
  TRY_VOID(verify_threshold(offered.canonical, offered.signatures, targets.delegations->keys,
                            line->keys, named(name, version)));
  TRY_VOID(check_follows(name, version, current != nullptr ? current->header.version : 0,
                         follows));
  TRY_VOID(check_fresh(name, offered.value.header, now));
  if (offered.value.delegations) {
    return Error{Code::bad_metadata, named(name, version) + " delegates; an app's role may not",
                 name};
  }
  for (const auto& [path, file] : offered.value.targets) {
    if (delegates(*line, path)) continue;
    return Error{Code::bad_metadata, named(name, version) + " lists " + path + ", not its own",
                 name};
  }
  TRY_VOID(check_numbers(current, offered.value, app));
  return offered;
}

}  // namespace ota
