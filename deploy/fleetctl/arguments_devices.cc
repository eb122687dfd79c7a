// The commands about one device, or about those of a selector.
#include "deploy/fleetctl/accept.h"
#include "deploy/fleetctl/arguments_parts.h"
#include "deploy/fleetctl/lists.h"
#include "deploy/fleetctl/orders.h"
#include "deploy/fleetctl/volumes.h"

namespace fleetctl {

namespace {

void add_volumes(CLI::App& app, Chosen& chosen, Keep& keep) {
  auto& filter = keep_options<VolumeFilter>(keep);
  CLI::App* volumes = app.add_subcommand("volumes", "What apps keep on devices");
  volumes->footer(
      "A volume is made by the push of a manifest that names it, with all its room, or the push\n"
      "is refused. With `on_revert: restore` it is copied before a release is tried, and whatever\n"
      "leaves that release backwards (trial, watch, `revert`) finds it as it was.\n\nExample:\n"
      "  volumes: [{name: cache, size: 8M, sync: periodic, keep: true, on_revert: restore}]\n"
      "  fleetctl volumes list dns --to edge");
  CLI::App* list = volumes->add_subcommand("list", "Volumes, their size and what goes back");
  list->add_option("APP", filter.app, "One app (all)");
  list->add_option("--to", filter.selector, "Devices: edge | site=lyon | all (all)");
  example(list, "fleetctl volumes list dns --to edge");
  runs(list, chosen, [&filter](Program& program) { return list_volumes(program, filter); });
  CLI::App* create = volumes->add_subcommand("create", "How a volume is made")->group("");
  create->allow_extras()->fallthrough(false);
  runs(create, chosen, [](Program&) -> CommandResult { return volumes_are_pushed(); });
}

}  // namespace

void add_device_commands(CLI::App& app, Chosen& chosen, Keep& keep) {
  auto& options = keep_options<LabelOptions>(keep);
  CLI::App* device = app.add_subcommand("device", "One device");
  example(device, "fleetctl device show edge-1");
  CLI::App* show = device->add_subcommand("show", "All that is known of it");
  show->add_option("NAME", options.name, "The device")->required();
  example(show, "fleetctl device show edge-1");
  runs(show, chosen, [&options](Program& program) { return show_device(program, options.name); });
  CLI::App* label = device->add_subcommand("label", "Set KEY=VALUE, take away KEY-");
  label->add_option("NAME", options.name, "The device")->required();
  label->add_option("CHANGES", options.changes, "site=lyon role-")->required();
  example(label, "fleetctl device label edge-1 site=lyon role-");
  runs(label, chosen, [&options](Program& program) { return label_device(program, options); });
  CLI::App* remove = device->add_subcommand("remove", "Revoke its certificate");
  remove->add_option("NAME", options.name, "The device")->required();
  example(remove, "fleetctl device remove edge-1");
  runs(remove, chosen,
       [&options](Program& program) { return remove_device(program, options.name); });
  auto& ahead = keep_options<AcceptOptions>(keep);
  CLI::App* accept = device->add_subcommand(
      "accept", "Decide on devices that are ahead of the controller, as after an older backup: "
                "what they run is what is wanted of them");
  auto* name = accept->add_option("NAME", ahead.name, "One device");
  accept->add_option("--to", ahead.selector, "Devices: edge | site=lyon | all; who is not ahead "
                                             "stays as it is")
      ->excludes(name);
  example(accept, "fleetctl device accept edge-1\n  fleetctl device accept --to all");
  runs(accept, chosen, [&ahead](Program& program) { return accept_devices(program, ahead); });
  add_volumes(app, chosen, keep);
}

}  // namespace fleetctl
