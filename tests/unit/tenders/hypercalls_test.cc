// Every hypercall with every kind of bad handle, address, offset and length, and the good ones.
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "agent/tenders/hvt/hypercalls.h"
#include "tests/unit/tenders/solo5_image.h"

namespace {

namespace abi = images::abi;
using abi::Hypercall;
using tenders::GuestAddress;
using tenders::hvt::After;

constexpr std::uint64_t kMemory = 0x400000;
constexpr std::uint64_t kStruct = 0x200000;
constexpr std::uint64_t kData = 0x300000;
constexpr std::uint64_t kText = 0x100000;
constexpr std::uint32_t kNet = 1;
constexpr std::uint32_t kDisk = 2;
constexpr std::uint64_t kCapacity = 8192;
constexpr std::uint64_t kMost = ~std::uint64_t{0};
constexpr std::uint64_t kTopBit = std::uint64_t{1} << 63;

class HypercallsTest : public testing::Test {
 protected:
  HypercallsTest() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair_), 0);
    devices_[kNet] = {abi::kDeviceNet, pair_[0], 0, 0, tenders::BlockSync::never, 1500};
    devices_[kDisk] = {abi::kDeviceBlock, disk_.descriptor(), kCapacity, 512,
                       tenders::BlockSync::never, 0};
    tenders::Failure failure;
    EXPECT_TRUE(tenders::make_wait_set(devices_, set_, failure));
    EXPECT_TRUE(memory_.restrict_range(0, 0x10000, false));
    EXPECT_TRUE(memory_.restrict_range(0x10000, kText, true));
    EXPECT_TRUE(memory_.restrict_range(kText, kText + 0x1000, true));
  }
  ~HypercallsTest() override {
    for (const int one : {pair_[0], pair_[1], set_.epoll, set_.timer}) ::close(one);
  }

  template <typename Call>
  After make(Hypercall number, Call& call, std::uint64_t place = kStruct) {
    std::memcpy(host_.data() + place, &call, sizeof call);
    const After after = calls_.handle(static_cast<std::uint32_t>(number), GuestAddress{place});
    std::memcpy(&call, host_.data() + place, sizeof call);
    return after;
  }

  sample::MemoryFile disk_{std::string(kCapacity, 'd')};
  int pair_[2] = {-1, -1};
  std::vector<std::uint8_t> host_ = std::vector<std::uint8_t>(kMemory);
  tenders::GuestMemory memory_{host_.data(), kMemory};
  tenders::Devices devices_{};
  tenders::WaitSet set_;
  tenders::hvt::Hypercalls calls_{memory_, devices_, set_};
};

TEST_F(HypercallsTest, UnknownNumbersAreRefused) {
  for (const std::uint32_t number : {0U, 9U, 10U, 255U, 1U << 31, ~0U}) {
    EXPECT_EQ(calls_.handle(number, GuestAddress{kStruct}), After::bad_call) << number;
  }
}

TEST_F(HypercallsTest, StructsOutsideTheGuestsMemoryAreRefused) {
  for (std::uint32_t number = 1; number <= 8; ++number) {
    for (const std::uint64_t place : {std::uint64_t{0}, std::uint64_t{0xffff}, kMemory,
                                      kMemory - 7, std::uint64_t{0xffffffff}, kMost - 3, kMost}) {
      EXPECT_EQ(calls_.handle(number, GuestAddress{place}), After::bad_address)
          << number << " at " << place;
    }
  }
}

TEST_F(HypercallsTest, CallsThatAnswerNeedAPlaceForTheAnswer) {
  // Also no call waits first: these bytes would be a poll of centuries.
  std::memset(host_.data() + kText, 0x7f, 64);
  for (const std::uint32_t number : {1U, 3U, 4U, 5U, 6U, 7U}) {
    for (const std::uint64_t place : {kText, kText - 8, std::uint64_t{0x10000}}) {
      EXPECT_EQ(calls_.handle(number, GuestAddress{place}), After::bad_address) << number;
    }
  }
}

struct Range {
  std::uint64_t data;
  std::uint64_t size;
};
const Range kBad[] = {{0, 1},          {0x1000, 8},      {kMemory, 1},     {kMemory - 1, 2},
                      {kMost, 1},      {kMost, kMost},   {8, kMost},       {kData, kMost},
                      {kData, kMemory}, {kData, kTopBit}, {kMost - 7, 16}};

TEST_F(HypercallsTest, DataOutsideTheGuestsMemoryIsRefused) {
  for (const Range& bad : kBad) {
    abi::PutsCall puts{bad.data, bad.size};
    EXPECT_EQ(make(Hypercall::puts, puts), After::bad_address) << bad.data;
    for (const Hypercall number : {Hypercall::block_read, Hypercall::block_write}) {
      abi::BlockCall block{kDisk, 0, bad.data, bad.size, 0, 0};
      EXPECT_EQ(make(number, block), After::bad_address) << bad.data;
    }
    for (const Hypercall number : {Hypercall::net_read, Hypercall::net_write}) {
      abi::NetCall net{kNet, bad.data, bad.size, 0, 0};
      EXPECT_EQ(make(number, net), After::bad_address) << bad.data;
    }
  }
}

TEST_F(HypercallsTest, NothingIsReadIntoTheGuestsText) {
  abi::BlockCall block{kDisk, 0, kText, 512, 0, 0};
  EXPECT_EQ(make(Hypercall::block_read, block), After::bad_address);
  EXPECT_EQ(make(Hypercall::block_write, block), After::go_on);  // it may be written out
  abi::NetCall net{kNet, kText, 512, 0, 0};
  EXPECT_EQ(make(Hypercall::net_read, net), After::bad_address);
  EXPECT_EQ(host_[kText], 0);
}

TEST_F(HypercallsTest, HandlesAndOffsetsThatAreNotThereAreInvalid) {
  for (const std::uint64_t handle : {std::uint64_t{0}, std::uint64_t{kNet}, std::uint64_t{3},
                                     std::uint64_t{63}, std::uint64_t{64}, kMost}) {
    abi::BlockCall block{handle, 0, kData, 512, 77, 0};
    EXPECT_EQ(make(Hypercall::block_read, block), After::go_on);
    EXPECT_EQ(block.result, abi::kSolo5Invalid) << handle;
  }
  for (const std::uint64_t handle : {std::uint64_t{0}, std::uint64_t{kDisk}, std::uint64_t{64},
                                     kMost}) {
    abi::NetCall net{handle, kData, 64, 77, 0};
    EXPECT_EQ(make(Hypercall::net_write, net), After::go_on);
    EXPECT_EQ(net.result, abi::kSolo5Invalid) << handle;
  }
  for (const std::uint64_t offset : {kCapacity, kCapacity - 511, kCapacity + 1, kMost,
                                     kMost - 511, kTopBit}) {
    for (const Hypercall number : {Hypercall::block_read, Hypercall::block_write}) {
      abi::BlockCall block{kDisk, offset, kData, 512, 77, 0};
      EXPECT_EQ(make(number, block), After::go_on);
      EXPECT_EQ(block.result, abi::kSolo5Invalid) << offset;
    }
  }
}

TEST_F(HypercallsTest, SectorsGoThereAndBack) {
  std::memset(host_.data() + kData, 'x', 512);
  abi::BlockCall block{kDisk, kCapacity - 512, kData, 512, 77, 0};
  EXPECT_EQ(make(Hypercall::block_write, block), After::go_on);
  EXPECT_EQ(block.result, abi::kSolo5Ok);
  block.data = kData + 4096;
  EXPECT_EQ(make(Hypercall::block_read, block), After::go_on);
  EXPECT_EQ(block.result, abi::kSolo5Ok);
  EXPECT_EQ(host_[kData + 4096 + 511], 'x');
  block.offset = 0;
  EXPECT_EQ(make(Hypercall::block_read, block), After::go_on);
  EXPECT_EQ(host_[kData + 4096], 'd');
}

TEST_F(HypercallsTest, ADiskThatShrankIsAnErrorNotAnEnd) {
  ASSERT_EQ(::ftruncate(disk_.descriptor(), 4096), 0);
  abi::BlockCall block{kDisk, 4096, kData, 512, 77, 0};
  EXPECT_EQ(make(Hypercall::block_read, block), After::go_on);
  EXPECT_EQ(block.result, abi::kSolo5Unspecified);
}

TEST_F(HypercallsTest, FramesGoThereAndBack) {
  abi::NetCall net{kNet, kData, 1514, 77, 0};
  EXPECT_EQ(make(Hypercall::net_read, net), After::go_on);
  EXPECT_EQ(net.result, abi::kSolo5Again);
  const std::string frame(100, 'f');
  ASSERT_EQ(::write(pair_[1], frame.data(), frame.size()), 100);
  EXPECT_EQ(make(Hypercall::net_read, net), After::go_on);
  EXPECT_EQ(net.result, abi::kSolo5Ok);
  EXPECT_EQ(net.size, 100u);
  EXPECT_EQ(host_[kData + 99], 'f');
  net.size = 60;
  EXPECT_EQ(make(Hypercall::net_write, net), After::go_on);
  EXPECT_EQ(net.result, abi::kSolo5Ok);
  char buffer[200];
  EXPECT_EQ(::read(pair_[1], buffer, sizeof buffer), 60);
  EXPECT_EQ(calls_.counters().frames_in, 1u);
  EXPECT_EQ(calls_.counters().bytes_out, 60u);
}

TEST_F(HypercallsTest, ALinkThatTakesNothingIsAnAnswerNotAnEnd) {
  abi::NetCall net{kNet, kData, 1000, 77, 0};
  After after = After::go_on;
  for (int i = 0; i < 10'000 && net.result != abi::kSolo5Again; ++i) {
    after = make(Hypercall::net_write, net);
    ASSERT_EQ(after, After::go_on);
  }
  EXPECT_EQ(net.result, abi::kSolo5Again);
  ::shutdown(pair_[0], SHUT_RDWR);
  ::close(pair_[1]);
  pair_[1] = -1;
  EXPECT_EQ(make(Hypercall::net_write, net), After::go_on);
  EXPECT_EQ(net.result, abi::kSolo5Unspecified);
}

TEST_F(HypercallsTest, PollSaysWhoIsReadable) {
  abi::PollCall poll{0, kMost, 77, 0};
  EXPECT_EQ(make(Hypercall::poll, poll), After::go_on);
  EXPECT_EQ(poll.result, 0);
  EXPECT_EQ(poll.ready_set, 0u);
  ASSERT_EQ(::write(pair_[1], "x", 1), 1);
  poll.timeout_ns = kMost;
  EXPECT_EQ(make(Hypercall::poll, poll), After::go_on);
  EXPECT_EQ(poll.result, 1);
  EXPECT_EQ(poll.ready_set, 1ULL << kNet);
}

TEST_F(HypercallsTest, APollThatRunsOutReportsNobody) {
  abi::PollCall poll{1, kMost, 77, 0};
  EXPECT_EQ(make(Hypercall::poll, poll), After::go_on);
  EXPECT_EQ(poll.result, 0);
  EXPECT_EQ(poll.ready_set, 0u);
}

TEST_F(HypercallsTest, HaltEndsWithItsStatusAndRecord) {
  abi::HaltCall halt{0, 7, 0};
  EXPECT_EQ(make(Hypercall::halt, halt), After::ended);
  EXPECT_EQ(calls_.halt().status, 7);
  EXPECT_EQ(calls_.trap_record(), nullptr);
  halt = {kData, 255, 0};
  EXPECT_EQ(make(Hypercall::halt, halt), After::ended);
  EXPECT_EQ(calls_.trap_record(), host_.data() + kData);
  for (const std::uint64_t cookie : {kMemory - 511, kMemory, std::uint64_t{0x1000}, kMost}) {
    halt = {cookie, 255, 0};
    EXPECT_EQ(make(Hypercall::halt, halt), After::bad_address) << cookie;
  }
}

TEST_F(HypercallsTest, WalltimeIsTheHosts) {
  abi::WalltimeCall call{0};
  EXPECT_EQ(make(Hypercall::walltime, call), After::go_on);
  EXPECT_GT(call.nanoseconds, 1'600'000'000ULL * 1'000'000'000);
}

}  // namespace
