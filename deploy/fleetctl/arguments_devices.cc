// The commands about one device, or about those of a selector.
#include "deploy/fleetctl/accept.h"
#include "deploy/fleetctl/arguments_parts.h"
#include "deploy/fleetctl/lists.h"
#include "deploy/fleetctl/orders.h"

namespace fleetctl {

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
}

}  // namespace fleetctl
