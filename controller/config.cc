#include "controller/config.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "controller/values.h"
#include "ota/keys_sealing.h"
#include "proto/limits.h"
#include "proto/variables.h"

namespace controller {
namespace {

using proto::Code;

std::vector<ConfigRow>::iterator find(std::vector<ConfigRow>& rows, const std::string& name) {
  return std::find_if(rows.begin(), rows.end(),
                      [&](const ConfigRow& row) { return row.name == name; });
}

const ConfigRow* find(const std::vector<ConfigRow>& rows, const std::string& name) {
  for (const ConfigRow& row : rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

bool same(const ConfigRow* one, const ConfigRow* other) {
  if (one == nullptr || other == nullptr) return one == other;
  return one->value == other->value && one->sealed == other->sealed;
}

std::set<std::string> changed_names(const std::vector<ConfigRow>& before,
                                    const std::vector<ConfigRow>& after) {
  std::set<std::string> names;
  for (const std::vector<ConfigRow>* rows : {&before, &after}) {
    for (const ConfigRow& row : *rows) {
      if (!same(find(before, row.name), find(after, row.name))) names.insert(row.name);
    }
  }
  return names;
}

void put(std::vector<ConfigRow>& rows, ConfigRow row) {
  const auto found = find(rows, row.name);
  if (found == rows.end()) {
    rows.push_back(std::move(row));
  } else if (!same(&*found, &row)) {
    *found = std::move(row);
  }
}

// The manifests that may declare a name on a device: of the release that is wanted there, and of
// the newest, which may have been turned away there for want of this very value.
using Manifests = std::vector<const v1::AppManifest*>;

Status check_declared(const Manifests& manifests, const std::string& name) {
  v1::AppManifest all;
  for (const v1::AppManifest* manifest : manifests) {
    if (manifest->vars().count(name) == 1) return {};
    for (const auto& [known, var] : manifest->vars()) (*all.mutable_vars())[known] = var;
  }
  return Error{Code::bad_argument,
               manifests.front()->name() + " declares no variable \"" + name.substr(0, 60) + "\"" +
                   proto::near_variable(all, name), name};
}

Status check_set(const Manifests& manifests, const std::string& name, const std::string& value) {
  TRY_VOID(check_declared(manifests, name));
  for (const v1::AppManifest* manifest : manifests) {
    const auto var = manifest->vars().find(name);
    if (var == manifest->vars().end()) continue;
    if (var->second.type() == v1::VAR_SECRET) {
      return Error{Code::bad_argument,
                   name + ": is a secret; it is sealed by fleetctl, which asks for it: "
                          "fleetctl config set " + manifest->name() + " " + name, name};
    }
    TRY_VOID(proto::check_value(name, var->second, value));
  }
  return {};
}

Status check_sealed(const Manifests& manifests, const v1::SealedValue& sealed) {
  TRY_VOID(check_declared(manifests, sealed.name()));
  for (const v1::AppManifest* manifest : manifests) {
    const auto var = manifest->vars().find(sealed.name());
    if (var == manifest->vars().end() || var->second.type() == v1::VAR_SECRET) continue;
    return Error{Code::bad_argument, sealed.name() + ": is no secret; it is not sealed",
                 sealed.name()};
  }
  if (sealed.value().size() > proto::kMaxSecretBytes + ota::kSealedOverheadBytes) {
    return Error{Code::too_large, sealed.name() + ": is longer than 4096 bytes", sealed.name()};
  }
  return {};
}

// What comes of the values as a whole, as far as it can be seen without the secrets.
Status check_result(const v1::AppManifest& manifest, const Subject& device,
                    const std::vector<ConfigRow>& rows) {
  const Vars vars(manifest.vars().begin(), manifest.vars().end());
  v1::DesiredApp desired;
  put_values(vars, device, rows, desired);
  if (size_of(desired) > proto::kMaxValuesBytes) {
    return Error{Code::too_large,
                 device.name + ": all values of " + manifest.name() + " are more than 12 KiB", ""};
  }
  proto::Values values(desired.overrides().begin(), desired.overrides().end());
  for (const auto& [name, var] : vars) {
    if (var.type() == v1::VAR_SECRET || values.count(name) == 1) continue;
    if (var.required() && var.default_().empty()) return {};  // the device is held, and says so
    values[name] = var.default_();
  }
  const auto made = proto::with_values(manifest, values);
  if (made) return {};
  return Error{Code::bad_argument, device.name + ": with these values " + made.error().what,
               made.error().element};
}

bool runs(const std::optional<v1::DesiredApp>& wish) {
  return wish && wish->run() == v1::RUN && wish->release() != 0;
}

}  // namespace

Result<v1::AppManifest> Config::newest(const std::string& app) {
  TRY(auto found, newest_manifest(store_, app));
  if (found) return std::move(*found);
  return Error{Code::not_found, "no release of app " + app + "; see: fleetctl apps", app};
}

Result<Config::Target> Config::target(const Subject& device, const std::string& app,
                                      const v1::AppManifest& newest) {
  Target out;
  out.device = device;
  out.manifest = newest;
  TRY(out.wish, store_.desired_app(device.id, app));
  TRY(out.before, store_.config(device.id, app));
  if (out.wish && out.wish->release() != 0 && out.wish->release() != newest.release()) {
    TRY(const auto row, store_.release(app, static_cast<std::int64_t>(out.wish->release())));
    if (row) out.manifest = row->manifest;
  }
  return out;
}

// Its values as they shall be, if they may.
Status Config::apply(const v1::ConfigChange& request, const v1::AppManifest& newest,
                     const std::string& by, std::set<std::uint64_t>& checked, Target& target) {
  const Manifests manifests{&target.manifest, &newest};
  const bool is_new = checked.insert(target.manifest.release()).second;
  const std::int64_t now_ms = fleet_.wall_ms();
  target.after = target.before;
  const std::map<std::string, std::string> set(request.set().begin(), request.set().end());
  for (const auto& [name, value] : set) {
    if (is_new) TRY_VOID(check_set(manifests, name, value));
    put(target.after, {name, value, false, by, now_ms});
  }
  for (const std::string& name : request.unset()) {
    if (find(std::as_const(target.after), name) == nullptr) {
      TRY_VOID(check_declared(manifests, name));
    }
    std::erase_if(target.after, [&](const ConfigRow& row) { return row.name == name; });
  }
  std::set<std::string> secrets;
  for (const v1::SealedValue& sealed : request.sealed()) secrets.insert(sealed.name());
  for (const v1::SealedValue& sealed : request.sealed()) {
    if (sealed.device_id() != target.device.id) continue;
    TRY_VOID(check_sealed(manifests, sealed));
    put(target.after, {sealed.name(), sealed.value(), true, by, now_ms});
    secrets.erase(sealed.name());
  }
  if (!secrets.empty()) {
    return Error{Code::bad_argument,
                 *secrets.begin() + ": is not sealed for " + target.device.name +
                     "; say it again, the devices of the selector have changed",
                 *secrets.begin()};
  }
  TRY_VOID(check_result(target.manifest, target.device, target.after));
  return newest.release() == target.manifest.release()
             ? Status()
             : check_result(newest, target.device, target.after);
}

Status Config::write(const std::string& app, const Target& target, std::int64_t rollout) {
  for (const std::string& name : changed_names(target.before, target.after)) {
    TRY_VOID(store_.remember_config(target.device.id, app, name, rollout));
    const ConfigRow* row = find(target.after, name);
    if (row == nullptr) {
      TRY_VOID(store_.unset_config(target.device.id, app, name));
    } else {
      TRY_VOID(store_.set_config(target.device.id, app, *row));
    }
  }
  return {};
}

Status Config::record(const std::string& app, const v1::ConfigChange& request, const Asker& by,
                      std::size_t devices) {
  std::set<std::string> words;
  for (const auto& [name, value] : request.set()) words.insert(name + "=" + value);
  for (const std::string& name : request.unset()) words.insert(name + " unset");
  for (const v1::SealedValue& sealed : request.sealed()) words.insert(sealed.name() + " (secret)");
  std::string what;
  for (const std::string& word : words) what += (what.empty() ? "" : ", ") + word;
  return fleet_.audit().record({by.name, "config.set", app,
                                "on " + request.selector() + ", devices: " +
                                    std::to_string(devices) + ": " + what});
}

Result<Config::Changed> Config::change(const std::string& app, const v1::ConfigChange& request,
                                       const Asker& by, std::vector<std::string>& nearest) {
  if (request.set_size() + request.unset_size() + request.sealed_size() == 0) {
    return Error{Code::bad_argument, "nothing is set: give one of set, unset, sealed", "set"};
  }
  TRY(const v1::AppManifest latest, newest(app));
  TRY(const auto devices, pushes_.select(request.selector(), by, nearest));
  Changed out;
  out.devices = static_cast<std::uint32_t>(devices.size());
  std::vector<Target> targets;
  std::vector<Wish> wishes;
  std::set<std::uint64_t> checked;
  for (const Subject& device : devices) {
    TRY(Target next, target(device, app, latest));
    TRY_VOID(apply(request, latest, by.name, checked, next));
    if (changed_names(next.before, next.after).empty()) continue;
    if (runs(next.wish)) wishes.push_back({device, *next.wish});
    targets.push_back(std::move(next));
  }
  out.changed = static_cast<std::uint32_t>(targets.size());
  if (targets.empty()) return out;
  const auto write_all = [&](std::int64_t rollout) -> Status {
    for (const Target& each : targets) TRY_VOID(write(app, each, rollout));
    return record(app, request, by, targets.size());
  };
  if (wishes.empty()) {
    Store::Transaction transaction(store_);
    TRY_VOID(write_all(0));
    TRY_VOID(transaction.commit());
    return out;
  }
  rollout::Rollout plan;
  plan.kind = v1::KIND_CONFIG;
  plan.app = app;
  plan.release = wishes.front().desired.release();
  plan.policy.set_strategy(v1::ALL);
  TRY(plan.previous_release, fleet_.wanted_release(app));
  plan.selector = request.selector();
  plan.by = by.name;
  plan.within = by.groups;
  TRY(const rollout::Rollout begun,
      fleet_.begin(std::move(plan), std::move(wishes),
                   [&](const rollout::Rollout& stored) { return write_all(stored.number); }));
  out.rollout = begun.number;
  return out;
}

Result<v1::DeviceConfig> Config::show(const Subject& device, const std::string& app) {
  TRY(const v1::AppManifest latest, newest(app));
  TRY(const Target of, target(device, app, latest));
  v1::DeviceConfig out;
  out.set_device(device.name);
  out.set_device_id(device.id);
  out.set_app(app);
  out.set_release(of.manifest.release());
  TRY(*out.mutable_sealing_key(), store_.sealing_key(device.id));
  const Vars vars(of.manifest.vars().begin(), of.manifest.vars().end());
  for (v1::ConfigValue& value : show_values(vars, device, of.before)) {
    *out.add_values() = std::move(value);
  }
  return out;
}

}  // namespace controller
