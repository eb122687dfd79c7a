#include "deploy/fleetctl/config.h"

#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "deploy/fleetctl/device_pins.h"
#include "deploy/fleetctl/follow.h"
#include "deploy/fleetctl/lists.h"
#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "ota/keys_sealing.h"
#include "proto/document.h"
#include "proto/limits.h"
#include "proto/variables.h"

namespace fleetctl {
namespace {

using fleet::v1::ConfigValue;
using proto::Code;
using proto::Error;
using Vars = std::map<std::string, fleet::v1::Var>;
using Secrets = std::map<std::string, ota::Secret>;

// What the app's releases declare, the newest word of each name.
proto::Result<Vars> declared(Api& api, const std::string& app) {
  TRY(const fleet::v1::ReleaseList releases, api.releases(app));
  std::map<std::uint64_t, const fleet::v1::Release*> by_number;
  for (const auto& release : releases.releases()) by_number[release.number()] = &release;
  Vars vars;
  for (const auto& [number, release] : by_number) {
    for (const auto& [name, var] : release->manifest().vars()) vars[name] = var;
  }
  return vars;
}

bool is_secret(const Vars& vars, const std::string& name) {
  const auto found = vars.find(name);
  return found != vars.end() && found->second.type() == fleet::v1::VAR_SECRET;
}

Error on_the_command_line(const ConfigSetOptions& options, const std::string& name) {
  return {Code::bad_argument,
          name + " is a secret: on a command line others see it, and the shell keeps it\n"
                 "be asked for it:  fleetctl config set " + options.app + " " + name + " --to " +
              options.selector + "\nor read it:       --secret-file " + name + "=FILE (- is stdin)",
          name};
}

// All of a file but its last line end: a key may have many lines.
proto::Result<ota::Secret> read_secret(const std::string& path, const std::string& name) {
  std::string text;
  if (path == "-") {
    char buffer[1024];
    while (text.size() <= proto::kMaxSecretBytes && std::cin) {
      std::cin.read(buffer, sizeof buffer);
      text.append(buffer, static_cast<std::size_t>(std::cin.gcount()));
    }
    for (char& c : buffer) c = 0;
  } else {
    auto read = read_small_file(path, proto::kMaxSecretBytes + 1);
    if (!read) return read.error().with("--secret-file " + name + "=" + path);
    text = std::move(*read);
  }
  if (text.ends_with('\n')) text.pop_back();
  ota::Secret secret(text);
  ota::wipe(text);
  return secret;
}

proto::Result<Secrets> gather_secrets(const ConfigSetOptions& options, const Vars& vars,
                                      const std::vector<std::string>& asked) {
  Secrets secrets;
  for (const std::string& text : options.secret_files) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
      return Error{Code::bad_argument, "--secret-file " + text + " is not KEY=FILE", "secret-file"};
    }
    const std::string name = text.substr(0, equals);
    TRY(secrets[name], read_secret(text.substr(equals + 1), name));
  }
  for (const std::string& name : asked) {
    TRY(secrets[name], ask_secret("Value of " + name + " (secret): "));
  }
  for (const auto& [name, secret] : secrets) {
    const auto var = vars.find(name);
    if (var == vars.end()) {
      fleet::v1::AppManifest manifest;
      manifest.mutable_vars()->insert(vars.begin(), vars.end());
      return Error{Code::bad_argument,
                   options.app + " declares no variable \"" + name + "\"" +
                       proto::near_variable(manifest, name), name};
    }
    if (var->second.type() != fleet::v1::VAR_SECRET) {
      return Error{Code::bad_argument, name + " is no secret; write " + name + "=VALUE", name};
    }
    std::string text(secret.view());
    const proto::Status good = proto::check_value(name, var->second, text);
    ota::wipe(text);
    if (!good) return good.error();
  }
  return secrets;
}

// The words of the command line, checked; names of secrets to ask for come back.
proto::Result<std::vector<std::string>> read_words(const ConfigSetOptions& options,
                                                   const Vars& vars,
                                                   fleet::v1::ConfigChange& change) {
  std::vector<std::string> asked;
  for (const std::string& word : options.words) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (options.unset) {
      if (equals != std::string::npos) {
        return Error{Code::bad_argument, word + ": unset takes names alone", name};
      }
      change.add_unset(word);
    } else if (equals == std::string::npos) {
      if (vars.count(name) == 1 && !is_secret(vars, name)) {
        return Error{Code::bad_argument, name + " has no value; write " + name + "=VALUE (" +
                                             proto::describe(vars.at(name)) + ")", name};
      }
      asked.push_back(name);
    } else if (is_secret(vars, name)) {
      return on_the_command_line(options, name);
    } else if (!change.mutable_set()->insert({name, word.substr(equals + 1)}).second) {
      return Error{Code::bad_argument, name + " is there twice", name};
    }
  }
  for (const std::string& name : asked) {
    if (vars.count(name) == 1) continue;
    fleet::v1::AppManifest manifest;
    manifest.mutable_vars()->insert(vars.begin(), vars.end());
    return Error{Code::bad_argument, options.app + " declares no variable \"" + name + "\"" +
                                         proto::near_variable(manifest, name), name};
  }
  return asked;
}

proto::Status seal_for_all(const Context& context, const ConfigSetOptions& options,
                           const fleet::v1::ConfigList& list, const Secrets& secrets,
                           fleet::v1::ConfigChange& change) {
  if (secrets.empty()) return {};
  const std::set<std::string> accepted(options.accept_keys.begin(), options.accept_keys.end());
  for (const auto& device : list.devices()) {
    TRY(const std::string key, pinned_key(context, device, accepted));
    for (const auto& [name, secret] : secrets) {
      auto& sealed = *change.add_sealed();
      sealed.set_device_id(device.device_id());
      sealed.set_name(name);
      const ota::SecretPlace place{device.device_id(), options.app, name};
      TRY(*sealed.mutable_value(), ota::seal(key, place, secret));
    }
  }
  return {};
}

// "upstream, tsig (secret)"
std::string names_of(const fleet::v1::ConfigChange& change) {
  std::set<std::string> names;
  for (const auto& [name, value] : change.set()) names.insert(name);
  for (const std::string& name : change.unset()) names.insert(name);
  for (const auto& sealed : change.sealed()) names.insert(sealed.name() + " (secret)");
  return join(std::vector<std::string>(names.begin(), names.end()), ", ");
}

void tell_begun(const Program& program, const ConfigSetOptions& options,
                const fleet::v1::ConfigChange& change, const fleet::v1::ConfigAnswer& answer,
                const std::string& url) {
  const std::string on = options.selector + " (" + count_text(answer.devices(), "device") + ")";
  program.terminal.line(std::string(options.unset ? "Unsetting " : "Setting ") +
                        visible(names_of(change)) + " of " + options.app + " on " + on + "...");
  if (answer.changed() == 0) {
    program.terminal.line("OK  nothing changes: these are their values already");
  } else if (!answer.has_rollout()) {
    program.terminal.line("OK  kept for " + count_text(answer.changed(), "device") + "; " +
                          options.app + " does not run there now and takes them when it starts");
  } else {
    program.terminal.line("Rollout " + visible(answer.rollout().id()) + "  " + url + "/rollouts/" +
                          visible(answer.rollout().id()));
  }
}

const char* source_of(const ConfigValue& value) {
  switch (value.source()) {
    case fleet::v1::VALUE_SET: return "set";
    case fleet::v1::VALUE_LABEL: return "label";
    case fleet::v1::VALUE_DEFAULT: return "default";
    default: return "-";
  }
}

std::string shown(const ConfigValue& value) {
  if (value.type() == fleet::v1::VAR_SECRET) {
    return value.source() == fleet::v1::VALUE_SET ? "(secret)" : "-";
  }
  if (value.source() == fleet::v1::VALUE_NONE) return "-";
  return value.value().empty() ? "\"\"" : visible(value.value());
}

}  // namespace

CommandResult set_config(Program& program, const ConfigSetOptions& options) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  TRY(const fleet::v1::ConfigList list, api.config(options.app, options.selector));
  if (list.devices_size() == 0) {
    TRY(const fleet::v1::DeviceList devices, api.devices(options.selector));
    return no_match(options.selector, devices, "nothing was set");
  }
  TRY(const Vars vars, declared(api, options.app));
  fleet::v1::ConfigChange change;
  change.set_selector(options.selector);
  TRY(const std::vector<std::string> asked, read_words(options, vars, change));
  TRY(const Secrets secrets, gather_secrets(options, vars, asked));
  TRY_VOID(seal_for_all(connection.context, options, list, secrets, change));
  TRY(const fleet::v1::ConfigAnswer answer, api.change_config(options.app, change));
  if (!program.json) tell_begun(program, options, change, answer, connection.context.url);
  if (options.detach || !answer.has_rollout()) {
    if (program.json) program.print_json(answer);
    return ExitCode::ok;
  }
  FollowOptions follow;
  follow.wait_ms = options.wait_ms;
  follow.require_all = options.require_all;
  return follow_rollout(program, api, answer.rollout(), follow);
}

CommandResult list_config(Program& program, const ConfigListOptions& options) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::ConfigList list, connection.api->config(options.app, options.selector));
  if (program.json) {
    program.print_json(list);
    return ExitCode::ok;
  }
  if (list.devices_size() == 0) {
    TRY(const fleet::v1::DeviceList devices, connection.api->devices(options.selector));
    return no_match(options.selector, devices, "");
  }
  Table table({"DEVICE", "RELEASE", "NAME", "VALUE", "FROM", "TYPE", "BY", ""});
  for (const auto& device : list.devices()) {
    for (const ConfigValue& value : device.values()) {
      table.add({visible(device.device()), std::to_string(device.release()), visible(value.name()),
                 shown(value), source_of(value), proto::word_of(value.type()), visible(value.by()),
                 value.problem().empty() ? "" : "! " + visible(value.problem())});
    }
  }
  if (table.empty()) {
    program.terminal.line(options.app + " declares no vars");
  } else {
    program.terminal.lines(table.lines());
  }
  return ExitCode::ok;
}

std::string values_text(const fleet::v1::DeviceConfig& config) {
  std::string out;
  for (const ConfigValue& value : config.values()) {
    out += out.empty() ? "" : ", ";
    out += visible(value.name());
    if (value.type() == fleet::v1::VAR_SECRET) {
      out += value.source() == fleet::v1::VALUE_SET ? " set (secret)" : " not set (secret)";
    } else {
      out += "=" + shown(value) + " (" + source_of(value) + ")";
    }
    if (!value.problem().empty()) out += " ! " + visible(value.problem());
  }
  return out;
}

}  // namespace fleetctl
