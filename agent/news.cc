#include "agent/news.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "ota/hash.h"
#include "ota/repository.h"
#include "proto/log.h"

namespace agent {
namespace {

using proto::Code;
using proto::Deadline;
using proto::Error;
using proto::Status;

constexpr std::int64_t kIdleMs = 60'000;  // how often the age of what is stored is asked
constexpr std::int64_t kFirstRetryMs = 500;
constexpr std::int64_t kLongestRetryMs = 60'000;

}  // namespace

void News::tell(std::uint64_t news) {
  if (news != told_) {
    last_wait_ms_ = 0;
    not_before_ms_ = device_.ports.clock.now_ms() + ota::random_below(kNewsSpreadMs);
  }
  told_ = news;
  changed_.notify();
}

void News::stop() {
  if (fetch_ != nullptr) fetch_->cancel();
  changed_.notify();
}

bool News::is_due() const {
  if (told_ != followed_) return true;
  const std::int64_t expires_s = device_.metadata.timestamp_expires_s;
  return expires_s != 0 &&
         ota::renew_due(expires_s, ota::kTimestampLifetime_s, device_.now_s());
}

proto::awaitable<Status> News::look(std::vector<std::string> apps) {
  const std::unique_ptr<ota::Fetch> session = device_.ports.fetches.open();
  fetch_ = session.get();
  MetadataFacts facts;
  const std::int64_t now_s = device_.now_s();
  auto work = [this, &session, &apps, &facts, now_s] {
    return device_.trust.look(*session, apps, now_s, facts);
  };
  Status looked = co_await proto::run_blocking(device_.ports.fetch_pool, std::move(work));
  fetch_ = nullptr;
  const auto floor_fell = device_.learn(facts);
  if (!floor_fell) co_return floor_fell.error();
  const bool expired = !looked && looked.error().code == Code::expired;
  // What expired by a floor that a stolen key had set is asked again by the right one.
  if (*floor_fell && expired) looked = Error{Code::unavailable, "the time floor fell", ""};
  co_return looked;
}

void News::after(const Status& looked, std::uint64_t told) {
  if (looked) {
    const Status kept = told == followed_ ? Status() : device_.state.store_news(told);
    if (kept) followed_ = told;
    device_.metadata_why.reset();
    last_wait_ms_ = 0;
    proto::log_info("metadata.refreshed",
                    {{"timestamp", device_.metadata.timestamp_version}, {"news", told}});
  } else {
    device_.metadata_why = looked.error();
    const bool passes = is_transient(looked.error().code);
    last_wait_ms_ = std::clamp(last_wait_ms_ * 2, passes ? kFirstRetryMs : kLongestRetryMs,
                               passes ? kLongestRetryMs : kOldMetadataLookMs);
    proto::log_error("metadata.not_refreshed", {{"why", looked.error().what},
                                                {"code", proto::name_of(looked.error().code)},
                                                {"wait_ms", last_wait_ms_}});
  }
  if (told_ != told) return;  // newer news came meanwhile, with a time of their own
  not_before_ms_ =
      device_.ports.clock.now_ms() + (looked ? kOldMetadataLookMs : last_wait_ms_);
}

proto::awaitable<void> News::run(std::function<std::vector<std::string>()> apps) {
  proto::Clock& clock = device_.ports.clock;
  const auto stored = device_.state.news();
  if (stored) followed_ = *stored;
  while (!device_.stopping) {
    const bool due = device_.link_up && is_due();
    const Deadline start{not_before_ms_};
    if (!due || !start.passed(clock)) {
      const Deadline idle = Deadline::after(clock, kIdleMs);
      co_await changed_.wait(due ? idle.sooner(start) : idle);
      continue;
    }
    const std::uint64_t told = told_;
    const Status looked = co_await look(apps());
    if (device_.stopping) co_return;
    after(looked, told);
    device_.outbox_changed.notify();
  }
}

}  // namespace agent
