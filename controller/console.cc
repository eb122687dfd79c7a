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
constexpr std::size_t kKeysMax = 16384;  // with 64 KiB each, the cap of 1 GiB (DESIGN 8)

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

fleet::v1::LogEvent& Consoles::load(const Key& key) {
  const auto found = kept_.find(key);
  if (found != kept_.end()) return found->second;
  fleet::v1::LogEvent event;
  const auto content = disk_.read_file(file_name(key), 2 * proto::kConsoleKeptBytes);
  const bool read = content && event.ParseFromArray(content->data(),
                                                    static_cast<int>(content->size()));
  if (!read) event.Clear();
  event.set_device(std::get<0>(key));
  event.set_app(std::get<1>(key));
  event.set_release(std::get<2>(key));
  return kept_.emplace(key, std::move(event)).first->second;
}

void Consoles::add(const std::string& device, const fleet::v1::LogChunk& chunk) {
  const Key key{device, chunk.app(), chunk.release()};
  if (kept_.size() >= kKeysMax && kept_.count(key) == 0) return;
  fleet::v1::LogEvent& kept = load(key);
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
  const proto::Status saved = disk_.replace_file(file_name(key), bytes_of(kept.SerializeAsString()));
  if (!saved) proto::log_warning("console.not_kept", {{"why", saved.error().what}});
  const auto json = proto::to_json(told, {.pretty = false, .defaults = false});
  if (!json) return;
  for (Follower& follower : followers_) {
    const auto& devices = follower.devices;
    if (follower.app != chunk.app()) continue;
    if (std::find(devices.begin(), devices.end(), device) == devices.end()) continue;
    follower.waiting.push_back(
        server_sent_event(static_cast<std::int64_t>(follower.next_id++), *json));
    if (follower.waiting.size() > kWaitingMax) follower.waiting.pop_front();
  }
  added_.notify();
}

fleet::v1::LogList Consoles::kept(const std::string& app, const std::string& device,
                                  std::uint64_t release) {
  fleet::v1::LogList list;
  const auto files = disk_.list("");
  if (!files) return list;
  std::vector<std::uint64_t> releases;
  const std::string prefix = device + "." + app + ".";
  for (const ota::DiskEntry& entry : *files) {
    if (entry.name.rfind(prefix, 0) != 0) continue;
    const std::uint64_t number = std::strtoull(entry.name.c_str() + prefix.size(), nullptr, 10);
    if (number != 0 && (release == 0 || release == number)) releases.push_back(number);
  }
  std::sort(releases.begin(), releases.end());
  for (const std::uint64_t number : releases) *list.add_chunks() = load({device, app, number});
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
