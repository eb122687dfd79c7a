#include "deploy/fleetctl/build.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "deploy/fleetctl/build_process.h"
#include "deploy/fleetctl/draft.h"
#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "ota/disk.h"
#include "ota/hash.h"
#include "ota/json.h"
#include "proto/document.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

namespace fs = std::filesystem;
using fleet::v1::Arch;
using proto::Code;

// For objects; gone with what made it.
class WorkFolder {
 public:
  WorkFolder() = default;
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  proto::Status make() {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "fleetctl-build-XXXXXX").string();
    if (error || ::mkdtemp(name.data()) == nullptr) {
      return ota::errno_error("cannot make a folder for objects in $TMPDIR", errno);
    }
    path_ = name;
    return {};
  }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct Compilers {
  std::string c;
  std::string cxx;
  std::string objcopy;
};

// Debian's names; a native one may have no prefix elsewhere.
std::string find_compiler(Arch arch, const std::string& name) {
  const std::string triple =
      (arch == fleet::v1::AARCH64 ? "aarch64" : "x86_64") + std::string("-linux-gnu-");
  std::string found = find_program(triple + name);
  if (found.empty() && arch == own_arch()) found = find_program(name);
  return found;
}

proto::Result<Compilers> find_compilers(Arch arch) {
  const Compilers found{find_compiler(arch, "gcc"), find_compiler(arch, "g++"),
                        find_compiler(arch, "objcopy")};
  if (!found.c.empty() && !found.cxx.empty() && !found.objcopy.empty()) return found;
  const std::string package = arch == own_arch()          ? "g++"
                              : arch == fleet::v1::AARCH64 ? "g++-aarch64-linux-gnu"
                                                           : "g++-x86-64-linux-gnu";
  return proto::Error{Code::not_found,
                      "no compiler for " + proto::word_of(arch) + " is in PATH\ninstall it:  "
                      "apt install " + package, {}};
}

void append(std::vector<std::string>& words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
}

/// Everything of one CPU.
struct CpuBuild {
  Arch arch = fleet::v1::ARCH_UNSPECIFIED;
  Compilers compilers;
  std::vector<std::string> compile_c;
  std::vector<std::string> compile_cxx;
  std::vector<std::string> link;
  std::vector<std::string> objects;
  std::string devices_object;  // hvt's and spt's
};

proto::Result<CpuBuild> open_cpu(const Sdk& sdk, Arch arch) {
  CpuBuild cpu;
  cpu.arch = arch;
  TRY(cpu.compilers, find_compilers(arch));
  TRY(cpu.compile_c, sdk_arguments(sdk, arch, "compile.c"));
  TRY(cpu.compile_cxx, sdk_arguments(sdk, arch, "compile.cxx"));
  TRY(cpu.link, sdk_arguments(sdk, arch, "link"));
  return cpu;
}

// Where files lay does not change the image: the same sources, the same digest.
void add_compiles(CpuBuild& cpu, const BuildJob& job, const std::vector<std::string>& sources,
                  const WorkFolder& work, std::vector<Command>& commands) {
  const std::string arch = proto::word_of(cpu.arch);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const bool is_c = sources[i].ends_with(".c");
    Command command;
    command.words = {is_c ? cpu.compilers.c : cpu.compilers.cxx};
    append(command.words, is_c ? cpu.compile_c : cpu.compile_cxx);
    cpu.objects.push_back(work.file(arch + "-" + std::to_string(i) + ".o"));
    append(command.words, {"-Wall", "-Wextra", "-I" + job.folder,
                           "-ffile-prefix-map=" + job.folder + "/=", "-c", sources[i], "-o",
                           cpu.objects.back()});
    command.about = sources[i];
    commands.push_back(std::move(command));
  }
}

void add_devices(CpuBuild& cpu, const Sdk& sdk, const BuildJob& job, const WorkFolder& work,
                 std::vector<Command>& commands) {
  Command command;
  command.words = {cpu.compilers.cxx};
  append(command.words, cpu.compile_cxx);
  cpu.devices_object = work.file(proto::word_of(cpu.arch) + "-devices.o");
  append(command.words, {"-DFLEET_GUEST_DEVICES=" + device_list(job.manifest), "-c",
                         sdk.folder + "/include/images/runtime/solo5/manifest.cc", "-o",
                         cpu.devices_object});
  command.about = "the image's devices";
  commands.push_back(std::move(command));
}

Command link_command(const CpuBuild& cpu, const Sdk& sdk, const SdkTarget& target,
                     const std::string& output) {
  Command command;
  command.words = {cpu.compilers.cxx};
  append(command.words, cpu.link);
  append(command.words, {"-T", sdk.file_of(target, "image.ld")});
  append(command.words, cpu.objects);
  if (target.platform != fleet::v1::VIRTIO) command.words.push_back(cpu.devices_object);
  // Whole: nothing calls the notes by which a tender knows an image.
  append(command.words, {"-Wl,--whole-archive", sdk.file_of(target, "libruntime.a"),
                         "-Wl,--no-whole-archive", sdk.file_of(target.arch, "libappliance_c.a"),
                         "-o", output});
  command.about = text_of(target);
  return command;
}

// Runs them; what compilers say, also of what is good, goes to stderr.
proto::Status run(Program& program, const std::string& name, const std::vector<Command>& commands,
                  const char* verb) {
  const auto ran = run_commands(
      commands, program.interrupted, [&](const Command& command, std::size_t number) {
        if (program.json) return;
        program.terminal.redraw({"Building " + name + "  " + std::to_string(number + 1) + "/" +
                                 std::to_string(commands.size()) + "  " + visible(command.about)});
      });
  program.terminal.settle(true);
  if (!ran) return ran.error();
  const Command* failed = nullptr;
  bool no_main = false;
  for (std::size_t i = 0; i < ran->size(); ++i) {
    const Finished& one = (*ran)[i];
    for (const std::string& line : split(one.said, '\n')) program.terminal.note(visible(line));
    no_main = no_main || one.said.find("undefined reference to `fleet_main'") != std::string::npos;
    if (!one.good && failed == nullptr) failed = &commands[i];
  }
  if (failed == nullptr) return {};
  return proto::Error{Code::bad_argument,
                      visible(failed->about) + " does not " + verb + "; nothing was written" +
                          (no_main ? "\nan appliance in C++ defines "
                                     "int images::runtime::appliance_main(const Config&, Arena&),\n"
                                     "one in C int fleet_main(void): images/runtime/README.md"
                                   : ""), name};
}

// A machine of ARM64 boots no ELF (images/abi/arm64_image.h).
bool is_flat(const SdkTarget& target) {
  return target.arch == fleet::v1::AARCH64 && target.platform == fleet::v1::VIRTIO;
}

std::string made_file(const WorkFolder& work, const SdkTarget& target) {
  return work.file(proto::word_of(target.arch) + "." + proto::word_of(target.platform));
}

// Where the image of each target goes; the folder is made.
proto::Result<std::vector<std::string>> places_of(const BuildJob& job) {
  std::error_code error;
  const bool is_file = !job.output.empty() && job.targets.size() == 1 &&
                       job.output.back() != '/' && !fs::is_directory(job.output, error);
  if (is_file) return std::vector<std::string>{job.output};
  const fs::path folder =
      job.output.empty() ? fs::path(job.folder) / "build" : fs::path(job.output);
  fs::create_directories(folder, error);
  if (error) {
    return proto::Error{Code::io, visible(folder.string()) + ": " + error.message(),
                        folder.string()};
  }
  std::vector<std::string> places;
  for (const SdkTarget& target : job.targets) {
    places.push_back((folder / (job.name + "." + proto::word_of(target.arch) + "." +
                                proto::word_of(target.platform))).string());
  }
  return places;
}

// In the place of an older one, at once.
proto::Status put(const std::string& made, const std::string& place) {
  const std::string beside = place + ".new";
  std::error_code error;
  fs::copy_file(made, beside, fs::copy_options::overwrite_existing, error);
  if (!error) fs::rename(beside, place, error);
  if (!error) return {};
  std::error_code ignored;
  fs::remove(beside, ignored);
  return proto::Error{Code::io, "cannot write " + place + ": " + error.message(), place};
}

}  // namespace

proto::Result<std::vector<BuiltImage>> build_images(Program& program, const Sdk& sdk,
                                                    const BuildJob& job) {
  TRY(const std::vector<std::string> sources, find_sources(job.folder));
  std::map<Arch, CpuBuild> cpus;
  for (const SdkTarget& target : job.targets) {
    if (cpus.count(target.arch) != 0) continue;
    TRY(CpuBuild cpu, open_cpu(sdk, target.arch));
    cpus.emplace(target.arch, std::move(cpu));
  }
  WorkFolder work;
  TRY_VOID(work.make());
  std::vector<Command> compiles;
  for (auto& [arch, cpu] : cpus) {
    add_compiles(cpu, job, sources, work, compiles);
    add_devices(cpu, sdk, job, work, compiles);
  }
  TRY_VOID(run(program, job.name, compiles, "compile"));

  // With symbols and without; put in their places when all are good.
  std::vector<Command> links;
  std::vector<Command> copies;
  for (const SdkTarget& target : job.targets) {
    const std::string made = made_file(work, target);
    links.push_back(link_command(cpus.at(target.arch), sdk, target, made + ".debug"));
    if (is_flat(target)) {
      copies.push_back({{cpus.at(target.arch).compilers.objcopy, "-O", "binary", made + ".debug",
                         made}, text_of(target)});
      continue;
    }
    links.push_back(link_command(cpus.at(target.arch), sdk, target, made));
    links.back().words.push_back("-s");
  }
  TRY_VOID(run(program, job.name, links, "link"));
  TRY_VOID(run(program, job.name, copies, "become a flat file"));
  TRY(const std::vector<std::string> places, places_of(job));
  std::vector<BuiltImage> built;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::string made = made_file(work, job.targets[i]);
    TRY_VOID(put(made + ".debug", places[i] + ".debug"));
    TRY_VOID(put(made, places[i]));
    std::error_code error;
    built.push_back({job.targets[i], places[i], fs::file_size(places[i], error)});
  }
  return built;
}

CommandResult build(Program& program, const BuildOptions& options) {
  TRY(const Sdk sdk, open_sdk(options.sdk));
  TRY(const proto::ManifestFile file, manifest_of_folder(options.folder));
  TRY(const proto::FileApplication* application, proto::find_application(file, options.app));
  BuildJob job;
  job.folder = options.folder;
  job.name = application->manifest.name();
  job.manifest = application->manifest;
  job.output = options.output;
  TRY(job.targets, choose_targets(sdk, options.archs, options.platforms));
  TRY(const std::vector<BuiltImage> built, build_images(program, sdk, job));
  if (program.json) {
    ota::Json images = ota::Json::array();
    for (const BuiltImage& image : built) {
      const proto::Fd opened(::open(image.path.c_str(), O_RDONLY | O_CLOEXEC));
      TRY(const ota::Sha256 digest, ota::hash_file(opened.get()));
      images.push_back(ota::Json::object(
          {{"image", text_of(image.target)}, {"file", image.path}, {"sha256", digest.hex()},
           {"size_bytes", static_cast<std::int64_t>(image.size_bytes)}}));
    }
    program.terminal.line(ota::pretty_json(
        ota::Json::object({{"app", job.name}, {"images", images}})));
    return ExitCode::ok;
  }
  Table table({"IMAGE", "FILE", "SIZE"});
  for (const BuiltImage& image : built) {
    table.add({text_of(image.target), visible(image.path),
               proto::format_size_bytes(image.size_bytes)});
  }
  program.terminal.lines(table.lines());
  return ExitCode::ok;
}

}  // namespace fleetctl
