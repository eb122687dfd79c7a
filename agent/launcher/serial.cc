#include "agent/launcher/serial.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/launcher/system.h"
#include "images/abi/serial_line.h"

namespace launcher {
namespace {

namespace abi = images::abi;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::uint64_t kReopenMs = 1000;

struct Speed {
  std::uint32_t baud;
  speed_t code;
};
constexpr Speed kSpeeds[] = {{1200, B1200},     {2400, B2400},     {4800, B4800},
                             {9600, B9600},     {19200, B19200},   {38400, B38400},
                             {57600, B57600},   {115200, B115200}, {230400, B230400},
                             {460800, B460800}, {921600, B921600}};

const Speed* find_speed(std::uint32_t baud) {
  const auto* found = std::find_if(std::begin(kSpeeds), std::end(kSpeeds),
                                   [baud](const Speed& speed) { return speed.baud == baud; });
  return found == std::end(kSpeeds) ? nullptr : found;
}

bool is_gone(ssize_t got) { return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR); }

}  // namespace

bool is_baud(std::uint32_t baud) { return find_speed(baud) != nullptr; }

Result<std::unique_ptr<SerialLine>> SerialLine::open(const SerialPort& port) {
  std::unique_ptr<SerialLine> made(new SerialLine(port));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return Error{Code::io, "launcher: socketpair: " + std::string(std::strerror(errno)), ""};
  }
  made->host_end_ = Fd(ends[0]);
  made->guest_end_ = Fd(ends[1]);
  if (!port.path.empty()) TRY_VOID(made->open_line());
  return made;
}

Status SerialLine::open_line() {
  const auto failed = [this] {
    return Error{Code::io, "launcher: serial line " + port_.path + ": " + std::strerror(errno), ""};
  };
  Fd line(::open(port_.path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!line) return failed();
  termios settings{};
  if (::tcgetattr(line.get(), &settings) != 0) {
    if (errno != ENOTTY) return failed();
    return Error{Code::bad_argument, "launcher: " + port_.path + " is no serial line", ""};
  }
  ::cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  const speed_t speed = find_speed(port_.baud)->code;
  ::cfsetispeed(&settings, speed);
  ::cfsetospeed(&settings, speed);
  if (::tcsetattr(line.get(), TCSANOW, &settings) != 0) return failed();
  line_ = std::move(line);
  return {};
}

std::array<pollfd, SerialLine::kPolled> SerialLine::polled() const {
  const bool full = !waiting_.empty();
  const short guest = full ? POLLIN | POLLOUT : POLLIN;
  // While the guest takes nothing the line waits too: its driver's buffer is the bound.
  return {{{full ? -1 : line_.get(), POLLIN, 0}, {host_end_.get(), guest, 0}}};
}

void SerialLine::serve(const pollfd* polled) {
  if (polled[0].revents != 0) from_line();
  if ((polled[1].revents & POLLIN) != 0) from_guest();
  if ((polled[1].revents & POLLOUT) == 0 || waiting_.empty()) return;
  const ssize_t sent = ::send(host_end_.get(), waiting_.data(), waiting_.size(), MSG_NOSIGNAL);
  if (sent >= 0 || errno != EAGAIN) waiting_.clear();
}

void SerialLine::from_line() {
  std::array<std::uint8_t, abi::kSerialHeaderBytes + abi::kMaxSerialBytes> frame;
  const ssize_t got =
      ::read(line_.get(), frame.data() + abi::kSerialHeaderBytes, abi::kMaxSerialBytes);
  if (is_gone(got)) return lose_line();
  if (got < 0) return;
  const auto count = static_cast<std::size_t>(got);
  abi::write_serial_header(std::span(frame).first<abi::kSerialHeaderBytes>(), count);
  const std::size_t size = abi::kSerialHeaderBytes + count;
  if (::send(host_end_.get(), frame.data(), size, MSG_NOSIGNAL) < 0 && errno == EAGAIN) {
    waiting_.assign(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
  }
}

void SerialLine::from_guest() {
  std::array<std::uint8_t, 2048> frame;
  const ssize_t got = ::recv(host_end_.get(), frame.data(), frame.size(), 0);
  if (got <= 0 || !line_) return;
  const auto bytes = abi::serial_bytes({frame.data(), static_cast<std::size_t>(got)});
  // What a slow line has no room for is lost, as on any line without flow control.
  if (!bytes.empty() && is_gone(::write(line_.get(), bytes.data(), bytes.size()))) lose_line();
}

void SerialLine::lose_line() {
  log_line("warning", "serial.lost", "line=" + port_.path);
  line_.reset();
  reopen_at_ms_ = now_ms() + kReopenMs;
}

int SerialLine::reopen() {
  if (line_ || port_.path.empty()) return -1;
  const std::uint64_t now = now_ms();
  if (now < reopen_at_ms_) return static_cast<int>(reopen_at_ms_ - now);
  if (open_line()) {
    log_line("info", "serial.back", "line=" + port_.path);
    return -1;
  }
  reopen_at_ms_ = now + kReopenMs;
  return static_cast<int>(kReopenMs);
}

}  // namespace launcher
