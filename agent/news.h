// News: looks at the signed metadata when nothing is wanted of the device, because the controller
// says that there is something to know (Desired.metadata_news), or because what is stored grows
// old. So a yank is known before anything is pushed, and a controller that holds back is noticed.
// It changes no app and never takes the controller's word for anything.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/device.h"
#include "ota/fetch.h"
#include "proto/async.h"

namespace agent {

/// Between two looks at metadata that is old, or that was refused.
inline constexpr std::int64_t kOldMetadataLookMs = 3'600'000;
/// A fleet that is told of news at once asks within so long, not in one moment.
inline constexpr std::int64_t kNewsSpreadMs = 2000;

class News {
 public:
  /// in     device: borrowed, outlives it
  explicit News(Device& device) : device_(device), changed_(device.ports.clock) {}
  News(const News&) = delete;
  News& operator=(const News&) = delete;

  /// What the controller says; another number than the last one that was followed is news.
  void tell(std::uint64_t news);
  std::uint64_t told() const { return told_; }
  /// Looks until the agent stops, only while there is a link.
  /// in     apps: whose roles are read
  proto::awaitable<void> run(std::function<std::vector<std::string>()> apps);
  /// Ends a look that is under way.
  void stop();

 private:
  bool is_due() const;
  proto::awaitable<proto::Status> look(std::vector<std::string> apps);
  void after(const proto::Status& looked, std::uint64_t told);

  Device& device_;
  proto::Notifier changed_;
  std::uint64_t told_ = 0;
  std::uint64_t followed_ = 0;
  std::int64_t not_before_ms_ = 0;  // monotonic
  std::int64_t last_wait_ms_ = 0;
  ota::Fetch* fetch_ = nullptr;  // of the look that is under way
};

}  // namespace agent
