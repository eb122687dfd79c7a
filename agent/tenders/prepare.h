// What both tenders do first: command line, image, devices. Nothing of it is asked again.
#pragma once

#include <cstdint>
#include <string_view>

#include "agent/tenders/devices.h"
#include "agent/tenders/failure.h"
#include "agent/tenders/image.h"
#include "agent/tenders/options.h"
#include "agent/tenders/start.h"

namespace tenders {

/// Which program it is.
struct Program {
  std::string_view name;     // "fleet-spt"
  std::uint32_t target = 0;  // images::abi::kTarget*
};

struct Prepared {
  Options options;
  int image_file = -1;
  Image image;
  Devices devices;
};

/// Fill it. On --help and --version it says so and ends the process.
/// errors all of options.h, image.h and devices.h
[[nodiscard]] bool prepare(const Program& program, const StartInfo& start, Prepared& prepared,
                           Failure& failure);

/// Say why on stderr, and on the exit report's descriptor if one was given; status 1.
[[noreturn]] void give_up(const Program& program, const Options& options, const Failure& failure);

}  // namespace tenders
