#include "proto/async.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <csignal>
#include <list>
#include <map>
#include <vector>

#include "proto/log.h"

namespace proto {
namespace asio = boost::asio;
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// A timer that never fires by itself: what a coroutine sleeps on until somebody cancels it. Asio's
// cancellation of the coroutine ends it too.
class Sleeper {
 public:
  explicit Sleeper(const asio::any_io_executor& executor)
      : timer_(executor, steady_clock::time_point::max()) {}
  asio::steady_timer& timer() { return timer_; }
  void wake() { timer_.cancel(); }

 private:
  asio::steady_timer timer_;
};

}  // namespace

// --- RealClock ---

struct RealClock::State {
  explicit State(asio::io_context& loop) : timer(loop) {}

  std::map<std::pair<std::int64_t, TimerId>, std::function<void()>> pending;
  std::map<TimerId, std::int64_t> times;
  asio::steady_timer timer;
  TimerId next_id = 1;
  std::int64_t armed_for_ms = 0;

  void arm() {
    if (pending.empty()) {
      timer.cancel();
      return;
    }
    const std::int64_t at_ms = pending.begin()->first.first;
    armed_for_ms = at_ms;
    timer.expires_at(steady_clock::time_point(milliseconds(at_ms)));
    timer.async_wait([this](boost::system::error_code error) {
      if (!error) fire();
    });
  }

  void fire() {
    const auto now = std::chrono::duration_cast<milliseconds>(
                         steady_clock::now().time_since_epoch()).count();
    std::vector<std::function<void()>> due;
    while (!pending.empty() && pending.begin()->first.first <= now) {
      times.erase(pending.begin()->first.second);
      due.push_back(std::move(pending.begin()->second));
      pending.erase(pending.begin());
    }
    for (auto& wake : due) wake();
    if (!pending.empty()) arm();
  }
};

RealClock::RealClock(asio::io_context& loop) : state_(std::make_unique<State>(loop)) {}
RealClock::~RealClock() = default;

std::int64_t RealClock::now_ms() const {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::int64_t RealClock::wall_ms() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now).count();
}

Clock::TimerId RealClock::call_at(std::int64_t at_ms, std::function<void()> wake) {
  const TimerId id = state_->next_id++;
  // Two centuries: beyond it the conversion to nanoseconds would overflow.
  constexpr std::int64_t kFarMs = std::int64_t{200} * 365 * 24 * 3600 * 1000;
  at_ms = std::min(at_ms, kFarMs);
  state_->pending.emplace(std::pair(at_ms, id), std::move(wake));
  state_->times.emplace(id, at_ms);
  if (state_->pending.begin()->first.second == id) state_->arm();
  return id;
}

void RealClock::cancel(TimerId timer) {
  const auto found = state_->times.find(timer);
  if (found == state_->times.end()) return;
  state_->pending.erase(std::pair(found->second, timer));
  state_->times.erase(found);
  // An armed timer that now is too early only finds nothing due; none at all lets the loop end.
  if (state_->pending.empty()) state_->timer.cancel();
}

// --- sleeping and waiting ---

awaitable<void> sleep_until(Clock& clock, Deadline deadline) {
  if (deadline.passed(clock)) co_return;
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  Sleeper sleeper(executor);
  std::function<void()> wake = [&sleeper] { sleeper.wake(); };
  const Alarm alarm(clock, deadline, std::move(wake));
  co_await sleeper.timer().async_wait(kAsTuple);
}

awaitable<void> sleep_ms(Clock& clock, std::int64_t ms) {
  return sleep_until(clock, Deadline::after(clock, ms));
}

struct Notifier::Waiters {
  struct Waiter {
    Sleeper sleeper;
    bool notified = false;
  };
  std::list<Waiter*> waiting;  // who came first is woken first
};

Notifier::Notifier(Clock& clock) : clock_(clock), waiters_(std::make_unique<Waiters>()) {}
Notifier::~Notifier() { FLEET_ASSERT(waiters_->waiting.empty()); }

void Notifier::notify() {
  for (Waiters::Waiter* waiter : waiters_->waiting) {
    waiter->notified = true;
    waiter->sleeper.wake();
  }
}

awaitable<bool> Notifier::wait(Deadline deadline) {
  if (deadline.passed(clock_)) co_return false;
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  // Leaves the list however the frame goes, also when an abandoned loop destroys it.
  struct Enrolled {
    Waiters& waiters;
    Waiters::Waiter waiter;
    std::list<Waiters::Waiter*>::iterator place;
    Enrolled(Waiters& w, const asio::any_io_executor& e) : waiters(w), waiter{Sleeper(e)} {
      place = waiters.waiting.insert(waiters.waiting.end(), &waiter);
    }
    ~Enrolled() { waiters.waiting.erase(place); }
    Enrolled(const Enrolled&) = delete;
    Enrolled& operator=(const Enrolled&) = delete;
  };
  Enrolled enrolled(*waiters_, executor);
  std::function<void()> wake = [&enrolled] { enrolled.waiter.sleeper.wake(); };
  const Alarm alarm(clock_, deadline, std::move(wake));
  co_await enrolled.waiter.sleeper.timer().async_wait(kAsTuple);
  co_return enrolled.waiter.notified;
}

// --- TaskGroup ---

struct TaskGroup::State {
  struct Task {
    std::string name;
    asio::cancellation_signal cancel;
  };
  explicit State(asio::io_context& l) : loop(l) {}

  asio::io_context& loop;
  std::list<Task> tasks;
  std::vector<Sleeper*> joining;
  bool closed = false;

  void ended(std::list<Task>::iterator task, const std::exception_ptr& escaped) {
    if (escaped) check_escaped(task->name, escaped);
    // Its frame is still on the way out and knows the signal: the entry goes after it.
    std::list<Task> done;
    done.splice(done.end(), tasks, task);
    auto forget = [kept = std::move(done)] {};
    asio::post(loop, std::move(forget));
    if (!tasks.empty()) return;
    for (Sleeper* sleeper : joining) sleeper->wake();
  }

  // Asio unwinds a cancelled coroutine by an exception; any other one is a programmer error.
  static void check_escaped(const std::string& name, const std::exception_ptr& escaped) {
    std::string what = "unknown exception";
    try {
      std::rethrow_exception(escaped);
    } catch (const boost::system::system_error& error) {
      if (error.code() == asio::error::operation_aborted) return;
      what = error.what();
    } catch (const std::exception& error) {
      what = error.what();
    } catch (...) {
    }
    log_error("task.escaped", {{"task", name}, {"exception", what}});
    std::abort();
  }
};

TaskGroup::TaskGroup(asio::io_context& loop) : state_(std::make_unique<State>(loop)) {}
TaskGroup::~TaskGroup() {
  if (!state_->tasks.empty()) {
    log_error("task.abandoned", {{"task", state_->tasks.front().name}});
    FLEET_ASSERT(state_->tasks.empty());
  }
}

void TaskGroup::spawn(std::string_view name, awaitable<void> task) {
  if (state_->closed) return;
  state_->tasks.emplace_back();
  const auto place = std::prev(state_->tasks.end());
  place->name = std::string(name);
  State* state = state_.get();
  auto ended = [state, place](const std::exception_ptr& escaped) {
    state->ended(place, escaped);
  };
  asio::co_spawn(state_->loop, std::move(task),
                 asio::bind_cancellation_slot(place->cancel.slot(), std::move(ended)));
}

void TaskGroup::close() { state_->closed = true; }
bool TaskGroup::closed() const { return state_->closed; }
std::size_t TaskGroup::size() const { return state_->tasks.size(); }

void TaskGroup::cancel() {
  // Nothing resumes inside emit(): every wait that it ends posts its handler.
  for (auto& task : state_->tasks) task.cancel.emit(asio::cancellation_type::terminal);
}

awaitable<void> TaskGroup::join() {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  while (!state_->tasks.empty()) {
    Sleeper sleeper(executor);
    struct Joining {
      std::vector<Sleeper*>& list;
      Sleeper* mine;
      ~Joining() { std::erase(list, mine); }
    };
    state_->joining.push_back(&sleeper);
    const Joining joining{state_->joining, &sleeper};
    co_await sleeper.timer().async_wait(kAsTuple);
  }
}

// --- FdWatch, signals, the loop ---

struct FdWatch::State {
  State(asio::io_context& loop, int fd) : descriptor(loop, fd) {}
  ~State() { descriptor.release(); }
  asio::posix::stream_descriptor descriptor;

  awaitable<Status> wait(Clock& clock, Deadline deadline,
                         asio::posix::stream_descriptor::wait_type what);
};

FdWatch::FdWatch(asio::io_context& loop, int descriptor)
    : state_(std::make_unique<State>(loop, descriptor)) {
  boost::system::error_code ignored;  // a pipe or socket can always be made non-blocking
  state_->descriptor.non_blocking(true, ignored);
}
FdWatch::~FdWatch() = default;

awaitable<Status> FdWatch::State::wait(Clock& clock, Deadline deadline,
                                       asio::posix::stream_descriptor::wait_type what) {
  bool late = false;
  std::function<void()> wake = [this, &late] {
    late = true;
    descriptor.cancel();
  };
  const Alarm alarm(clock, deadline, std::move(wake));
  auto [error] = co_await descriptor.async_wait(what, kAsTuple);
  if (!error) co_return Status();
  if (late) co_return Error{Code::timeout, "nothing came in time", ""};
  if (error == asio::error::operation_aborted) co_return Error{Code::cancelled, "cancelled", ""};
  co_return Error{Code::io, "waiting on a descriptor: " + error.message(), ""};
}

awaitable<Status> FdWatch::wait_readable(Clock& clock, Deadline deadline) {
  return state_->wait(clock, deadline, asio::posix::stream_descriptor::wait_read);
}

awaitable<Status> FdWatch::wait_writable(Clock& clock, Deadline deadline) {
  return state_->wait(clock, deadline, asio::posix::stream_descriptor::wait_write);
}

awaitable<int> wait_for_stop_signal() {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  auto [error, number] = co_await signals.async_wait(kAsTuple);
  co_return error ? 0 : number;
}

void run_loop(asio::io_context& loop) { loop.run(); }

}  // namespace proto
