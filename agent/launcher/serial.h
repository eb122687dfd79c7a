// A serial line of the host, led to one guest as frames (images/abi/serial_line.h). Bytes are only
// moved. A line that goes away, as an adapter that is pulled out, is opened again when it is back.
#pragma once

#include <poll.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/launcher/conf.h"
#include "agent/launcher/fd.h"
#include "proto/result.h"

namespace launcher {

/// Whether the kernel knows that speed: 1200 to 921600, the usual ones.
bool is_baud(std::uint32_t baud);

class SerialLine {
 public:
  /// Opens the line raw, eight bits, no parity. in: an empty path is a line at which nothing is
  /// attached. errors  io, naming the path; bad_argument: it is no serial line
  static proto::Result<std::unique_ptr<SerialLine>> open(const SerialPort& port);

  const std::string& path() const { return port_.path; }
  /// The monitor's end: a socket that keeps frames apart. Given away once.
  Fd take_guest_end() { return std::move(guest_end_); }

  /// What it waits for: the line, and the guest.
  static constexpr std::size_t kPolled = 2;
  std::array<pollfd, kPolled> polled() const;
  /// After a poll of these.
  void serve(const pollfd* polled);
  /// Opens a lost line again if it is time; milliseconds until it is, -1: it is there.
  int reopen();

 private:
  explicit SerialLine(SerialPort port) : port_(std::move(port)) {}
  proto::Status open_line();
  void from_line();
  void from_guest();
  void lose_line();

  SerialPort port_;
  Fd line_;
  Fd host_end_;
  Fd guest_end_;
  std::vector<std::uint8_t> waiting_;  // a frame that the guest did not take yet
  std::uint64_t reopen_at_ms_ = 0;
};

}  // namespace launcher
