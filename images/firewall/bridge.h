// The firewall as a cable with rules: a frame in, a verdict out; no frame is changed.
#pragma once

#include "images/firewall/firewall.h"
#include "images/firewall/stations.h"

namespace images::firewall {

class Bridge {
 public:
  /// The firewall outlives it. False: too little memory. `stations`: 1..65536.
  bool create(Firewall& firewall, std::size_t stations, const HashKey& key,
              runtime::Arena& memory);

  /// A frame that came in on one port and would leave by the other. Then what the firewall gives
  /// as next_early() must be judged, too.
  Outcome judge(std::span<const std::uint8_t> frame, std::size_t in_port, std::size_t out_port,
                std::uint64_t now_ms);

 private:
  Outcome decide(std::span<const std::uint8_t> frame, std::size_t in_port, std::size_t out_port,
                 std::uint64_t now_ms);

  Firewall* firewall_ = nullptr;
  Stations stations_;
};

}  // namespace images::firewall
