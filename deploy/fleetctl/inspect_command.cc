#include "deploy/fleetctl/inspect_command.h"

#include "deploy/fleetctl/draft.h"
#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "images/inspect.h"
#include "ota/json.h"
#include "proto/manifest.h"

namespace fleetctl {
namespace {

std::string devices_of(const images::ImageInfo& info) {
  std::vector<std::string> parts;
  for (const images::ImageDevice& device : info.devices) {
    parts.push_back(visible(device.name) +
                    (device.kind == images::DeviceKind::net ? " (net)" : " (block)"));
  }
  return join(parts, ", ");
}

}  // namespace

const char* const kManifestNotation =
    "Notation of manifest.yml:\n"
    "  sizes     16M, 1G (M is MiB, G is GiB)       times     250ms, 2s, 10m, 24h\n"
    "  rates     16K/s                              percents  50%\n"
    "  A bare number for a time or a size is an error that names the unit.\n"
    "  Paths are relative to the manifest. An unknown key is an error with the nearest one.\n"
    "  What is known but not built yet is refused by name.\n\n"
    "What runs, one of these; with none of them the catalog's app of the same name:\n"
    "  images: {x86_64/spt: FILE, aarch64/hvt: catalog:NAME}     by CPU, or CPU and platform\n"
    "  image: FILE | catalog:NAME                                 for one CPU; all that fit\n"
    "  path: FOLDER                                               sources, built at each push\n\n"
    "Volumes, for the block devices that an image declares by name (`fleetctl inspect IMAGE`):\n"
    "  volumes: [{name: cache, size: 8M, sync: periodic, keep: true}]\n"
    "  size      a larger one grows it; a smaller one is refused by the device\n"
    "  sync      always: each write; periodic: every 5 s; never: when the kernel likes\n"
    "  keep      true: `fleetctl delete` leaves it for the next install; false: it goes\n"
    "  One instance has it at a time, so an update is stop-start. It is not rolled back: the\n"
    "  release that runs on finds what the failed one wrote.\n\n"
    "Example:\n"
    "  version: 1\n"
    "  applications:\n"
    "  - name: dns\n"
    "    images: {x86_64/virtio: dns.x86_64.virtio}\n"
    "    memory: 16M\n"
    "    publish: [\"53:53/udp\"]\n"
    "    health: {type: dns, query: www.example.test A, deadline: 10s}\n\n"
    "  fleetctl manifest check manifest.yml";

CommandResult inspect_file(Program& program, const std::string& path) {
  TRY(const images::ImageInfo info, images::inspect_file(path));
  if (program.json) {
    ota::Json devices = ota::Json::array();
    for (const images::ImageDevice& device : info.devices) {
      devices.push_back(ota::Json::object(
          {{"name", device.name},
           {"kind", device.kind == images::DeviceKind::net ? "net" : "block"}}));
    }
    program.terminal.line(ota::pretty_json(ota::Json::object(
        {{"file", path}, {"summary", info.summary}, {"family", name_of(info.family)},
         {"arch", info.arch == images::Arch::other ? info.machine.c_str() : name_of(info.arch)},
         {"platform", name_of(info.platform)}, {"boot", name_of(info.boot)},
         {"abi_version", static_cast<std::int64_t>(info.abi_version)}, {"devices", devices},
         {"language", info.language},
         {"obstacle", info.obstacle}})));
    return ExitCode::ok;
  }
  std::vector<std::pair<std::string, std::string>> pairs = {
      {"file", path},
      {"image", visible(info.summary)},
      {"cpu", info.arch == images::Arch::other ? visible(info.machine) : name_of(info.arch)},
      {"platform", name_of(info.platform)},
      {"boots by", name_of(info.boot)}};
  if (!info.devices.empty()) pairs.push_back({"devices", devices_of(info)});
  if (!info.language.empty()) pairs.push_back({"files in", visible(info.language)});
  if (!info.obstacle.empty()) pairs.push_back({"cannot run", visible(info.obstacle)});
  program.terminal.lines(aligned(pairs, ""));
  return ExitCode::ok;
}

CommandResult check_manifest_file(Program& program, const std::string& path) {
  TRY(const proto::ManifestFile file, proto::load_manifest(path));
  ota::Json names = ota::Json::array();
  for (const proto::FileApplication& application : file.applications) {
    PushOptions options;
    options.app = application.manifest.name();
    options.manifest_file = path;
    TRY(const Recipe recipe, read_recipe(options));
    TRY(const Draft draft, make_draft(recipe, options));
    names.push_back(options.app);
    if (program.json) continue;
    const std::string images = recipe.folder.empty() ? count_text(draft.images.size(), "image")
                                                     : "built from " + visible(recipe.folder);
    program.terminal.line(options.app + "  " + images + ", " +
                          count_text(static_cast<std::uint64_t>(draft.manifest.files_size()),
                                     "file") + ": right");
  }
  if (program.json) program.terminal.line(ota::pretty_json(ota::Json::object({{"right", names}})));
  return ExitCode::ok;
}

}  // namespace fleetctl
