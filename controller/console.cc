#include "controller/console.h"

#include <algorithm>
#include <utility>

#include "proto/json.h"

namespace controller {

v1::LogEvent Consoles::to_event(const Key& key, std::uint64_t offset, std::string data,
                                std::uint64_t time_ms) {
  v1::LogEvent out;
  out.set_device(key.device);
  out.set_app(key.app);
  out.set_release(key.release);
  out.set_instance(key.instance);
  out.set_offset(offset);
  out.set_data(std::move(data));
  out.set_time_ms(time_ms);
  return out;
}

void Consoles::add(const std::string& device, const v1::LogChunk& chunk) {
  ++chunks_seen_;
  const Key key{device, chunk.app(), chunk.release(), chunk.instance()};
  auto [place, is_new] = kept_.try_emplace(key);
  Kept& kept = place->second;
  if (is_new) {
    kept.offset = chunk.offset();
    kept.age = ages_.insert(ages_.end(), key);
    size_bytes_ += key.device.size() + key.app.size() + key.instance.size() + sizeof(Kept);
  } else {
    ages_.splice(ages_.end(), ages_, kept.age);
  }
  kept.time_ms = chunk.time_ms();
  const std::uint64_t next = kept.offset + kept.data.size();
  std::string_view bytes = chunk.data();
  if (chunk.offset() > next) {
    // Bytes between were never sent: what is kept begins anew, offsets stay true.
    size_bytes_ -= kept.data.size();
    kept.data.clear();
    kept.offset = chunk.offset();
  } else {
    bytes.remove_prefix(static_cast<std::size_t>(
        std::min<std::uint64_t>(next - chunk.offset(), bytes.size())));
  }
  if (bytes.empty()) return;
  const std::uint64_t at = kept.offset + kept.data.size();
  kept.data.append(bytes);
  size_bytes_ += bytes.size();
  if (kept.data.size() > proto::kConsoleKeptBytes) {
    const std::size_t extra = kept.data.size() - proto::kConsoleKeptBytes;
    kept.data.erase(0, extra);
    kept.offset += extra;
    size_bytes_ -= extra;
  }
  while (size_bytes_ > kConsolesBytes && ages_.size() > 1) drop_oldest();
  if (feed_.size() == 0) return;
  const auto json = proto::to_json(to_event(key, at, std::string(bytes), chunk.time_ms()),
                                   {.pretty = false, .defaults = false});
  if (!json) return;
  EventRow row;
  row.event.set_app(key.app);
  row.event.set_device(key.device);
  feed_.publish_frame(std::make_shared<const std::string>(sse_frame(0, "log", *json)), row);
}

void Consoles::drop_oldest() {
  const auto oldest = kept_.find(ages_.front());
  FLEET_ASSERT(oldest != kept_.end());
  size_bytes_ -= oldest->second.data.size() + oldest->first.device.size() +
                 oldest->first.app.size() + oldest->first.instance.size() + sizeof(Kept);
  kept_.erase(oldest);
  ages_.pop_front();
}

std::vector<v1::LogEvent> Consoles::kept(const std::string& app, const std::string& device,
                                         std::uint64_t release) const {
  std::vector<v1::LogEvent> out;
  for (const Key& key : ages_) {
    if (key.app != app || (!device.empty() && key.device != device)) continue;
    if (release != 0 && key.release != release) continue;
    const Kept& kept = kept_.at(key);
    out.push_back(to_event(key, kept.offset, kept.data, kept.time_ms));
  }
  return out;
}

void Consoles::forget_device(const std::string& device) {
  for (auto it = ages_.begin(); it != ages_.end();) {
    const Key key = *it++;
    if (key.device != device) continue;
    ages_.splice(ages_.begin(), ages_, kept_.at(key).age);
    drop_oldest();
  }
}

}  // namespace controller
