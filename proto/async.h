// Time, tasks and blocking work on one io_context run by one thread.
// Only this file touches clocks and timers, so that a simulation can put its own Clock in.
// It never starts a coroutine that nobody owns, and never blocks the loop.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "proto/result.h"

namespace boost::asio {
class io_context;
}

namespace proto {

using boost::asio::awaitable;

/// Where time comes from. Durations are measured on now_ms; wall_ms is for signed or shown data.
/// All calls come from the loop's thread.
class Clock {
 public:
  using TimerId = std::uint64_t;

  virtual ~Clock() = default;
  /// Milliseconds since an unknown start; never goes back.
  virtual std::int64_t now_ms() const = 0;
  /// Unix milliseconds, UTC; may jump.
  virtual std::int64_t wall_ms() const = 0;
  /// Calls `wake` once on the loop when now_ms() >= at_ms, never inside this call.
  virtual TimerId call_at(std::int64_t at_ms, std::function<void()> wake) = 0;
  /// Forgets a timer. One that has fired, or 0, is ignored.
  virtual void cancel(TimerId timer) = 0;
};

/// The machine's clocks. now_ms is std::chrono::steady_clock in ms since its epoch.
class RealClock : public Clock {
 public:
  explicit RealClock(boost::asio::io_context& loop);
  ~RealClock() override;
  RealClock(const RealClock&) = delete;
  RealClock& operator=(const RealClock&) = delete;

  std::int64_t now_ms() const override;
  std::int64_t wall_ms() const override;
  TimerId call_at(std::int64_t at_ms, std::function<void()> wake) override;
  void cancel(TimerId timer) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A point on the monotonic clock. It travels down the calls; durations do not.
struct Deadline {
  std::int64_t at_ms = std::numeric_limits<std::int64_t>::max();

  static Deadline never() { return {}; }
  static Deadline after(const Clock& clock, std::int64_t ms) { return {clock.now_ms() + ms}; }
  bool is_never() const { return at_ms == std::numeric_limits<std::int64_t>::max(); }
  bool passed(const Clock& clock) const { return !is_never() && clock.now_ms() >= at_ms; }
  /// The time left, 0 when passed.
  std::int64_t left_ms(const Clock& clock) const {
    if (is_never()) return at_ms;
    const std::int64_t left = at_ms - clock.now_ms();
    return left > 0 ? left : 0;
  }
  /// The earlier of the two.
  Deadline sooner(Deadline other) const { return at_ms < other.at_ms ? *this : other; }
  bool operator==(const Deadline&) const = default;
};

/// Calls `wake` on the loop at the deadline, unless it goes before: for adapters that must end what
/// they wait for.
class Alarm {
 public:
  Alarm(Clock& clock, Deadline deadline, std::function<void()> wake) : clock_(clock) {
    if (!deadline.is_never()) id_ = clock.call_at(deadline.at_ms, std::move(wake));
  }
  ~Alarm() {
    if (id_ != 0) clock_.cancel(id_);
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

 private:
  Clock& clock_;
  Clock::TimerId id_ = 0;
};

/// Returns at the deadline, or at once when it has passed. `clock` outlives the call.
awaitable<void> sleep_until(Clock& clock, Deadline deadline);
awaitable<void> sleep_ms(Clock& clock, std::int64_t ms);

/// What a coroutine waits on until another one says that something changed: like a condition
/// variable. Nothing is remembered: look at the state first, then wait, with no co_await between.
class Notifier {
 public:
  explicit Notifier(Clock& clock);  // outlives the notifier
  ~Notifier();                      // nobody may be waiting
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  /// Wakes all who wait now, in the order in which they came. They run after the caller's next
  /// co_await or return.
  void notify();
  /// True when notified, false when the deadline passed or the task was cancelled.
  /// after  re-check the state: others may have run before the waiter does
  awaitable<bool> wait(Deadline deadline);

 private:
  struct Waiters;
  Clock& clock_;
  std::unique_ptr<Waiters> waiters_;
};

/// Owns coroutines. Stop = close, cancel, join. A group must be empty when it goes: join it.
/// An exception that escapes a task is a programmer error: it is logged and the program aborts.
/// A cancelled task sees Code::cancelled (or the adapter's word) from what it waits for, and is
/// unwound at its next co_await: clean up in destructors, not after a co_await.
class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::io_context& loop);  // outlives the group
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts the coroutine on the loop, never inside this call. `name` is for logs.
  /// A closed group destroys it without a start.
  void spawn(std::string_view name, awaitable<void> task);
  /// No more spawns.
  void close();
  /// Asks every task to end. May be called again, also from a task of the group.
  void cancel();
  /// Returns when no task is left. Not from a task of the same group.
  awaitable<void> join();
  std::size_t size() const;
  bool closed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One named thread for work that blocks: `fetch`, `disk`, `store`. Jobs run in order.
class BlockingPool {
 public:
  /// `in_line`: run the work on the loop itself, for simulations.
  enum class Mode { thread, in_line };

  BlockingPool(std::string_view name, Mode mode = Mode::thread);
  ~BlockingPool();  // waits for the jobs that were begun or queued
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  /// Runs `job` on the thread and returns when it has ended. Not cancelled half-way: the job may
  /// use the caller's frame.
  awaitable<void> run(std::function<void()> job);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Runs `work` (returns Result<T>) on the pool's thread and gives its result.
/// It may use what the caller's frame holds, and nothing that the loop changes meanwhile.
/// An exception in `work` is a programmer error and aborts.
template <typename Work>
awaitable<std::invoke_result_t<Work&>> run_blocking(BlockingPool& pool, Work work) {
  std::optional<std::invoke_result_t<Work&>> result;
  std::function<void()> job = [&result, &work]() noexcept { result.emplace(work()); };
  co_await pool.run(std::move(job));
  FLEET_ASSERT(result.has_value());
  co_return std::move(*result);
}

/// Waits on a descriptor that others read and write. One FdWatch per descriptor at a time.
class FdWatch {
 public:
  /// Borrows `descriptor`, which stays open longer than the watch. Sets it non-blocking.
  FdWatch(boost::asio::io_context& loop, int descriptor);
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  /// errors timeout | cancelled | io
  awaitable<Status> wait_readable(Clock& clock, Deadline deadline);
  awaitable<Status> wait_writable(Clock& clock, Deadline deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Waits for SIGINT or SIGTERM and returns its number; 0 when cancelled.
awaitable<int> wait_for_stop_signal();

/// Runs the loop until it has no work. The one place that calls io_context::run.
void run_loop(boost::asio::io_context& loop);

}  // namespace proto
