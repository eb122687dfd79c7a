// tuf-client: the TUF client of ota/ with the command line that the public conformance suite wants:
// every failure ends with 1, and nothing but metadata lies in the metadata directory.
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>
#include <vector>

#include "ota/remote.h"
#include "proto/limits.h"

namespace {

using ota::BaseUrl;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr const char* kUsage =
    "tuf-client --metadata-dir DIR init ROOT\n"
    "tuf-client --metadata-dir DIR --metadata-url URL refresh\n"
    "tuf-client --metadata-dir DIR --metadata-url URL --target-dir DIR --target-base-url URL\n"
    "           --target-name PATH [--target-name PATH]... download\n"
    "\n"
    "Keeps the verified metadata of a TUF repository in a directory, and downloads what it signs.\n"
    "The directories must exist. A target's file is called like its path, percent-encoded.\n";

constexpr const char* kCaFile = "/etc/ssl/certs/ca-certificates.crt";
// A longer name would be no file's; its digest stands for it then.
constexpr std::size_t kMaxFileNameBytes = 190;

struct Arguments {
  std::string metadata_dir;
  std::string metadata_url;
  std::vector<std::string> target_names;
  std::string target_base_url;
  std::string target_dir;
  std::string command;
  std::string root_file;
};

Error misuse(const std::string& what) {
  return Error{Code::bad_argument, what + "; `tuf-client --help` shows how to call it", ""};
}

// Where the value of a flag goes; null for what is none of ours.
std::string* value_of(Arguments& arguments, std::string_view flag) {
  if (flag == "--metadata-dir") return &arguments.metadata_dir;
  if (flag == "--metadata-url") return &arguments.metadata_url;
  if (flag == "--target-base-url") return &arguments.target_base_url;
  if (flag == "--target-dir") return &arguments.target_dir;
  if (flag == "--target-name") return &arguments.target_names.emplace_back();
  return nullptr;
}

Status check_complete(const Arguments& arguments) {
  const std::string& command = arguments.command;
  const bool downloads = command == "download";
  if (command != "init" && command != "refresh" && !downloads) {
    return misuse(command.empty() ? "no command" : command + " is no command");
  }
  if (arguments.metadata_dir.empty()) return misuse(command + " needs --metadata-dir");
  if (command == "init" && arguments.root_file.empty()) return misuse("init needs a root file");
  if (command != "init" && arguments.metadata_url.empty()) {
    return misuse(command + " needs --metadata-url");
  }
  const bool has_targets = !arguments.target_names.empty() && !arguments.target_dir.empty() &&
                           !arguments.target_base_url.empty();
  if (downloads && !has_targets) {
    return misuse("download needs --target-name, --target-dir and --target-base-url");
  }
  return {};
}

Result<Arguments> read_arguments(const std::vector<std::string>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with("--")) {
      std::string* value = value_of(arguments, words[i]);
      if (value == nullptr) return misuse(words[i] + " is no flag");
      if (i + 1 == words.size()) return misuse(words[i] + " needs a value");
      *value = words[++i];
    } else if (arguments.command.empty()) {
      arguments.command = words[i];
    } else if (arguments.command == "init" && arguments.root_file.empty()) {
      arguments.root_file = words[i];
    } else {
      return misuse("nobody knows what " + words[i] + " is for");
    }
  }
  TRY_VOID(check_complete(arguments));
  return arguments;
}

ota::FetchOptions options_for(const BaseUrl& url) {
  ota::FetchOptions options;
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  options.program = (self.parent_path() / "fleet-fetch").string();
  options.host_name = url.host;
  options.port = url.port;
  options.without_tls = url.without_tls;
  if (!url.without_tls) options.ca_file = kCaFile;
  return options;
}

// No request is made with it.
class NoSource final : public ota::MetadataSource {
 public:
  Result<std::string> fetch(std::string_view, std::size_t) override {
    return Error{Code::unreachable, "init asks nobody", ""};
  }
};

Status init(const Arguments& arguments) {
  const std::filesystem::path root_file = std::filesystem::absolute(arguments.root_file);
  TRY(const auto from, ota::RealDisk::open(root_file.parent_path().string()));
  TRY(const auto bytes, from->read_file(root_file.filename().string(), proto::kMaxRootBytes));
  TRY(const auto disk, ota::RealDisk::open(arguments.metadata_dir));
  ota::DirectoryMetadataStore store(*disk, "");
  NoSource nobody;
  ota::Updater updater(nobody, store);
  return updater.bootstrap({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string file_name_of(std::string_view target) {
  const std::string name = ota::percent_encode(target);
  return name.size() <= kMaxFileNameBytes ? name : ota::sha256(target).hex();
}

Status download(const Arguments& arguments, ota::Updater& updater) {
  TRY(const BaseUrl url, ota::parse_base_url(arguments.target_base_url));
  TRY(const auto disk, ota::RealDisk::open(arguments.target_dir));
  ota::FetchSession session(options_for(url));
  const bool consistent = updater.trusted().root().value.consistent_snapshot;
  for (const std::string& name : arguments.target_names) {
    TRY(const ota::FoundTarget found, updater.find_target(name));
    const std::string path = ota::target_file_path(name, found.file, consistent);
    TRY_VOID(ota::fetch_target(session, url.path + ota::url_path(path), found.file,
                               *disk, file_name_of(name)));
    std::printf("%s/%s\n", arguments.target_dir.c_str(), file_name_of(name).c_str());
  }
  return {};
}

// The new metadata first; then, with the same updater, the targets if any are wanted.
Status run_online(const Arguments& arguments) {
  TRY(const BaseUrl url, ota::parse_base_url(arguments.metadata_url));
  TRY(const auto disk, ota::RealDisk::open(arguments.metadata_dir));
  ota::DirectoryMetadataStore store(*disk, "");
  ota::FetchSession session(options_for(url));
  ota::RemoteMetadata source(session, url.path);
  ota::Updater updater(source, store);
  TRY_VOID(updater.refresh(static_cast<std::int64_t>(std::time(nullptr))));
  return arguments.command == "download" ? download(arguments, updater) : Status();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words == std::vector<std::string>{"--help"}) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const Result<Arguments> arguments = read_arguments(words);
  Status status = arguments ? Status() : Status(arguments.error());
  if (status) status = arguments->command == "init" ? init(*arguments) : run_online(*arguments);
  if (status) return 0;
  std::fprintf(stderr, "tuf-client: %s\n", status.error().what.c_str());
  return 1;
}
