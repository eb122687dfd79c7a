// The rules of `vars`: each declaration, and where the manifest uses which.
#include <algorithm>
#include <map>

#include "proto/document.h"
#include "proto/limits.h"
#include "proto/manifest.h"
#include "proto/manifest_internal.h"
#include "proto/variables.h"

namespace proto {

using fleet::v1::AppManifest;
using fleet::v1::Var;

namespace {

using namespace manifest_detail;

constexpr int kMaxListed = 64;  // values of an enum

bool may_have_pattern(const Var& var) {
  return var.type() == fleet::v1::VAR_STRING || var.type() == fleet::v1::VAR_SECRET;
}

bool is_label(std::string_view name) {
  return !name.empty() && name.size() <= 63 && !name.starts_with("device.") &&
         name.find_first_of(" =,") == std::string_view::npos && is_printable(name);
}

Status check_limits(const std::string& field, const Var& var) {
  const bool is_int = var.type() == fleet::v1::VAR_INT;
  if (var.has_min() && !is_int) return broken(field + ".min", "belongs to type int");
  if (var.has_max() && !is_int) return broken(field + ".max", "belongs to type int");
  if (var.has_min() && var.has_max() && var.min() > var.max()) {
    return broken(field + ".min", "is above max");
  }
  if ((var.type() == fleet::v1::VAR_ENUM) != (var.values_size() != 0)) {
    return broken(field + ".values", "belong to type enum, which needs them");
  }
  if (var.values_size() > kMaxListed) return broken(field + ".values", "more than 64");
  if (var.max_length() != 0) {
    if (!may_have_pattern(var)) {
      return broken(field + ".max_length", "belongs to type string or secret");
    }
    const bool secret = var.type() == fleet::v1::VAR_SECRET;
    TRY_VOID(check_range(field + ".max_length", var.max_length(), 1,
                         secret ? kMaxSecretBytes : kMaxValueBytes));
  }
  if (var.pattern().empty()) return {};
  if (!may_have_pattern(var)) return broken(field + ".pattern", "belongs to type string or secret");
  if (!is_pattern(var.pattern())) {
    return broken(field + ".pattern",
                  "is no POSIX extended regular expression of at most 128 bytes whose {n} repeat "
                  "one character or [set], at most 255 times all together");
  }
  return {};
}

Error undeclared(const AppManifest& manifest, const std::string& field, const std::string& name) {
  return broken(field, "((" + name + ")) is not declared under vars" +
                           near_variable(manifest, name));
}

Status check_uses(const AppManifest& manifest, const std::string& field, std::string_view text) {
  for (const VariableUse& use : variables_in(text)) {
    const auto declared = manifest.vars().find(use.name);
    if (declared == manifest.vars().end()) return undeclared(manifest, field, use.name);
    if (declared->second.type() != fleet::v1::VAR_SECRET) continue;
    return broken(field, "((" + use.name + ")) is a secret, which everybody who may look would see "
                         "here; put it into a file with template: true");
  }
  return {};
}

// An address is one variable of a type that can only be one.
Status check_address_use(const AppManifest& manifest, const std::string& field,
                         const std::string& text, fleet::v1::VarType type) {
  TRY_VOID(check_uses(manifest, field, text));
  const auto uses = variables_in(text);
  if (uses.empty()) return {};
  const bool alone = uses.size() == 1 && uses[0].size_bytes == text.size();
  if (alone && manifest.vars().at(uses[0].name).type() == type) return {};
  return broken(field, "is one ((variable)) of type " + word_of(type) + ", and nothing else");
}

}  // namespace

Status check_declaration(const std::string& name, const Var& var) {
  const std::string field = "vars." + name;
  if (!is_name(name)) return broken(field, "a name is [a-z][a-z0-9-]{0,39}");
  if (var.type() == fleet::v1::VAR_TYPE_UNSPECIFIED) return broken(field, "has no type");
  const bool secret = var.type() == fleet::v1::VAR_SECRET;
  TRY_VOID(check_limits(field, var));
  if (!var.from().empty()) {
    constexpr std::string_view kLabel = "label:";
    if (secret) return broken(field + ".from", "a secret has none: labels can be read");
    if (!var.from().starts_with(kLabel) || !is_label(var.from().substr(kLabel.size()))) {
      return broken(field + ".from", "is label:NAME, a label that the operator gives");
    }
  }
  if (secret && !var.default_().empty()) {
    return broken(field + ".default", "a secret has none: the manifest can be read");
  }
  if (var.default_().empty()) return {};
  const Status fits = check_value(name, var, var.default_());
  if (fits) return {};
  return broken(field + ".default", fits.error().what.substr(name.size() + 2));
}

std::string near_variable(const AppManifest& manifest, std::string_view name) {
  std::vector<std::string> names;
  for (const auto& [known, var] : manifest.vars()) names.push_back(known);
  std::sort(names.begin(), names.end());
  if (names.empty()) return "; it declares none";
  const std::string near = nearest_word(name, names);
  if (!near.empty()) return "; nearest: " + near;
  std::string list;
  for (const std::string& known : names) list += (list.empty() ? "" : ", ") + known;
  return "; it declares " + list;
}

Result<AppManifest> with_values(const AppManifest& manifest, const Values& values) {
  AppManifest out = manifest;
  for (std::string& arg : *out.mutable_args()) {
    TRY(arg, fill(arg, values));
  }
  for (auto& [name, value] : *out.mutable_env()) {
    TRY(value, fill(value, values));
  }
  TRY(*out.mutable_hostname(), fill(out.hostname(), values));
  for (auto& interface : *out.mutable_network()) {
    TRY(*interface.mutable_address(), fill(interface.address(), values));
    TRY(*interface.mutable_gateway(), fill(interface.gateway(), values));
    TRY(*interface.mutable_address6(), fill(interface.address6(), values));
    TRY(*interface.mutable_gateway6(), fill(interface.gateway6(), values));
    for (std::string& server : *interface.mutable_dns()) {
      TRY(server, fill(server, values));
    }
  }
  TRY_VOID(check_manifest(out, ManifestStage::complete));
  return out;
}

Status check_template(const AppManifest& manifest, std::string_view text) {
  for (const VariableUse& use : variables_in(text)) {
    if (manifest.vars().count(use.name) == 1) continue;
    const auto line = 1 + std::count(text.begin(), text.begin() +
                                     static_cast<std::ptrdiff_t>(use.offset), '\n');
    return undeclared(manifest, "line " + std::to_string(line), use.name);
  }
  return {};
}

namespace manifest_detail {

Status check_vars(const AppManifest& manifest) {
  if (manifest.vars_size() > kMaxVars) return broken("vars", "more than 64");
  const std::map<std::string, Var> by_name(manifest.vars().begin(), manifest.vars().end());
  for (const auto& [name, var] : by_name) TRY_VOID(check_declaration(name, var));
  for (int i = 0; i < manifest.args_size(); ++i) {
    TRY_VOID(check_uses(manifest, indexed("args", i), manifest.args(i)));
  }
  for (const auto& [name, value] : manifest.env()) {
    TRY_VOID(check_uses(manifest, "env." + name, value));
  }
  TRY_VOID(check_uses(manifest, "hostname", manifest.hostname()));
  for (int i = 0; i < manifest.network_size(); ++i) {
    const auto& interface = manifest.network(i);
    const std::string field = indexed("network", i);
    TRY_VOID(check_address_use(manifest, field + ".address", interface.address(),
                               fleet::v1::VAR_CIDR));
    TRY_VOID(check_address_use(manifest, field + ".gateway", interface.gateway(),
                               fleet::v1::VAR_IPV4));
    const std::string& address6 = interface.address6();
    TRY_VOID(check_address_use(manifest, field + ".address6",
                               address6.substr(0, address6.rfind('/')), fleet::v1::VAR_IPV6));
    TRY_VOID(check_address_use(manifest, field + ".gateway6", interface.gateway6(),
                               fleet::v1::VAR_IPV6));
    for (int j = 0; j < interface.dns_size(); ++j) {
      TRY_VOID(check_address_use(manifest, indexed(field + ".dns", j), interface.dns(j),
                                 fleet::v1::VAR_IPV4));
    }
  }
  return {};
}

}  // namespace manifest_detail

}  // namespace proto
