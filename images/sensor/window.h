// One sensor from its readings to what is worth a message: bounds, spikes, a window, a dead band.
#pragma once

#include <cstdint>
#include <optional>

#include "images/sensor/decimal.h"
#include "images/sensor/settings.h"

namespace images::sensor {

/// What one window saw.
struct Summary {
  std::uint32_t count = 0;
  Decimal mean, min, max;
};

class Window {
 public:
  /// The settings outlive it.
  void configure(const SensorSettings& settings, std::uint64_t now_ms);

  /// Take one reading. False: it lies outside the bounds, or is a step of which no second reading
  /// says the same.
  bool take(Decimal reading);

  /// What is to be told now: at most once in every_ms, nothing where no reading came, and nothing
  /// within the dead band of what was told last, nine windows in a row at most.
  std::optional<Summary> close_if_due(std::uint64_t now_ms);
  /// The same at once, and whatever the dead band says; nothing if no reading came.
  std::optional<Summary> close(std::uint64_t now_ms);

  /// As `every` in the settings, from now on.
  void set_every(std::uint32_t every_ms, std::uint64_t now_ms);

  std::uint32_t every_ms() const { return every_ms_; }
  std::uint64_t taken() const { return taken_; }
  std::uint64_t rejected() const { return rejected_; }

 private:
  bool within_bounds(Decimal reading) const;
  bool is_spike(Decimal reading);
  bool within_deadband(Decimal low, Decimal high) const;
  Summary cut(std::uint64_t now_ms);  // of a window that has readings

  const SensorSettings* settings_ = nullptr;
  std::uint32_t every_ms_ = 0;
  std::uint64_t due_ms_ = 0;
  std::uint32_t count_ = 0;
  std::int64_t sum_ = 0;
  Decimal min_, max_;
  std::optional<Decimal> last_;       // reading that was taken
  std::optional<Decimal> candidate_;  // a step that waits for a second reading
  std::optional<Decimal> told_;       // mean of the last message
  unsigned quiet_ = 0;                // windows in a row that were not told
  std::uint64_t taken_ = 0;
  std::uint64_t rejected_ = 0;
};

}  // namespace images::sensor
