#include "agent/guest_config.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <regex>
#include <vector>

namespace agent {
namespace {

using fleet::v1::AppManifest;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

Error bad_value(const std::string& name, const std::string& why) {
  return Error{Code::bad_argument, "variable " + name + ": " + why, name};
}

bool is_hostname(const std::string& value) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.';
  };
  return !value.empty() && value.size() <= 253 && std::all_of(value.begin(), value.end(), good);
}

Status check_int(const std::string& name, const fleet::v1::Var& var, const std::string& value) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    return bad_value(name, "\"" + value + "\" is no whole number");
  }
  const bool bounded = var.min() != 0 || var.max() != 0;
  if (bounded && (number < var.min() || number > var.max())) {
    return bad_value(name, value + " is outside " + std::to_string(var.min()) + ".." +
                               std::to_string(var.max()));
  }
  return {};
}

// Types and ranges are part of what was signed; the controller may be broken (DESIGN 4).
Status check_value(const std::string& name, const fleet::v1::Var& var, const std::string& value) {
  if (var.max_length() > 0 && value.size() > var.max_length()) {
    return bad_value(name, "longer than " + std::to_string(var.max_length()) + " characters");
  }
  const bool listed = std::find(var.values().begin(), var.values().end(), value) !=
                      var.values().end();
  if (!var.values().empty() && !listed) return bad_value(name, "not one of its `values`");
  switch (var.type()) {
    case fleet::v1::VAR_INT: return check_int(name, var, value);
    case fleet::v1::VAR_BOOL:
      return value == "true" || value == "false" ? Status() : bad_value(name, "no true or false");
    case fleet::v1::VAR_IPV4:
      return launcher::parse_ipv4(value) ? Status() : bad_value(name, "no IPv4 address");
    case fleet::v1::VAR_CIDR:
      return launcher::parse_subnet(value) ? Status() : bad_value(name, "no network A.B.C.D/N");
    case fleet::v1::VAR_HOSTNAME:
      return is_hostname(value) ? Status() : bad_value(name, "no host name");
    case fleet::v1::VAR_STRING:
    case fleet::v1::VAR_ENUM: break;
    default: return bad_value(name, "its type is not supported yet");
  }
  if (value.find('\n') != std::string::npos || value.find('\0') != std::string::npos) {
    return bad_value(name, "holds a line end");
  }
  // The pattern comes from the operator's signature; the length bounds what it costs.
  if (!var.pattern().empty()) {
    try {
      if (!std::regex_match(value, std::regex(var.pattern(), std::regex::extended))) {
        return bad_value(name, "does not match " + var.pattern());
      }
    } catch (const std::regex_error&) {
      return bad_value(name, "its pattern cannot be read");
    }
  }
  return {};
}

Result<std::vector<Ipv4>> name_servers(const fleet::v1::Interface& interface) {
  std::vector<Ipv4> out;
  for (const std::string& text : interface.dns()) {
    TRY(const Ipv4 server, launcher::parse_ipv4(text));
    out.push_back(server);
  }
  return out;
}

Result<monitors::GuestInterface> guest_interface(const AppManifest& manifest, int index,
                                                 const StartFacts& start) {
  const fleet::v1::Interface& from = manifest.network(index);
  monitors::GuestInterface out;
  out.name = from.name();
  out.bridge = from.bridge();
  out.promiscuous = from.promiscuous();
  out.mac = mac_for(start.instance_id, static_cast<std::uint32_t>(index));
  if (!from.mac().empty()) {
    TRY(out.mac, launcher::parse_mac(from.mac()));
  }
  TRY(out.dns, name_servers(from));
  if (from.address() == "none") return out;
  if (from.address() == "auto" || from.address().empty()) {
    out.address = start.address;
    out.gateway = start.gateway;
    out.prefix = start.prefix;
    out.mtu = start.mtu;
    return out;
  }
  const std::size_t slash = from.address().find('/');
  TRY(out.address, launcher::parse_ipv4(from.address().substr(0, slash)));
  if (slash != std::string::npos) {
    const std::string length = from.address().substr(slash + 1);
    std::from_chars(length.data(), length.data() + length.size(), out.prefix);
  }
  if (!from.gateway().empty()) {
    TRY(out.gateway, launcher::parse_ipv4(from.gateway()));
  }
  return out;
}

}  // namespace

std::string write_overrides(const Values& overrides) {
  std::string out;
  for (const auto& [name, value] : overrides) {
    out += std::to_string(name.size()) + ":" + name + std::to_string(value.size()) + ":" + value;
  }
  return out;
}

Result<Values> read_overrides(std::string_view text) {
  Values out;
  std::vector<std::string> parts;
  while (!text.empty()) {
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || digits >= text.size() || text[digits] != ':' ||
        text.size() - digits - 1 < size) {
      return Error{Code::bad_argument, "stored overrides cannot be read", ""};
    }
    parts.emplace_back(text.substr(digits + 1, size));
    text = text.substr(digits + 1 + size);
  }
  if (parts.size() % 2 != 0) {
    return Error{Code::bad_argument, "stored overrides cannot be read", ""};
  }
  for (std::size_t i = 0; i < parts.size(); i += 2) out[parts[i]] = parts[i + 1];
  return out;
}

Result<Values> variable_values(const AppManifest& manifest, const Values& overrides) {
  Values out;
  for (const auto& [name, value] : overrides) {
    const auto declared = manifest.vars().find(name);
    if (declared == manifest.vars().end()) {
      return bad_value(name, "the signed manifest does not declare it");
    }
    TRY_VOID(check_value(name, declared->second, value));
    out[name] = value;
  }
  for (const auto& [name, var] : manifest.vars()) {
    if (out.count(name) == 1) continue;
    if (var.required() && var.default_().empty()) return bad_value(name, "required, has no value");
    out[name] = var.default_();
  }
  return out;
}

Result<std::string> fill(std::string_view text, const Values& values) {
  std::string out;
  while (true) {
    const std::size_t open = text.find("((");
    if (open == std::string_view::npos) return out + std::string(text);
    const std::size_t close = text.find("))", open);
    if (close == std::string_view::npos) return out + std::string(text);
    const std::string name(text.substr(open + 2, close - open - 2));
    const auto value = values.find(name);
    if (value == values.end()) {
      return Error{Code::bad_manifest, "((" + name + ")) is not declared under vars", name};
    }
    out += std::string(text.substr(0, open)) + value->second;
    text = text.substr(close + 2);
  }
}

Result<monitors::GuestConfig> guest_config(const AppManifest& manifest, const Values& overrides,
                                           const StartFacts& start) {
  TRY(const Values values, variable_values(manifest, overrides));
  monitors::GuestConfig config;
  TRY(config.hostname, fill(manifest.hostname(), values));
  if (config.hostname.empty()) config.hostname = manifest.name();
  for (const std::string& arg : manifest.args()) {
    TRY(std::string filled, fill(arg, values));
    config.args.push_back(std::move(filled));
  }
  for (const auto& [name, value] : manifest.env()) {
    TRY(config.env[name], fill(value, values));
  }
  for (const fleet::v1::File& file : manifest.files()) {
    const auto bytes = start.files.find(file.path());
    FLEET_ASSERT(bytes != start.files.end());
    if (!file.template_()) {
      config.files[file.path()] = bytes->second;
      continue;
    }
    auto filled = fill(bytes->second, values);
    if (!filled) return filled.error().with(file.path());
    config.files[file.path()] = std::move(*filled);
  }
  for (int i = 0; i < manifest.network_size(); ++i) {
    TRY(monitors::GuestInterface interface, guest_interface(manifest, i, start));
    config.interfaces.push_back(std::move(interface));
  }
  for (int i = 0; i < manifest.devices_size(); ++i) {
    monitors::GuestInterface line;
    line.name = manifest.devices(i).name();
    line.serial = manifest.devices(i).host();
    line.mac = mac_for(start.instance_id, static_cast<std::uint32_t>(manifest.network_size() + i));
    config.interfaces.push_back(std::move(line));
  }
  config.seed = start.seed;
  return config;
}

Result<std::optional<std::vector<EgressRule>>> egress_rules(const AppManifest& manifest) {
  if (manifest.network().empty() || manifest.network(0).egress().any() ||
      !manifest.network(0).has_egress()) {
    return std::optional<std::vector<EgressRule>>();
  }
  std::vector<EgressRule> rules;
  for (const std::string& text : manifest.network(0).egress().allow()) {
    TRY(const EgressRule rule, parse_egress(text));
    rules.push_back(rule);
  }
  return std::optional<std::vector<EgressRule>>(std::move(rules));
}

}  // namespace agent
