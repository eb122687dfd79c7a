// A serial line led to a guest, with a real pseudo-terminal as the line.
#include "agent/launcher/serial.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <string>

#include "images/abi/serial_line.h"

namespace launcher {
namespace {

namespace abi = images::abi;

/// The far end of a line.
struct Far {
  Fd end;
  std::string path;
};

Far make_line() {
  Far far;
  far.end = Fd(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_EQ(::grantpt(far.end.get()), 0);
  EXPECT_EQ(::unlockpt(far.end.get()), 0);
  far.path = ::ptsname(far.end.get());
  return far;
}

/// One turn of the server's loop; false if nothing happened within the wait.
bool turn(SerialLine& line, int wait_ms = 1000) {
  auto polled = line.polled();
  const bool any = ::poll(polled.data(), polled.size(), wait_ms) > 0;
  line.serve(polled.data());
  return any;
}

std::string take(const Fd& guest) {
  std::uint8_t frame[2048];
  const ssize_t got = ::recv(guest.get(), frame, sizeof frame, MSG_DONTWAIT);
  if (got <= 0) return {};
  const auto bytes = abi::serial_bytes({frame, static_cast<std::size_t>(got)});
  return std::string(bytes.begin(), bytes.end());
}

void say(const Far& far, const std::string& text) {
  ASSERT_EQ(::write(far.end.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

TEST(Serial, BytesGoBothWaysUnchanged) {
  const Far far = make_line();
  auto line = SerialLine::open({far.path, 9600});
  ASSERT_TRUE(line) << line.error().what;
  const Fd guest = (*line)->take_guest_end();
  say(far, "t=21.5\r\n\x03\x11");  // what a terminal would take for itself
  ASSERT_TRUE(turn(**line));
  EXPECT_EQ(take(guest), "t=21.5\r\n\x03\x11");

  std::uint8_t frame[abi::kSerialHeaderBytes + 4];
  abi::write_serial_header(std::span(frame).first<abi::kSerialHeaderBytes>(), 3);
  std::copy_n("go\n", 3, frame + abi::kSerialHeaderBytes);  // and a byte of padding
  ASSERT_GT(::send(guest.get(), frame, sizeof frame, 0), 0);
  ASSERT_TRUE(turn(**line));
  char heard[16];
  ASSERT_EQ(::read(far.end.get(), heard, sizeof heard), 3);
  EXPECT_EQ(std::string(heard, 3), "go\n");
}

TEST(Serial, OtherFramesOfTheGuestAreNotSaid) {
  const Far far = make_line();
  auto line = SerialLine::open({far.path, 115200});
  ASSERT_TRUE(line);
  const Fd guest = (*line)->take_guest_end();
  std::uint8_t frame[60] = {};
  ASSERT_GT(::send(guest.get(), frame, sizeof frame, 0), 0);
  turn(**line);
  abi::write_serial_header(std::span(frame).first<abi::kSerialHeaderBytes>(), 500);  // it lies
  ASSERT_GT(::send(guest.get(), frame, sizeof frame, 0), 0);
  turn(**line);
  char heard[16];
  EXPECT_LT(::read(far.end.get(), heard, sizeof heard), 0);
}

TEST(Serial, AGuestThatDoesNotReadMakesTheLineWaitAndLosesNothing) {
  const Far far = make_line();
  auto line = SerialLine::open({far.path, 115200});
  ASSERT_TRUE(line);
  const Fd guest = (*line)->take_guest_end();
  std::string said;
  for (int i = 0; i < 2000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    if (::write(far.end.get(), piece.data(), piece.size()) < 0) break;
    said += piece;
    turn(**line, 0);
  }
  std::string heard;
  while (turn(**line, 50) || !heard.ends_with(said.substr(said.size() - 8))) {
    const std::string piece = take(guest);
    if (piece.empty() && !turn(**line, 200)) break;
    heard += piece;
  }
  EXPECT_EQ(heard, said);
}

TEST(Serial, ALostLineIsOpenedAgain) {
  Far far = make_line();
  auto line = SerialLine::open({far.path, 115200});
  ASSERT_TRUE(line);
  EXPECT_EQ((*line)->reopen(), -1);
  far.end.reset();  // the far end is gone
  ASSERT_TRUE(turn(**line));
  EXPECT_EQ((*line)->polled()[0].fd, -1);
  EXPECT_GE((*line)->reopen(), 0);
}

TEST(Serial, NothingAttachedIsALineThatIsSilent) {
  auto line = SerialLine::open({});
  ASSERT_TRUE(line);
  const Fd guest = (*line)->take_guest_end();
  EXPECT_EQ((*line)->reopen(), -1);
  EXPECT_FALSE(turn(**line, 0));
  EXPECT_EQ(take(guest), "");
}

TEST(Serial, WhatIsNoSerialLineIsRefused) {
  EXPECT_EQ(SerialLine::open({"/dev/null", 9600}).error().code, proto::Code::bad_argument);
  EXPECT_EQ(SerialLine::open({"/dev/there-is-none", 9600}).error().code, proto::Code::io);
}

}  // namespace
}  // namespace launcher
