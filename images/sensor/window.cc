#include "images/sensor/window.h"

#include <algorithm>

namespace images::sensor {
namespace {

constexpr unsigned kQuietWindows = 9;            // then it is told anyway: it lives
constexpr std::uint32_t kMaxReadings = 1 << 20;  // of one window: the sum stays in 64 bits

}  // namespace

void Window::configure(const SensorSettings& settings, std::uint64_t now_ms) {
  settings_ = &settings;
  set_every(settings.every_ms, now_ms);
}

void Window::set_every(std::uint32_t every_ms, std::uint64_t now_ms) {
  every_ms_ = every_ms;
  due_ms_ = now_ms + every_ms;
}

bool Window::within_bounds(Decimal reading) const {
  if (settings_->bounded_below && reading < settings_->min) return false;
  return !settings_->bounded_above || reading <= settings_->max;
}

bool Window::is_spike(Decimal reading) {
  const Decimal step = settings_->step;
  if (step == Decimal{} || !last_ || distance(reading, *last_) <= step) {
    candidate_.reset();
    return false;
  }
  if (candidate_ && distance(reading, *candidate_) <= step) {
    candidate_.reset();
    return false;
  }
  candidate_ = reading;
  return true;
}

bool Window::take(Decimal reading) {
  if (!within_bounds(reading) || is_spike(reading) || count_ == kMaxReadings) {
    ++rejected_;
    return false;
  }
  last_ = reading;
  min_ = count_ == 0 ? reading : std::min(min_, reading);
  max_ = count_ == 0 ? reading : std::max(max_, reading);
  sum_ += reading.thousandths;
  ++count_;
  ++taken_;
  return true;
}

bool Window::within_deadband(Decimal low, Decimal high) const {
  const Decimal band = settings_->deadband;
  if (band == Decimal{} || !told_ || quiet_ == kQuietWindows) return false;
  return distance(low, *told_) < band && distance(high, *told_) < band;
}

Summary Window::cut(std::uint64_t now_ms) {
  const Summary summary{count_, {sum_ / std::int64_t{count_}}, min_, max_};
  due_ms_ = now_ms + every_ms_;
  count_ = 0;
  sum_ = 0;
  return summary;
}

std::optional<Summary> Window::close(std::uint64_t now_ms) {
  if (count_ == 0) return std::nullopt;
  const Summary summary = cut(now_ms);
  told_ = summary.mean;
  quiet_ = 0;
  return summary;
}

std::optional<Summary> Window::close_if_due(std::uint64_t now_ms) {
  if (now_ms < due_ms_) return std::nullopt;
  if (count_ == 0) {
    due_ms_ = now_ms + every_ms_;
    return std::nullopt;
  }
  if (!within_deadband(min_, max_)) return close(now_ms);
  cut(now_ms);
  ++quiet_;
  return std::nullopt;
}

}  // namespace images::sensor
