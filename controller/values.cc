#include "controller/values.h"

#include <algorithm>
#include <set>

#include "controller/metadata.h"
#include "proto/variables.h"

namespace controller {
namespace {

constexpr std::string_view kLabel = "label:";

const ConfigRow* find(const std::vector<ConfigRow>& set, const std::string& name) {
  const auto found = std::find_if(set.begin(), set.end(),
                                  [&](const ConfigRow& row) { return row.name == name; });
  return found == set.end() ? nullptr : &*found;
}

const std::string* label_of(const v1::Var& var, const Subject& device) {
  if (!var.from().starts_with(kLabel)) return nullptr;
  const auto found = device.labels.find(var.from().substr(kLabel.size()));
  return found == device.labels.end() ? nullptr : &found->second;
}

bool is_secret(const v1::Var& var) { return var.type() == v1::VAR_SECRET; }

v1::ConfigValue show(const std::string& name, const v1::Var& var, const Subject& device,
                     const ConfigRow* row) {
  v1::ConfigValue out;
  out.set_name(name);
  out.set_type(var.type());
  const std::string* label = label_of(var, device);
  if (row != nullptr) {
    out.set_source(v1::VALUE_SET);
    out.set_by(row->by);
    out.set_set_ms(static_cast<std::uint64_t>(row->set_ms));
    if (!row->sealed) out.set_value(row->value);
    if (row->sealed != is_secret(var)) out.set_problem("is of another type now; set it again");
  } else if (label != nullptr) {
    out.set_source(v1::VALUE_LABEL);
    out.set_value(*label);
  } else if (var.required() && var.default_().empty()) {
    out.set_problem("has no value, and the release needs one");
  } else if (!is_secret(var)) {
    out.set_source(v1::VALUE_DEFAULT);
    out.set_value(var.default_());
  }
  const bool given = out.source() == v1::VALUE_SET || out.source() == v1::VALUE_LABEL;
  if (given && out.problem().empty() && !is_secret(var)) {
    const Status fits = proto::check_value(name, var, out.value());
    if (!fits) out.set_problem(fits.error().what.substr(name.size() + 2));
  }
  return out;
}

}  // namespace

Result<const Vars*> DeclaredVars::of(const std::string& app, std::uint64_t release) {
  const auto key = std::pair(app, release);
  const auto found = known_.find(key);
  if (found != known_.end()) return &found->second;
  TRY(const auto row, store_.release(app, static_cast<std::int64_t>(release)));
  if (row) {
    return &known_.emplace(key, Vars(row->manifest.vars().begin(), row->manifest.vars().end()))
                .first->second;
  }
  static const Vars kNone;
  if (release == 0) return &kNone;
  TRY(const auto newest, newest_manifest(store_, app));
  if (!newest) return &kNone;
  guessed_ = Vars(newest->vars().begin(), newest->vars().end());
  return &guessed_;
}

Result<std::optional<v1::AppManifest>> newest_manifest(Store& store, const std::string& app) {
  TRY(auto releases, store.releases(app));
  for (ReleaseRow& release : releases) {
    TRY(const bool yanked, is_yanked(store, app, static_cast<std::uint64_t>(release.number)));
    if (!yanked) return std::optional(std::move(release.manifest));
  }
  return std::optional<v1::AppManifest>();
}

void put_values(const Vars& vars, const Subject& device, const std::vector<ConfigRow>& set,
                v1::DesiredApp& desired) {
  desired.clear_overrides();
  desired.clear_sealed();
  desired.clear_keep_values();
  for (const auto& [name, var] : vars) {
    const ConfigRow* row = find(set, name);
    if (row != nullptr && row->sealed) {
      (*desired.mutable_sealed())[name] = row->value;
    } else if (row != nullptr) {
      (*desired.mutable_overrides())[name] = row->value;
    } else if (const std::string* label = label_of(var, device)) {
      (*desired.mutable_overrides())[name] = *label;
    }
  }
}

std::vector<v1::ConfigValue> show_values(const Vars& vars, const Subject& device,
                                         const std::vector<ConfigRow>& set) {
  std::map<std::string, v1::ConfigValue> out;
  for (const auto& [name, var] : vars) out[name] = show(name, var, device, find(set, name));
  for (const ConfigRow& row : set) {
    if (vars.count(row.name) == 1) continue;
    v1::Var unknown;
    if (row.sealed) unknown.set_type(v1::VAR_SECRET);
    v1::ConfigValue& value = out[row.name];
    value = show(row.name, unknown, device, &row);
    value.set_problem("is not declared by the release that is wanted here");
  }
  std::vector<v1::ConfigValue> values;
  for (auto& [name, value] : out) values.push_back(std::move(value));
  return values;
}

std::size_t size_of(const v1::DesiredApp& desired) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : desired.overrides()) bytes += name.size() + value.size();
  for (const auto& [name, value] : desired.sealed()) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace controller
