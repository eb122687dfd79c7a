// Storm: which faults and orders come, how often and when. Each seed draws its own kinds, so that
// some worlds know one fault alone and others all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace sim {

class Device;
class World;

class Storm {
 public:
  explicit Storm(World& world);

  void begin();
  std::int64_t lasts_ms() const { return lasts_ms_; }
  /// Everything is mended, and nothing new is asked for.
  void end();

 private:
  struct Kind {
    std::int64_t every_ms = 0;  // on average
    std::function<void()> strike;
  };
  void add(const char* name, std::int64_t every_ms, std::function<void()> strike);
  void plan(std::size_t kind);
  Device& any_device();
  void draw_weather();
  void jump_clock();
  void offline_for_weeks();
  void restore_controller();

  World& world_;
  std::vector<Kind> kinds_;
  std::int64_t lasts_ms_ = 0;
  bool bad_releases_ = false;
  bool over_ = false;
};

}  // namespace sim
