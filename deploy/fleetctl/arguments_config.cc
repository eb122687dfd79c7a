// The commands about values of variables.
#include "deploy/fleetctl/arguments_parts.h"
#include "deploy/fleetctl/config.h"

namespace fleetctl {
namespace {

void add_change(CLI::App* command, ConfigSetOptions& options) {
  command->add_option("--to", options.selector, "Devices: edge | site=lyon | edge-1 | all")
      ->required();
  add_follow(command, options.wait_ms, options.detach, options.require_all);
}

}  // namespace

void add_config_commands(CLI::App& app, Chosen& chosen, Keep& keep) {
  CLI::App* config = app.add_subcommand("config", "Values of an app's variables, per device");
  config->footer(
      "What an app lets differ per device stands under `vars` in its signed manifest. A device's\n"
      "value is what was set here, else the label that `from` names, else the default. A label\n"
      "that changes counts from the next push, start or config set of the app on.\n"
      "\nExample:\n  fleetctl config list dns --to site=lyon");

  auto& options = keep_options<ConfigSetOptions>(keep);
  CLI::App* set = config->add_subcommand(
      "set", "Set values on all these devices, or on none; the app starts anew with them");
  set->add_option("APP", options.app, "The app")->required();
  set->add_option("VALUES", options.words,
                  "KEY=VALUE (KEY= is the empty text); KEY alone is a secret, which is asked for");
  set->add_option("--secret-file", options.secret_files,
                  "KEY=FILE: a secret from a file, - is stdin; may be repeated")
      ->allow_extra_args(false);
  set->add_option("--accept-key", options.accept_keys,
                  "A device that shows another key than this machine first saw; may be repeated")
      ->allow_extra_args(false);
  add_change(set, options);
  set->footer(
      "Each device tries the app with the new values in its other slot and keeps them when it is\n"
      "healthy; else it runs on with the values of before, which are its values again (exit 3).\n"
      "The release that the other slot held before cannot be gone back to from then on.\n"
      "A release's variables are known from its push on: fleetctl push --stage makes them known\n"
      "before anything starts.\n"
      "\nExample:\n  fleetctl config set dns upstream=192.0.2.9 --to site=lyon\n"
      "  fleetctl config set dns --secret-file tsig=tsig.key --to edge");
  runs(set, chosen, [&options](Program& program) { return set_config(program, options); });

  auto& away = keep_options<ConfigSetOptions>(keep);
  away.unset = true;
  CLI::App* unset = config->add_subcommand("unset", "Back to the label or the default");
  unset->add_option("APP", away.app, "The app")->required();
  unset->add_option("KEYS", away.words, "Names of variables, secrets too")->required();
  add_change(unset, away);
  example(unset, "fleetctl config unset dns upstream --to edge-1");
  runs(unset, chosen, [&away](Program& program) { return set_config(program, away); });

  auto& look = keep_options<ConfigListOptions>(keep);
  CLI::App* list =
      config->add_subcommand("list", "What the values are; secrets only as set or not");
  list->add_option("APP", look.app, "The app")->required();
  list->add_option("--to", look.selector, "Devices (all)");
  example(list, "fleetctl config list dns --to edge\n  fleetctl config list dns --json");
  runs(list, chosen, [&look](Program& program) { return list_config(program, look); });
}

}  // namespace fleetctl
