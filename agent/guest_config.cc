#include "agent/guest_config.h"

#include <charconv>
#include <optional>
#include <span>
#include <vector>

#include "ota/hash.h"
#include "proto/limits.h"
#include "proto/variables.h"

namespace agent {
namespace {

using fleet::v1::AppManifest;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr char kSealedMark = '*';  // before the name of a sealed value, which no name begins with

Error bad_value(const std::string& name, const std::string& why) {
  return Error{Code::bad_argument, "variable " + name + ": " + why, name};
}

// What a person does about a variable that has no value.
Error missing_value(const AppManifest& manifest, const std::string& name,
                    const fleet::v1::Var& var) {
  const bool secret = var.type() == fleet::v1::VAR_SECRET;
  std::string way = "fleetctl config set " + manifest.name() + " " + name;
  if (!secret) way += "=VALUE";
  if (!var.from().empty()) {
    way += ", or give the device the label " + var.from().substr(var.from().find(':') + 1);
  }
  return bad_value(name, "it has no value and the release needs one (" + proto::describe(var) +
                             "): " + way);
}

Result<std::string> open_sealed(const AppManifest& manifest, const std::string& name,
                                const std::string& hex, const Secrets* secrets) {
  if (secrets == nullptr) return bad_value(name, "this agent has no key to open secrets with");
  auto sealed = ota::from_hex(hex);
  if (!sealed) return bad_value(name, "what is stored of it is damaged; set it again");
  const std::string bytes(sealed->begin(), sealed->end());
  const auto opened = secrets->open(manifest.name(), name, bytes);
  if (!opened) return opened.error();
  return std::string(opened->view());
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
  const auto place = static_cast<std::uint32_t>(index);
  out.mac = mac_for(start.instance_id, place);
  if (!from.mac().empty()) {
    TRY(out.mac, launcher::parse_mac(from.mac()));
  }
  TRY(out.dns, name_servers(from));
  if (!from.address6().empty()) {
    TRY(out.address6, launcher::parse_ipv6(from.address6().substr(0, from.address6().find('/'))));
  }
  if (!from.gateway6().empty()) {
    TRY(out.gateway6, launcher::parse_ipv6(from.gateway6()));
  }
  if (from.address() == "none") return out;
  if (from.address() == "dhcp") {
    out.dhcp = true;
    // One that asks is known by its MAC: the same for every release, and one holds it at a time.
    if (from.mac().empty()) out.mac = mac_for(start.device_id + "/" + manifest.name(), place);
    return out;
  }
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

Values values_of(const fleet::v1::DesiredApp& wish) {
  Values out(wish.overrides().begin(), wish.overrides().end());
  for (const auto& [name, sealed] : wish.sealed()) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(sealed.data());
    out[kSealedMark + name] = ota::to_hex(std::span(bytes, sealed.size()));
  }
  return out;
}

Result<Values> variable_values(const AppManifest& manifest, const Values& overrides,
                               const Secrets* secrets) {
  Values out;
  for (const auto& [mark, text] : overrides) {
    const bool sealed = mark.starts_with(kSealedMark);
    const std::string name = sealed ? mark.substr(1) : mark;
    const auto declared = manifest.vars().find(name);
    if (declared == manifest.vars().end()) {
      return bad_value(name, "the signed manifest does not declare it");
    }
    if (sealed != (declared->second.type() == fleet::v1::VAR_SECRET)) {
      return bad_value(name, sealed ? "it is no secret" : "it is a secret, and came unsealed");
    }
    std::string value = text;
    if (sealed) {
      TRY(value, open_sealed(manifest, name, text, secrets));
    }
    const Status good = proto::check_value(name, declared->second, value);
    if (!good) return good.error().with("variable");
    out[name] = std::move(value);
  }
  for (const auto& [name, var] : manifest.vars()) {
    if (out.count(name) == 1) continue;
    if (var.required() && var.default_().empty()) return missing_value(manifest, name, var);
    out[name] = var.default_();
  }
  return out;
}

Result<AppManifest> configured(const AppManifest& manifest, const Values& values) {
  Values open;
  for (const auto& [name, value] : values) {
    const auto declared = manifest.vars().find(name);
    const bool secret = declared != manifest.vars().end() &&
                        declared->second.type() == fleet::v1::VAR_SECRET;
    if (!secret) open[name] = value;
  }
  return proto::with_values(manifest, open);
}

Result<monitors::GuestConfig> guest_config(const AppManifest& signed_manifest,
                                           const Values& values, const StartFacts& start) {
  TRY(const AppManifest manifest, configured(signed_manifest, values));
  monitors::GuestConfig config;
  config.hostname = manifest.hostname().empty() ? manifest.name() : manifest.hostname();
  config.args.assign(manifest.args().begin(), manifest.args().end());
  config.env.insert(manifest.env().begin(), manifest.env().end());
  std::size_t filled_bytes = 0;
  for (const fleet::v1::File& file : manifest.files()) {
    const auto bytes = start.files.find(file.path());
    FLEET_ASSERT(bytes != start.files.end());
    if (!file.template_()) {
      config.files[file.path()] = bytes->second;
      continue;
    }
    auto filled = proto::fill(bytes->second, values);
    if (!filled) return filled.error().with(file.path());
    filled_bytes += filled->size();
    if (filled_bytes > proto::kMaxFilesBytes) {
      return Error{Code::bad_manifest, "files are larger than 4M together with their values", ""};
    }
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
