#include "deploy/fleetctl/arguments_parts.h"
#include "deploy/fleetctl/complete.h"
#include "deploy/fleetctl/completion.h"
#include "deploy/fleetctl/flights.h"
#include "deploy/fleetctl/inspect_command.h"
#include "deploy/fleetctl/keys.h"
#include "deploy/fleetctl/lists.h"
#include "deploy/fleetctl/login.h"
#include "deploy/fleetctl/logs.h"
#include "deploy/fleetctl/orders.h"
#include "deploy/fleetctl/push.h"
#include "deploy/fleetctl/schema.h"
#include "deploy/fleetctl/yank.h"
#include "proto/units.h"

namespace fleetctl {

void runs(CLI::App* command, Chosen& chosen, std::function<CommandResult(Program&)> run) {
  std::string name = command->get_name();
  for (const CLI::App* parent = command->get_parent();
       parent != nullptr && parent->get_parent() != nullptr; parent = parent->get_parent()) {
    name = parent->get_name() + " " + name;
  }
  command->callback([command, name, &chosen, run = std::move(run)] {
    // The words behind it named a command of its own, which was chosen before.
    if (!command->get_subcommands().empty()) return;
    chosen.command = name;
    chosen.run = run;
  });
}

void example(CLI::App* command, const std::string& lines) {
  command->footer("Example:\n  " + lines);
}

CLI::Option* add_duration(CLI::App* command, const std::string& flag, std::uint64_t& into_ms,
                          const std::string& help) {
  return command
      ->add_option_function<std::string>(
          flag,
          [&into_ms, flag](const std::string& text) {
            const auto parsed = proto::parse_duration_ms(text);
            if (!parsed) throw CLI::ValidationError(flag, parsed.error().what);
            into_ms = *parsed;
          },
          help + " (" + proto::format_duration_ms(into_ms) + ")")
      ->type_name("TIME");
}

void add_follow(CLI::App* command, std::uint64_t& wait_ms, bool& detach, bool& require_all) {
  add_duration(command, "--wait", wait_ms, "How long to follow; then exit 5, the rollout goes on");
  command->add_flag("--detach", detach, "Do not follow");
  command->add_flag("--require-all", require_all, "Exit 3 if any device is not healthy");
}

namespace {

void add_order(CLI::App& app, Chosen& chosen, Keep& keep, const char* word,
               fleet::v1::OrderKind kind, const char* help) {
  auto& options = keep_options<OrderOptions>(keep);
  options.kind = kind;
  CLI::App* command = app.add_subcommand(word, help);
  command->add_option("APP", options.app, "The app")->required();
  command->add_option("--to", options.selector, "Devices: edge | site=lyon | edge-1 | all")
      ->required();
  add_follow(command, options.wait_ms, options.detach, options.require_all);
  example(command, std::string("fleetctl ") + word + " dns --to site=lyon");
  runs(command, chosen, [&options](Program& program) { return give_order(program, options); });
}

void add_out(CLI::App* command, KeysOptions& options) {
  command->add_option("-o,--out", options.out,
                      "File for a root that others must sign too (default root-N.json)");
}

// rotate, revoke and the signing of a root by several people.
void add_key_changes(CLI::App& keys, Chosen& chosen, KeysOptions& options,
                     const std::function<void(CLI::App*)>& add_passphrase) {
  CLI::App* rotate =
      keys.add_subcommand("rotate", "New keys in the place of others; snapshot and timestamp are "
                                    "the controller's, of root and targets those on this machine");
  rotate->add_option("ROLE", options.roles, "root | targets | snapshot | timestamp | apps/NAME")
      ->required();
  rotate->add_option("--second-copy", options.second_copy, "Folder for a second copy");
  add_passphrase(rotate);
  add_out(rotate, options);
  example(rotate, "fleetctl keys rotate targets --second-copy /media/usb/unifleet-keys\n"
                  "  fleetctl keys rotate apps/dns --second-copy /media/usb/unifleet-keys\n"
                  "  fleetctl keys rotate snapshot timestamp");
  runs(rotate, chosen, [&options](Program& program) { return keys_rotate(program, options); });

  CLI::App* revoke = keys.add_subcommand("revoke", "A root without one of the keys");
  revoke->add_option("ID", options.key_id, "As `keys list` shows it")->required();
  add_passphrase(revoke);
  add_out(revoke, options);
  example(revoke, "fleetctl keys revoke 7f3a91c2");
  runs(revoke, chosen, [&options](Program& program) { return keys_revoke(program, options); });

  CLI::App* sign = keys.add_subcommand("sign", "Add a signature to a root in a file");
  sign->add_option("FILE", options.file, "The root, as another machine left it")->required();
  sign->add_option("--on", options.on_file,
                   "The root that it follows (else the last one that this machine saw)");
  sign->add_option("--key", options.key_files, "Key file (else the keys of this fleet here)")
      ->allow_extra_args(false);
  sign->add_flag("--publish", options.publish, "Send it to the controller when it is complete");
  add_passphrase(sign);
  example(sign, "fleetctl keys sign root-2.json --on root-2.json.follows");
  runs(sign, chosen, [&options](Program& program) { return keys_sign(program, options); });
}

void add_keys(CLI::App& app, Chosen& chosen, Keep& keep) {
  auto& options = keep_options<KeysOptions>(keep);
  CLI::App* keys = app.add_subcommand("keys", "The signing keys of this fleet");
  example(keys, "fleetctl keys list");
  const auto add_passphrase = [&options](CLI::App* command) {
    command->add_option("--passphrase-file", options.passphrase_file,
                        "Passphrase in a file (FLEET_PASSPHRASE_FILE); else it is asked for");
  };
  CLI::App* init = keys->add_subcommand("init", "Make the root and targets keys, once per fleet");
  init->add_option("--second-copy", options.second_copy,
                   "Folder for a second copy of the sealed keys, on another disk");
  init->add_option("--root-keys", options.root_keys, "How many root keys are made, one per person")
      ->check(CLI::Range(1, 16));
  init->add_option("--root-threshold", options.root_threshold,
                   "How many of them must sign each root")
      ->check(CLI::Range(1, 16));
  add_passphrase(init);
  example(init, "fleetctl keys init --second-copy /media/usb/unifleet-keys");
  runs(init, chosen, [&options](Program& program) { return keys_init(program, options); });

  CLI::App* delegate = keys->add_subcommand("delegate", "Make a key that may sign one app");
  delegate->add_option("APP", options.app, "The app")->required();
  delegate->add_option("--second-copy", options.second_copy, "Folder for a second copy");
  add_passphrase(delegate);
  example(delegate, "fleetctl keys delegate dns");
  runs(delegate, chosen, [&options](Program& program) { return keys_delegate(program, options); });

  CLI::App* list = keys->add_subcommand("list", "Roles, their keys, when they expire");
  example(list, "fleetctl keys list");
  runs(list, chosen, [](Program& program) { return keys_list(program); });

  CLI::App* refresh =
      keys->add_subcommand("refresh", "Sign again what expires: root, targets, the apps of here");
  add_passphrase(refresh);
  add_out(refresh, options);
  example(refresh, "fleetctl keys refresh");
  runs(refresh, chosen, [&options](Program& program) { return keys_refresh(program, options); });
  CLI::App* restore = keys->add_subcommand(
      "restore", "Give a controller that was restored from a backup what this machine has seen");
  example(restore, "fleetctl keys restore");
  runs(restore, chosen, [](Program& program) { return keys_restore(program); });
  add_key_changes(*keys, chosen, options, add_passphrase);
}

void add_files(CLI::App& app, Chosen& chosen, Keep& keep) {
  auto& path = keep_options<std::string>(keep);
  CLI::App* inspect = app.add_subcommand("inspect", "What is this image, and what does it need");
  inspect->add_option("FILE", path, "An image")->required();
  example(inspect, "fleetctl inspect build/dns.x86_64.virtio");
  runs(inspect, chosen, [&path](Program& program) { return inspect_file(program, path); });

  CLI::App* manifest = app.add_subcommand("manifest", "Check a manifest");
  manifest->footer(kManifestNotation);
  CLI::App* check = manifest->add_subcommand("check", "Read and check all of it; nothing is sent");
  check->add_option("FILE", path, "manifest.yml")->required();
  example(check, "fleetctl manifest check manifest.yml");
  runs(check, chosen, [&path](Program& program) { return check_manifest_file(program, path); });
}

}  // namespace

void add_setup_commands(CLI::App& app, Chosen& chosen, Keep& keep) {
  auto& options = keep_options<LoginOptions>(keep);
  CLI::App* command = app.add_subcommand("login", "Make a controller known to this machine");
  command->add_option("URL", options.url, "https://HOST:8443")->required();
  command->add_option("--token-file", options.token_file, "File with the token; - is stdin")
      ->required();
  command->add_option("--ca", options.ca_file, "ca.pem of the controller")->required();
  example(command, "fleetctl login https://fleet.example.net:8443 --token-file admin.token "
                   "--ca ca.pem");
  // The global --context names the context that is made.
  runs(command, chosen, [&options](Program& program) {
    options.context = program.context_name;
    return login(program, options);
  });
  add_keys(app, chosen, keep);

  auto& enroll = keep_options<EnrollOptions>(keep);
  CLI::App* token = app.add_subcommand("enroll-token", "Make the bootstrap file of a device");
  token->add_option("--group", enroll.group, "Group that the device joins");
  token->add_option("--label", enroll.labels, "Label, KEY=VALUE; may be repeated")
      ->allow_extra_args(false);
  token->add_option("--uses", enroll.uses, "How many devices may use it (1)")
      ->check(CLI::Range(1, 100000));
  add_duration(token, "--ttl", enroll.ttl_ms, "How long it is good");
  token->add_option("-o,--output", enroll.output, "File to write, mode 600; else stdout");
  example(token, "fleetctl enroll-token --group edge --label site=lyon -o lyon.boot");
  runs(token, chosen, [&enroll](Program& program) { return enroll_token(program, enroll); });
  add_files(app, chosen, keep);

  auto& shell = keep_options<std::string>(keep);
  CLI::App* completion = app.add_subcommand("completion", "Print the completion of a shell");
  completion->add_option("SHELL", shell, "bash")->required()->check(CLI::IsMember({"bash"}));
  example(completion, "source <(fleetctl completion bash)");
  runs(completion, chosen, [](Program& program) -> CommandResult {
    program.terminal.line(bash_completion());
    return ExitCode::ok;
  });
  CLI::App* schema = app.add_subcommand(
      "schema", "What --json prints, as JSON Schema: of the command named behind it, or of all");
  example(schema, "fleetctl schema rollout show\n  fleetctl schema");
  runs(schema, chosen, [](Program& program) { return show_schema(program, {}); });
  auto& words = keep_options<CompleteOptions>(keep);
  CLI::App* live = app.add_subcommand("complete", "For the completion of a shell")->group("");
  // Flags: a word that is written may be the name of a command.
  live->add_option("--what", words.what)
      ->required()
      ->check(CLI::IsMember({"devices", "selectors", "groups", "apps", "releases", "rollouts",
                              "catalog"}));
  live->add_option("--begun", words.word);
  live->add_option("--app", words.app);
  runs(live, chosen, [&words](Program& program) { return complete(program, words); });
}

void add_push_commands(CLI::App& app, Chosen& chosen, Keep& keep) {
  auto& options = keep_options<PushOptions>(keep);
  CLI::App* command = app.add_subcommand("push", "Sign a release and put it on devices");
  command->add_option("APP", options.app, "The app; may be left out if the manifest holds one");
  command->add_option("-f,--file", options.manifest_file, "Manifest (manifest.yml)");
  auto* path = command->add_option("--path", options.path,
                                   "Folder of sources to build and push, with its manifest.yml");
  command->add_option("--to", options.selector,
                      "Devices: edge | site=lyon | edge-1 | all (as the app's last push)");
  command->add_option("--image", options.image_file, "Image instead of the manifest's")
      ->excludes(path);
  command->add_option("--catalog", options.catalog, "Folder of the catalog (FLEET_CATALOG)");
  command->add_option("--sdk", options.sdk, "Folder of the SDK, for what is built (FLEET_SDK)");
  command->add_option("--strategy", options.strategy, "all | waves (as the manifest says)")
      ->check(CLI::IsMember({"all", "waves"}));
  command->add_flag("--plan", options.plan_only,
                    "Say what would happen, device by device; change nothing");
  command->add_flag("--stage", options.stage_only,
                    "Fetch and verify everywhere, start nothing; a later push of the same bytes "
                    "starts at once");
  add_follow(command, options.wait_ms, options.detach, options.require_all);
  command->add_option("--passphrase-file", options.passphrase_file,
                      "Passphrase in a file (FLEET_PASSPHRASE_FILE); else it is asked for");
  example(command, "fleetctl push dns --to edge\n  fleetctl push dns --to site=lyon --plan\n"
                   "  fleetctl push dns --to role=resolver --strategy waves\n"
                   "  fleetctl push --path ./hello --to edge");
  runs(command, chosen, [&options](Program& program) { return push(program, options); });

  auto& back = keep_options<RollbackOptions>(keep);
  CLI::App* rollback_command =
      app.add_subcommand("rollback", "Sign an old release's content under a new number");
  rollback_command->add_option("APP", back.push.app, "The app")->required();
  rollback_command->add_option("--release", back.release, "Whose content")->required()
      ->check(CLI::PositiveNumber);
  rollback_command->add_option("--to", back.push.selector, "Devices")->required();
  add_follow(rollback_command, back.push.wait_ms, back.push.detach, back.push.require_all);
  rollback_command->add_option("--passphrase-file", back.push.passphrase_file,
                               "Passphrase in a file (FLEET_PASSPHRASE_FILE)");
  example(rollback_command, "fleetctl rollback dns --release 3 --to edge");
  runs(rollback_command, chosen, [&back](Program& program) { return rollback(program, back); });

  auto& taken = keep_options<YankOptions>(keep);
  CLI::App* yank_command =
      app.add_subcommand("yank", "No device takes this release or goes back to it any more");
  yank_command->add_option("APP", taken.app, "The app")->required();
  yank_command->add_option("RELEASE", taken.release, "Its number")->required()
      ->check(CLI::PositiveNumber);
  yank_command->add_flag("--stop", taken.stop, "Also stop it where it runs");
  add_follow(yank_command, taken.wait_ms, taken.detach, taken.require_all);
  yank_command->add_option("--passphrase-file", taken.passphrase_file,
                           "Passphrase in a file (FLEET_PASSPHRASE_FILE)");
  example(yank_command, "fleetctl yank dns 3\n  fleetctl yank dns 3 --stop");
  runs(yank_command, chosen, [&taken](Program& program) { return yank(program, taken); });
}

void add_order_commands(CLI::App& app, Chosen& chosen, Keep& keep) {
  add_order(app, chosen, keep, "revert", fleet::v1::ORDER_REVERT,
            "Every device goes to the good release in its other slot; no key needed");
  add_order(app, chosen, keep, "stop", fleet::v1::ORDER_STOP, "Stop an app; it stays installed");
  add_order(app, chosen, keep, "start", fleet::v1::ORDER_START, "Start a stopped app");
  add_order(app, chosen, keep, "restart", fleet::v1::ORDER_RESTART, "Stop and start an app");
  add_order(app, chosen, keep, "delete", fleet::v1::ORDER_DELETE, "Take an app off devices");

  auto& options = keep_options<RolloutOptions>(keep);
  CLI::App* rollout = app.add_subcommand("rollout", "One rollout");
  example(rollout, "fleetctl rollout show r-7");
  CLI::App* show = rollout->add_subcommand("show", "Its devices, and why they failed");
  show->add_option("ID", options.id, "r-7")->required();
  show->add_flag("-w,--watch", options.watch, "Follow it to its end");
  add_duration(show, "--wait", options.wait_ms, "How long to follow");
  example(show, "fleetctl rollout show r-7 -w");
  runs(show, chosen, [&options](Program& program) { return show_rollout(program, options); });
  const auto add_word = [&](const char* word, const char* help,
                            CommandResult (*act)(Program&, const std::string&)) {
    CLI::App* command = rollout->add_subcommand(word, help);
    command->add_option("ID", options.id, "r-7")->required();
    example(command, std::string("fleetctl rollout ") + word + " r-7");
    runs(command, chosen,
         [&options, act](Program& program) { return act(program, options.id); });
  };
  add_word("pause", "Let nobody else in; who is under way goes on", pause_rollout);
  add_word("resume", "Go on; what failed until now is accepted", resume_rollout);
  add_word("abort", "End it; devices keep what they took", abort_rollout);
  auto& again = keep_options<RetryOptions>(keep);
  CLI::App* retry = rollout->add_subcommand("retry", "Ask those that failed again");
  retry->add_option("ID", again.id, "r-7")->required();
  retry->add_option("--device", again.device, "Only this one");
  add_follow(retry, again.wait_ms, again.detach, again.require_all);
  example(retry, "fleetctl rollout retry r-7\n  fleetctl rollout retry r-7 --device edge-117");
  runs(retry, chosen, [&again](Program& program) { return retry_rollout(program, again); });
}

namespace {

CLI::App* add_filtered(CLI::App& app, DeviceFilter& filter, const char* word, const char* help) {
  CLI::App* command = app.add_subcommand(word, help);
  command->add_option("--to", filter.selector, "Devices: edge | site=lyon | all (all)");
  command->add_option("--state", filter.state, "Only those: online, offline, failed, ...");
  command->add_option("--name", filter.name, "Only this one");
  return command;
}

}  // namespace

void add_look_commands(CLI::App& app, Chosen& chosen, Keep& keep) {
  CLI::App* apps = app.add_subcommand("apps", "Apps and where they run");
  example(apps, "fleetctl apps");
  runs(apps, chosen, [](Program& program) { return list_apps(program); });

  auto& name = keep_options<std::string>(keep);
  CLI::App* releases = app.add_subcommand("releases", "Releases of an app");
  releases->add_option("APP", name, "The app")->required();
  example(releases, "fleetctl releases dns");
  runs(releases, chosen, [&name](Program& program) { return list_releases(program, name); });

  auto& filter = keep_options<DeviceFilter>(keep);
  CLI::App* devices = add_filtered(app, filter, "devices", "Devices, their state and labels");
  devices->add_flag("--labels", filter.labels, "What labels, values and groups there are");
  example(devices, "fleetctl devices --to site=lyon");
  runs(devices, chosen, [&filter](Program& program) { return list_devices(program, filter); });

  auto& running = keep_options<DeviceFilter>(keep);
  CLI::App* ps = add_filtered(app, running, "ps", "What runs on which device");
  ps->add_option("-o", running.output, "wide: also instance, address and warm spare")
      ->check(CLI::IsMember({"wide"}));
  example(ps, "fleetctl ps --to edge -o wide");
  runs(ps, chosen, [&running](Program& program) { return list_instances(program, running); });

  CLI::App* status = app.add_subcommand("status", "The fleet on one page");
  example(status, "fleetctl status");
  runs(status, chosen, [](Program& program) { return show_status(program); });

  CLI::App* rollouts = app.add_subcommand("rollouts", "Pushes and orders, newest first");
  example(rollouts, "fleetctl rollouts");
  runs(rollouts, chosen, [](Program& program) { return list_rollouts(program); });

  auto& logs = keep_options<LogOptions>(keep);
  CLI::App* command = app.add_subcommand("logs", "The console of an app's guests");
  command->add_option("APP", logs.app, "The app")->required();
  auto* one = command->add_option("--device", logs.device, "Only this device");
  command->add_option("--to", logs.selector, "Devices: edge | site=lyon | all (all)")
      ->excludes(one);
  command->add_option("--release", logs.release, "Only this release");
  command->add_flag("-f,--follow", logs.follow, "Go on with what comes; Ctrl-C ends");
  example(command, "fleetctl logs dns --device edge-1\n  fleetctl logs dns --to site=lyon -f");
  runs(command, chosen, [&logs](Program& program) { return show_logs(program, logs); });

  auto& flights = keep_options<FlightOptions>(keep);
  CLI::App* records =
      app.add_subcommand("flights", "Why guests failed: exit, trap, health, console");
  records->add_option("APP", flights.app, "The app")->required();
  records->add_option("--device", flights.device, "Only this device");
  records->add_option("--release", flights.release, "Only this release");
  records->add_option("--last", flights.last, "So many records, newest first (20)")
      ->check(CLI::Range(1, 100));
  example(records, "fleetctl flights dns --device edge-1\n  fleetctl flights dns --last 1 --json");
  runs(records, chosen, [&flights](Program& program) { return show_flights(program, flights); });
}

}  // namespace fleetctl
