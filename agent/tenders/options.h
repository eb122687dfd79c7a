// The command line of both tenders: that of Solo5's own, and what we add to it. Only reads words;
// what they name is opened in devices.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "agent/tenders/failure.h"
#include "images/abi/solo5.h"

namespace tenders {

/// Where an image, a device or a report is: a path or name, or a descriptor that was inherited.
struct Source {
  std::string_view path;  // ends with a NUL behind its last character; empty: see descriptor
  int descriptor = -1;
  bool is_given() const { return descriptor >= 0 || !path.empty(); }
};

enum class BlockSync { never, always };

/// What the command line says of one device. Kind: images::abi::kDeviceBlock or kDeviceNet.
struct DeviceOption {
  std::string_view name;
  std::uint32_t kind = 0;
  Source source;
  bool has_mac = false;
  std::array<std::uint8_t, 6> mac{};
  std::uint16_t mtu = 0;           // 0: what the host's interface has
  std::uint32_t sector_bytes = 0;  // 0: kDefaultSectorBytes
  BlockSync sync = BlockSync::never;
};

enum class Action { run, show_help, show_version };

struct Options {
  Action action = Action::run;
  std::uint64_t memory_mib = 512;
  std::array<DeviceOption, images::abi::kMaxManifestEntries> devices{};
  std::size_t device_count = 0;
  bool exec_heap = false;              // spt: heap and stack may be run, as Solo5's --x-exec-heap
  std::uint32_t stop_grace_ms = 0;     // after SIGTERM: how long the guest may end by itself
  int report_descriptor = -1;          // one JSON line at the end; -1: none
  int stats_descriptor = -1;
  int kvm_descriptor = -1;             // hvt: /dev/kvm opened by somebody else; -1: open it
  Source image;
  std::string_view image_name;         // for words
  std::array<char, images::abi::kMaxCommandLineBytes> command_line{};  // with its NUL
  std::size_t command_line_bytes = 0;                                  // without

  std::span<const DeviceOption> given_devices() const { return {devices.data(), device_count}; }
};

/// argv[1..]. errors bad_argument, naming the word and what it should be
[[nodiscard]] bool parse_options(std::span<const char* const> words, Options& options,
                                 Failure& failure);

/// What --help says, with the program's name in it.
Text usage(std::string_view program);

}  // namespace tenders
