#include "deploy/fleetctl/complete.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "deploy/fleetctl/catalog.h"

namespace fleetctl {
namespace {

constexpr std::uint64_t kPatienceMs = 900;
constexpr std::size_t kMostDevices = 500;

// A word that a shell may put on a command line as it is.
bool is_plain(const std::string& word) {
  return !word.empty() && word.front() != '-' &&
         std::all_of(word.begin(), word.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '=' || c == '/';
         });
}

std::vector<std::string> fitting(const std::set<std::string>& words, const std::string& begun) {
  std::vector<std::string> out;
  for (const std::string& word : words) {
    if (is_plain(word) && word.starts_with(begun)) out.push_back(word);
  }
  return out;
}

// The summaries are in the controller's memory; the whole list serves tokens of groups.
proto::Result<fleet::v1::DeviceSummaryList> devices_for(Api& api, const std::string& word) {
  auto list = api.summaries(word, kMostDevices);
  if (list || list.error().code != proto::Code::forbidden) return list;
  TRY(const fleet::v1::DeviceList all, api.devices("all"));
  fleet::v1::DeviceSummaryList out;
  for (const auto& device : all.devices()) {
    auto& one = *out.add_devices();
    one.set_name(device.name());
    *one.mutable_groups() = device.groups();
    *one.mutable_labels() = device.labels();
  }
  return out;
}

proto::Result<std::vector<std::string>> words_of(Api& api, const CompleteOptions& options) {
  std::set<std::string> words;
  if (options.what == "apps") {
    TRY(const auto list, api.apps());
    for (const auto& app : list.apps()) words.insert(app.name());
  } else if (options.what == "releases") {
    if (options.app.empty()) return std::vector<std::string>();
    TRY(const auto list, api.releases(options.app));
    for (const auto& release : list.releases()) words.insert(std::to_string(release.number()));
  } else if (options.what == "rollouts") {
    TRY(const auto list, api.rollouts());
    for (const auto& rollout : list.rollouts()) words.insert(rollout.id());
  } else {
    TRY(const auto list, devices_for(api, options.word));
    return device_words(list, options);
  }
  return fitting(words, options.word);
}

}  // namespace

std::vector<std::string> device_words(const fleet::v1::DeviceSummaryList& list,
                                      const CompleteOptions& options) {
  std::set<std::string> words;
  const bool selectors = options.what == "selectors";
  if (selectors) words.insert("all");
  for (const auto& device : list.devices()) {
    if (options.what != "groups") words.insert(device.name());
    if (selectors || options.what == "groups") {
      words.insert(device.groups().begin(), device.groups().end());
    }
    if (!selectors) continue;
    for (const auto& [name, value] : device.labels()) words.insert(name + "=" + value);
  }
  return fitting(words, options.word);
}

CommandResult complete(Program& program, const CompleteOptions& options) {
  if (options.what == "catalog") {
    std::set<std::string> names;
    if (const auto catalog = read_catalog("")) {
      for (const CatalogEntry& entry : catalog->entries) names.insert(entry.name);
    }
    program.terminal.lines(fitting(names, options.word));
    return ExitCode::ok;
  }
  const auto connection = connect(program, kPatienceMs);
  if (!connection) return ExitCode::ok;
  if (const auto words = words_of(*connection->api, options)) program.terminal.lines(*words);
  return ExitCode::ok;
}

}  // namespace fleetctl
