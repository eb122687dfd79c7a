// The commands about images: those that a folder of sources becomes, and those of the catalog.
#include "deploy/fleetctl/arguments_parts.h"
#include "deploy/fleetctl/build.h"
#include "deploy/fleetctl/catalog.h"

namespace fleetctl {
namespace {

void add_build(CLI::App& app, Chosen& chosen, Keep& keep) {
  auto& options = keep_options<BuildOptions>(keep);
  CLI::App* command = app.add_subcommand("build", "Make images of a folder of C or C++ sources");
  command->add_option("DIR", options.folder, "The folder; its manifest.yml, if any, names the app "
                                             "and what its image declares")->required();
  command->add_option("--arch", options.archs, "x86_64 | aarch64; may be repeated (this machine's)")
      ->allow_extra_args(false);
  command->add_option("--platform", options.platforms,
                      "spt | hvt | virtio; may be repeated (all that the app can use)")
      ->allow_extra_args(false);
  command->add_option("--app", options.app, "Which of several apps in its manifest");
  command->add_option("-o,--output", options.output,
                      "Folder for the images, or the file of a single one (DIR/build)");
  command->add_option("--sdk", options.sdk, "Folder of the SDK (FLEET_SDK, or beside fleetctl)");
  command->footer(
      "Sources are *.c, *.cc, *.cpp and *.cxx in DIR and below, but in hidden folders and in\n"
      "build. An image is NAME.ARCH.PLATFORM, with its symbols in NAME.ARCH.PLATFORM.debug.\n"
      "How an appliance is written: images/runtime/README.md.\n"
      "\nExample:\n  fleetctl build ./hello\n"
      "  fleetctl build ./hello --arch aarch64 --platform hvt -o hello.hvt\n"
      "  fleetctl push --path ./hello --to edge     builds and pushes");
  runs(command, chosen, [&options](Program& program) { return build(program, options); });
}

}  // namespace

void add_image_commands(CLI::App& app, Chosen& chosen, Keep& keep) {
  add_build(app, chosen, keep);

  auto& options = keep_options<CatalogOptions>(keep);
  CLI::App* catalog = app.add_subcommand("catalog", "Apps that are ready to push");
  catalog->add_option("--catalog", options.folder,
                      "Its folder (FLEET_CATALOG, or beside fleetctl)");
  example(catalog, "fleetctl catalog\n  fleetctl catalog copy dns\n  fleetctl push dns --to edge");
  runs(catalog, chosen, [&options](Program& program) { return list_catalog(program, options); });
  CLI::App* copy =
      catalog->add_subcommand("copy", "Write an app's manifest and its files, to change and push");
  copy->add_option("NAME", options.name, "As `fleetctl catalog` shows it")->required();
  copy->add_option("FOLDER", options.into, "Where to (this folder)");
  example(copy, "fleetctl catalog copy dns\n  fleetctl catalog copy firewall ./edge-fw");
  runs(copy, chosen,
       [&options](Program& program) { return copy_from_catalog(program, options); });
}

}  // namespace fleetctl
