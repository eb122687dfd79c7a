#include "proto/async.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <thread>
#include <vector>

#include "manual_clock.h"
#include "proto/fd.h"

namespace {

using proto::awaitable;
using proto::Code;
using proto::Deadline;
using proto::Result;
using proto_test::ManualClock;

class AsyncTest : public testing::Test {
 protected:
  // Runs what can run now; time stands still.
  void settle() {
    loop_.restart();
    loop_.poll();
  }

  boost::asio::io_context loop_{1};
  ManualClock clock_;
};

awaitable<void> note_after(proto::Clock& clock, std::int64_t ms, int id, std::vector<int>& notes) {
  co_await proto::sleep_ms(clock, ms);
  notes.push_back(id);
}

TEST_F(AsyncTest, SleepersWakeInTheOrderOfTheirDeadlines) {
  std::vector<int> notes;
  proto::TaskGroup group(loop_);
  group.spawn("late", note_after(clock_, 200, 2, notes));
  group.spawn("soon", note_after(clock_, 100, 1, notes));
  group.spawn("now", note_after(clock_, 0, 0, notes));
  settle();
  EXPECT_EQ(notes, (std::vector<int>{0}));
  clock_.advance(100);
  settle();
  EXPECT_EQ(notes, (std::vector<int>{0, 1}));
  clock_.advance(100);
  settle();
  EXPECT_EQ(notes, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(group.size(), 0U);
  EXPECT_EQ(clock_.timers(), 0U);
}

awaitable<void> wait_once(proto::Notifier& notifier, Deadline deadline, std::vector<bool>& seen) {
  const bool notified = co_await notifier.wait(deadline);
  seen.push_back(notified);
}

TEST_F(AsyncTest, ANotifierWakesAllThatWaitAndRemembersNothing) {
  std::vector<bool> seen;
  proto::Notifier notifier(clock_);
  proto::TaskGroup group(loop_);
  notifier.notify();
  group.spawn("first", wait_once(notifier, Deadline::never(), seen));
  group.spawn("second", wait_once(notifier, Deadline::never(), seen));
  settle();
  EXPECT_TRUE(seen.empty());
  notifier.notify();
  settle();
  EXPECT_EQ(seen, (std::vector<bool>{true, true}));
}

TEST_F(AsyncTest, AWaitThatIsNotNotifiedEndsAtItsDeadline) {
  std::vector<bool> seen;
  proto::Notifier notifier(clock_);
  proto::TaskGroup group(loop_);
  group.spawn("waiter", wait_once(notifier, Deadline::after(clock_, 50), seen));
  settle();
  clock_.advance(49);
  settle();
  EXPECT_TRUE(seen.empty());
  clock_.advance(1);
  settle();
  EXPECT_EQ(seen, (std::vector<bool>{false}));
}

struct Cleaned {
  bool& flag;
  ~Cleaned() { flag = true; }
};

awaitable<void> sleep_for_ever(proto::Clock& clock, bool& cleaned, bool& went_on) {
  const Cleaned on_exit{cleaned};
  co_await proto::sleep_until(clock, Deadline::never());
  co_await proto::sleep_until(clock, Deadline::never());
  went_on = true;
}

TEST_F(AsyncTest, ACancelledTaskIsUnwoundWithItsDestructors) {
  bool cleaned = false;
  bool went_on = false;
  proto::TaskGroup group(loop_);
  group.spawn("sleeper", sleep_for_ever(clock_, cleaned, went_on));
  settle();
  EXPECT_EQ(group.size(), 1U);
  group.cancel();
  settle();
  EXPECT_EQ(group.size(), 0U);
  EXPECT_TRUE(cleaned);
  EXPECT_FALSE(went_on);
}

TEST_F(AsyncTest, ATaskThatIsCancelledBeforeItsFirstStepEndsToo) {
  bool cleaned = false;
  bool went_on = false;
  proto::TaskGroup group(loop_);
  group.spawn("sleeper", sleep_for_ever(clock_, cleaned, went_on));
  group.cancel();
  settle();
  EXPECT_EQ(group.size(), 0U);
  EXPECT_FALSE(went_on);
}

TEST_F(AsyncTest, AClosedGroupStartsNothing) {
  std::vector<int> notes;
  proto::TaskGroup group(loop_);
  group.close();
  group.spawn("late", note_after(clock_, 0, 1, notes));
  settle();
  EXPECT_TRUE(notes.empty());
  EXPECT_TRUE(group.closed());
}

awaitable<void> stop_others(proto::TaskGroup& others, bool& joined) {
  others.close();
  others.cancel();
  co_await others.join();
  joined = true;
}

TEST_F(AsyncTest, JoinReturnsWhenTheLastTaskHasEnded) {
  bool cleaned = false;
  bool went_on = false;
  bool joined = false;
  proto::TaskGroup workers(loop_);
  proto::TaskGroup main(loop_);
  workers.spawn("sleeper", sleep_for_ever(clock_, cleaned, went_on));
  main.spawn("main", stop_others(workers, joined));
  settle();
  EXPECT_TRUE(joined);
  EXPECT_TRUE(cleaned);
}

awaitable<void> throw_something() {
  throw std::runtime_error("a bug");
  co_return;
}

TEST(AsyncDeathTest, AnEscapedExceptionIsLoggedAndAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        boost::asio::io_context loop{1};
        proto::TaskGroup group(loop);
        group.spawn("faulty", throw_something());
        loop.run();
      },
      "task.escaped task=faulty exception=\"a bug\"");
}

Result<std::thread::id> where_am_i() { return std::this_thread::get_id(); }

awaitable<void> ask_pool(proto::BlockingPool& pool, std::thread::id& work, std::thread::id& after) {
  const auto answer = co_await proto::run_blocking(pool, where_am_i);
  work = answer.value();
  after = std::this_thread::get_id();
}

TEST_F(AsyncTest, BlockingWorkRunsOnThePoolAndTheCoroutineGoesOnOnTheLoop) {
  std::thread::id work;
  std::thread::id after;
  proto::BlockingPool pool("test");
  proto::TaskGroup group(loop_);
  group.spawn("asker", ask_pool(pool, work, after));
  proto::run_loop(loop_);
  EXPECT_NE(work, std::this_thread::get_id());
  EXPECT_EQ(after, std::this_thread::get_id());
}

TEST_F(AsyncTest, InLineWorkRunsOnTheLoopForSimulations) {
  std::thread::id work;
  std::thread::id after;
  proto::BlockingPool pool("test", proto::BlockingPool::Mode::in_line);
  proto::TaskGroup group(loop_);
  group.spawn("asker", ask_pool(pool, work, after));
  proto::run_loop(loop_);
  EXPECT_EQ(work, std::this_thread::get_id());
}

awaitable<void> read_one(proto::FdWatch& watch, proto::Clock& clock, Deadline deadline,
                         std::vector<Code>& codes) {
  const proto::Status status = co_await watch.wait_readable(clock, deadline);
  codes.push_back(status ? Code::unset : status.error().code);
}

TEST_F(AsyncTest, ADescriptorIsWaitedForUntilItIsReadableOrLate) {
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  const proto::Fd reader(ends[0]);
  const proto::Fd writer(ends[1]);
  std::vector<Code> codes;
  proto::FdWatch watch(loop_, reader.get());
  proto::TaskGroup group(loop_);
  group.spawn("late", read_one(watch, clock_, Deadline::after(clock_, 10), codes));
  settle();
  clock_.advance(10);
  settle();
  EXPECT_EQ(codes, (std::vector<Code>{Code::timeout}));
  group.spawn("ready", read_one(watch, clock_, Deadline::after(clock_, 10), codes));
  ASSERT_EQ(::write(writer.get(), "x", 1), 1);
  settle();
  EXPECT_EQ(codes, (std::vector<Code>{Code::timeout, Code::unset}));
}

awaitable<void> measure(proto::RealClock& clock, std::int64_t& took_ms) {
  const std::int64_t before = clock.now_ms();
  co_await proto::sleep_ms(clock, 20);
  took_ms = clock.now_ms() - before;
}

TEST_F(AsyncTest, TheRealClockNeverWakesEarly) {
  proto::RealClock clock(loop_);
  std::int64_t first = 0;
  std::int64_t second = 0;
  proto::TaskGroup group(loop_);
  group.spawn("first", measure(clock, first));
  group.spawn("second", measure(clock, second));
  proto::run_loop(loop_);
  EXPECT_GE(first, 20);
  EXPECT_GE(second, 20);
  EXPECT_GT(clock.wall_ms(), 1'600'000'000'000);
}

}  // namespace
