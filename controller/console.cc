#include "controller/console.h"

#include <algorithm>
#include <utility>

#include "controller/events.h"
#include "proto/json.h"
#include "proto/limits.h"
#include "proto/log.h"

namespace controller {
namespace {

constexpr std::size_t kWaitingMax = 256;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

class ConsoleFeed final : public Feed {
 public:
  ConsoleFeed(Consoles& consoles, std::list<Consoles::Follower>::iterator follower)
      : consoles_(consoles), follower_(follower) {}
  ~ConsoleFeed() override { consoles_.followers_.erase(follower_); }
  ConsoleFeed(const ConsoleFeed&) = delete;
  ConsoleFeed& operator=(const ConsoleFeed&) = delete;

  awaitable<Result<std::string>> next(proto::Deadline deadline) override {
    while (follower_->waiting.empty()) {
      const bool woken = co_await consoles_.added_.wait(deadline);
      if (!woken && follower_->waiting.empty()) co_return std::string();
    }
    std::string text;
    for (const std::string& piece : follower_->waiting) text += piece;
    follower_->waiting.clear();
    co_return text;
  }

 private:
  Consoles& consoles_;
  std::list<Consoles::Follower>::iterator follower_;
};

Consoles::Consoles(ota::Disk& disk, proto::Clock& clock)
    : disk_(disk), clock_(clock), added_(clock) {}

std::string Consoles::file_name(const Key& key) {
  // Names are DNS labels, so that they can be parts of a file's name.
  return std::get<0>(key) + "." + std::get<1>(key) + "." + std::to_string(std::get<2>(key));
}

Consoles::Kept& Consoles::load(const Key& key) {
  const auto found = kept_.find(key);
  if (found != kept_.end()) {
    found->second.used = ++uses_;
    return found->second;
  }
  make_room();
  Kept kept;
  const auto content = disk_.read_file(file_name(key), 2 * proto::kConsoleKeptBytes);
  const bool read = content && kept.event.ParseFromArray(content->data(),
                                                         static_cast<int>(content->size()));
  if (!read) kept.event.Clear();
  kept.event.set_device(std::get<0>(key));
  kept.event.set_app(std::get<1>(key));
  kept.event.set_release(std::get<2>(key));
  kept.used = ++uses_;
  return kept_.emplace(key, std::move(kept)).first->second;
}

// The file that was not asked for the longest leaves the memory.
void Consoles::make_room() {
  if (kept_.size() < kConsolesInMemory) return;
  const auto oldest =
      std::min_element(kept_.begin(), kept_.end(),
                       [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
  save(oldest->first, oldest->second);
  kept_.erase(oldest);
}

void Consoles::save(const Key& key, Kept& kept) {
  if (!kept.dirty) return;
  kept.dirty = false;
  const std::string name = file_name(key);
  const proto::Status saved = disk_.replace_file(name, bytes_of(kept.event.SerializeAsString()));
  if (!saved) proto::log_warning("console.not_kept", {{"why", saved.error().what}});
  // Old releases make room for new ones.
  const std::vector<std::uint64_t> all = releases(std::get<1>(key), std::get<0>(key));
  for (std::size_t i = 0; i + kReleasesKept < all.size(); ++i) {
    const Key old{std::get<0>(key), std::get<1>(key), all[i]};
    if (old == key) continue;
    const proto::Status removed = disk_.remove(file_name(old));
    if (!removed) proto::log_warning("console.not_removed", {{"why", removed.error().what}});
  }
}

void Consoles::save_some(std::size_t files) {
  for (auto& [key, kept] : kept_) {
    if (!kept.dirty) continue;
    if (files-- == 0) return;
    save(key, kept);
  }
}

void Consoles::add(const std::string& device, const fleet::v1::LogChunk& chunk) {
  if (chunk.release() == 0) return;
  Kept& entry = load(Key{device, chunk.app(), chunk.release()});
  fleet::v1::LogEvent& kept = entry.event;
  if (kept.instance() != chunk.instance()) {
    kept.set_instance(chunk.instance());
    kept.set_offset(chunk.offset());
    kept.clear_data();
  }
  const std::uint64_t end = kept.offset() + kept.data().size();
  std::string fresh = chunk.data();
  if (chunk.offset() < end) {
    fresh.erase(0, static_cast<std::size_t>(std::min<std::uint64_t>(end - chunk.offset(),
                                                                    fresh.size())));
  } else if (chunk.offset() > end) {
    kept.clear_data();
    kept.set_offset(chunk.offset());
  }
  if (fresh.empty()) return;
  entry.dirty = true;
  kept.set_time_ms(chunk.time_ms());
  fleet::v1::LogEvent told = kept;
  told.set_offset(kept.offset() + kept.data().size());
  told.set_data(fresh);
  kept.mutable_data()->append(fresh);
  if (kept.data().size() > proto::kConsoleKeptBytes) {
    const std::size_t extra = kept.data().size() - proto::kConsoleKeptBytes;
    kept.mutable_data()->erase(0, extra);
    kept.set_offset(kept.offset() + extra);
  }
  tell(told);
}

void Consoles::tell(const fleet::v1::LogEvent& told) {
  if (followers_.empty()) return;
  const auto json = proto::to_json(told, {.pretty = false, .defaults = false});
  if (!json) return;
  for (Follower& follower : followers_) {
    const auto& devices = follower.devices;
    if (follower.app != told.app()) continue;
    if (std::find(devices.begin(), devices.end(), told.device()) == devices.end()) continue;
    follower.waiting.push_back(
        server_sent_event(static_cast<std::int64_t>(follower.next_id++), *json));
    if (follower.waiting.size() > kWaitingMax) follower.waiting.pop_front();
  }
  added_.notify();
}

std::vector<std::uint64_t> Consoles::releases(const std::string& app, const std::string& device) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [key, kept] : kept_) {
    if (std::get<0>(key) == device && std::get<1>(key) == app && kept.event.data().size() > 0) {
      numbers.push_back(std::get<2>(key));
    }
  }
  const auto files = disk_.list("");
  const std::string prefix = device + "." + app + ".";
  for (const ota::DiskEntry& entry : files ? *files : std::vector<ota::DiskEntry>()) {
    if (entry.name.rfind(prefix, 0) != 0) continue;
    const std::uint64_t number = std::strtoull(entry.name.c_str() + prefix.size(), nullptr, 10);
    if (number != 0) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

fleet::v1::LogList Consoles::kept(const std::string& app, const std::string& device,
                                  std::uint64_t release) {
  fleet::v1::LogList list;
  for (const std::uint64_t number : releases(app, device)) {
    if (release != 0 && release != number) continue;
    *list.add_chunks() = load({device, app, number}).event;
  }
  return list;
}

std::unique_ptr<Feed> Consoles::follow(const std::string& app, std::vector<std::string> devices) {
  followers_.push_front(Follower{app, std::move(devices), {}, 1});
  return std::make_unique<ConsoleFeed>(*this, followers_.begin());
}

std::vector<std::pair<std::string, std::string>> Consoles::followed() const {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const Follower& follower : followers_) {
    for (const std::string& device : follower.devices) pairs.emplace_back(follower.app, device);
  }
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  return pairs;
}

}  // namespace controller
