#include "deploy/fleetctl/config_check.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "images/dns/options.h"
#include "images/dns/zone_parser.h"
#include "images/firewall/interface_uses.h"
#include "images/firewall/options.h"
#include "images/firewall/rule_parser.h"
#include "images/runtime/arena.h"
#include "images/sensor/settings.h"
#include "proto/limits.h"
#include "proto/manifest.h"
#include "proto/variables.h"

namespace fleetctl {
namespace {

using fleet::v1::AppManifest;
using proto::Code;
using proto::Error;
using proto::LoadedFile;
using proto::Result;
using proto::Status;

// More than any device gives these readers; what it has too little of it says itself.
constexpr std::size_t kMemoryBytes = 64 * proto::kMiB;

struct Text {
  const LoadedFile* file;
  std::string text;
};

/// What the guest would be given.
struct Config {
  const AppManifest& manifest;
  std::vector<Text> texts;
  std::vector<std::string> args;

  const Text* find(std::string_view path) const {
    const auto found = std::find_if(texts.begin(), texts.end(),
                                    [path](const Text& one) { return one.file->path == path; });
    return found == texts.end() ? nullptr : &*found;
  }
  std::vector<std::string_view> arguments() const { return {args.begin(), args.end()}; }
};

class Memory {
 public:
  images::runtime::Arena arena() { return images::runtime::Arena({bytes_.get(), kMemoryBytes}); }

 private:
  std::unique_ptr<std::uint8_t[]> bytes_ =
      std::make_unique_for_overwrite<std::uint8_t[]>(kMemoryBytes);
};

// A value that any device could have. nullopt: its text could be anything.
std::optional<std::string> sample_of(const fleet::v1::Var& var) {
  if (!var.default_().empty()) return var.default_();
  if (var.values_size() > 0) return var.values(0);
  if (var.has_min()) return std::to_string(var.min());
  switch (var.type()) {
    case fleet::v1::VAR_BOOL: return "true";
    case fleet::v1::VAR_IPV4: return "192.0.2.1";
    case fleet::v1::VAR_IPV6: return "2001:db8::1";
    case fleet::v1::VAR_HOSTNAME: return "host.example.test";
    case fleet::v1::VAR_CIDR: return "192.0.2.0/24";
    default: return std::nullopt;
  }
}

std::optional<std::string> filled(const AppManifest& manifest, const std::string& text) {
  proto::Values values;
  for (const proto::VariableUse& use : proto::variables_in(text)) {
    const auto var = manifest.vars().find(use.name);
    const auto value = var == manifest.vars().end() ? std::nullopt : sample_of(var->second);
    if (!value) return std::nullopt;
    values[use.name] = *value;
  }
  auto out = proto::fill(text, values);
  return out ? std::optional(std::move(*out)) : std::nullopt;
}

template <typename Fault>
Error fault_in(const Text& text, const Fault& fault) {
  const bool is_file = text.file->is_file;
  std::string what = text.file->place;
  if (fault.line != 0) what += (is_file ? ":" : ": line ") + std::to_string(fault.line);
  what += ": " + std::string(fault.what);
  if (!fault.word.empty()) what += ": " + std::string(fault.word);
  return Error{Code::bad_manifest, what, text.file->path};
}

Error bad_argument(std::string_view argument, const char* what) {
  return Error{Code::bad_manifest, "args: " + std::string(argument) + ": " + what, "args"};
}

Error missing(const std::string& what) { return Error{Code::bad_manifest, "files: " + what, ""}; }

Result<ConfigFacts> check_dns(const Config& config) {
  namespace dns = images::dns;
  dns::Options options;
  const auto arguments = config.arguments();
  const dns::OptionFault of_arguments = dns::read_arguments(arguments, options);
  if (of_arguments.failed()) return bad_argument(of_arguments.word, of_arguments.what);
  if (const Text* text = config.find(dns::kOptionsPath)) {
    const dns::OptionFault fault = dns::read_options_file(text->text, options);
    if (fault.failed()) return fault_in(*text, fault);
  }
  Memory memory;
  for (const Text& text : config.texts) {
    const std::string_view origin = dns::zone_of_path(text.file->path);
    if (origin.empty()) continue;
    images::runtime::Arena arena = memory.arena();
    dns::Zone zone;
    const dns::ZoneFault fault = dns::parse_zone(text.text, origin, arena, zone);
    if (fault.failed()) return fault_in(text, fault);
  }
  return ConfigFacts{};
}

std::string flows_text(std::uint32_t adopt_seconds, bool translates) {
  if (adopt_seconds == 0) return "open connections end; args: [--adopt=60] keeps those of TCP";
  const std::string adopt = "open TCP connections live on (--adopt=" +
                            std::to_string(adopt_seconds) + ")";
  return adopt + (translates ? ", but those whose addresses the rules translate end" : "");
}

Result<ConfigFacts> check_firewall(const Config& config) {
  namespace firewall = images::firewall;
  firewall::Options options;
  std::string_view bad;
  const auto arguments = config.arguments();
  if (const char* what = firewall::parse_options(arguments, options, bad)) {
    return bad_argument(bad, what);
  }
  std::array<firewall::InterfaceShape, firewall::kMaxRouterPorts> shapes;
  const auto count = static_cast<std::size_t>(config.manifest.network_size());
  if (count > shapes.size()) return ConfigFacts{};  // the device says how many it may have
  for (std::size_t i = 0; i < count; ++i) {
    const fleet::v1::Interface& one = config.manifest.network(static_cast<int>(i));
    shapes[i] = {true, !proto::is_frame_port(one), one.name()};
  }
  const firewall::InterfaceUses uses = firewall::find_uses(std::span(shapes).first(count));
  if (!uses.is_possible()) {
    return Error{Code::bad_manifest,
                 "network: as a firewall " + std::string(firewall::kImpossible) +
                     std::to_string(uses.bare) + " and " + std::to_string(uses.routable),
                 "network"};
  }
  const Text* text = config.find(firewall::kRulesPath);
  if (text == nullptr) return ConfigFacts{};
  Memory memory;
  images::runtime::Arena arena = memory.arena();
  firewall::RuleSet rules;
  const auto fault = firewall::parse_rules(text->text, uses.rule_ports(), arena, rules);
  if (fault.failed()) return fault_in(*text, fault);
  return ConfigFacts{flows_text(options.adopt_seconds, !rules.targets.empty())};
}

Result<ConfigFacts> check_sensor(const Config& config) {
  namespace sensor = images::sensor;
  const Text* text = config.find(sensor::kSettingsPath);
  if (text == nullptr) return ConfigFacts{};
  sensor::Settings settings;
  const auto fault = sensor::parse_settings(text->text, config.manifest.hostname(), settings);
  if (fault.failed()) return fault_in(*text, fault);
  return ConfigFacts{};
}

struct Language {
  std::string_view name;
  Result<ConfigFacts> (*check)(const Config& config);
  std::string_view needs;  // a file without which it does not start
};
constexpr Language kLanguages[] = {
    {"dns/1", check_dns, ""},
    {"firewall/1", check_firewall, images::firewall::kRulesPath},
    {"sensor/1", check_sensor, images::sensor::kSettingsPath},
};

}  // namespace

Result<ConfigFacts> check_config(const std::string& language, const AppManifest& manifest,
                                 const std::vector<LoadedFile>& files) {
  const auto* found = std::find_if(std::begin(kLanguages), std::end(kLanguages),
                                   [&](const Language& one) { return one.name == language; });
  if (found == std::end(kLanguages)) return ConfigFacts{};
  const bool is_there = found->needs.empty() ||
                        std::any_of(files.begin(), files.end(), [&](const LoadedFile& file) {
                          return file.path == found->needs;
                        });
  if (!is_there) return missing("none is " + std::string(found->needs) + ", which the image needs");
  Config config{manifest, {}, {}};
  for (const LoadedFile& file : files) {
    auto text = file.is_template ? filled(manifest, file.bytes) : file.bytes;
    if (text) config.texts.push_back({&file, std::move(*text)});
  }
  for (const std::string& arg : manifest.args()) {
    if (auto text = filled(manifest, arg)) config.args.push_back(std::move(*text));
  }
  return found->check(config);
}

}  // namespace fleetctl
