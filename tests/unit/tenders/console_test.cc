// Writing to readers that are slow, gone or asleep.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "agent/tenders/console.h"

namespace {

class ConsoleTest : public testing::Test {
 protected:
  ConsoleTest() {
    EXPECT_EQ(::pipe(ends_), 0);
    ::signal(SIGPIPE, SIG_IGN);
  }
  ~ConsoleTest() override {
    for (const int one : {ends_[0], ends_[1], stop_}) ::close(one);
  }
  void write(std::size_t size) {
    const std::vector<std::uint8_t> text(size, 'x');
    tenders::write_patiently(ends_[1], text, stop_);
  }
  std::size_t read_all() {
    ::close(ends_[1]);
    ends_[1] = -1;
    std::size_t size = 0;
    char buffer[10'000];
    for (;;) {
      const ssize_t got = ::read(ends_[0], buffer, sizeof buffer);
      if (got <= 0) return size;
      size += static_cast<std::size_t>(got);
    }
  }

  int ends_[2] = {-1, -1};
  int stop_ = ::eventfd(0, 0);
};

constexpr std::size_t kMuch = 1 << 20;  // more than a pipe holds

TEST_F(ConsoleTest, WaitsForASlowReader) {
  std::size_t got = 0;
  std::thread reader([this, &got] {
    std::vector<char> buffer(1000);
    while (got < kMuch) {
      const ssize_t size = ::read(ends_[0], buffer.data(), buffer.size());
      if (size <= 0) return;
      got += static_cast<std::size_t>(size);
    }
  });
  write(kMuch);
  reader.join();
  EXPECT_EQ(got, kMuch);
}

TEST_F(ConsoleTest, AnOrderToStopEndsTheWaitForAReaderThatSleeps) {
  std::thread order([this] { EXPECT_EQ(::eventfd_write(stop_, 1), 0); });
  write(kMuch);
  order.join();
  const std::size_t got = read_all();
  EXPECT_GT(got, 0u);
  EXPECT_LT(got, kMuch);
}

TEST_F(ConsoleTest, ALineIsWrittenThoughAnOrderWaits) {
  ASSERT_EQ(::eventfd_write(stop_, 1), 0);
  write(100);
  EXPECT_EQ(read_all(), 100u);
}

TEST_F(ConsoleTest, AReaderThatIsGoneIsNoReasonToWait) {
  ::close(ends_[0]);
  ends_[0] = -1;
  write(kMuch);
  // Nor is one that leaves a full pipe behind.
  ASSERT_EQ(::pipe(ends_), 0);
  ASSERT_EQ(::fcntl(ends_[1], F_SETFL, O_NONBLOCK), 0);
  const std::string piece(4096, 'x');
  while (::write(ends_[1], piece.data(), piece.size()) > 0) {
  }
  ::close(ends_[0]);
  ends_[0] = -1;
  write(kMuch);
}

TEST_F(ConsoleTest, ADescriptorThatIsClosedTakesNothing) {
  constexpr int kNotOpen = 1000;
  tenders::write_patiently(kNotOpen, std::vector<std::uint8_t>(10, 'x'), stop_);
}

}  // namespace
