// The thread behind run_blocking.
#include <pthread.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "proto/async.h"

namespace proto {
namespace asio = boost::asio;

struct BlockingPool::State {
  std::string name;
  Mode mode;
  std::mutex mutex;  // guards what follows: the one place where two threads meet
  std::condition_variable changed;
  std::deque<std::function<void()>> queue;
  bool stopping = false;
  std::thread thread;

  void work() {
    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
    for (;;) {
      std::function<void()> job;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return stopping || !queue.empty(); });
        if (queue.empty()) return;
        job = std::move(queue.front());
        queue.pop_front();
      }
      job();
    }
  }

  void push(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex);
      queue.push_back(std::move(job));
    }
    changed.notify_one();
  }
};

BlockingPool::BlockingPool(std::string_view name, Mode mode) : state_(std::make_unique<State>()) {
  state_->name = std::string(name);
  state_->mode = mode;
  if (mode == Mode::thread) state_->thread = std::thread([state = state_.get()] { state->work(); });
}

BlockingPool::~BlockingPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_one();
  if (state_->thread.joinable()) state_->thread.join();
}

namespace {

// Carries a coroutine's handler through a std::function, which wants to copy what it holds.
template <typename Handler>
struct Carried {
  explicit Carried(Handler h)
      : handler(std::move(h)), work(asio::get_associated_executor(handler)) {}
  Handler handler;
  asio::executor_work_guard<asio::associated_executor_t<Handler>> work;  // keeps the loop running
};

}  // namespace

awaitable<void> BlockingPool::run(std::function<void()> job) {
  if (state_->mode == Mode::in_line) {
    job();
    co_return;
  }
  State* state = state_.get();
  auto start = [state](auto handler, std::function<void()> work) {
    using Handler = decltype(handler);
    // Shared by the queued function only; std::function could not hold a unique one.
    auto carried = std::make_shared<Carried<Handler>>(std::move(handler));
    state->push([carried = std::move(carried), work = std::move(work)]() mutable {
      work();
      work = nullptr;
      auto executor = carried->work.get_executor();
      // The handler goes home whole: it must be destroyed on the loop, not on this thread.
      asio::post(executor, [carried = std::move(carried)]() mutable {
        auto resume = std::move(carried->handler);
        carried.reset();
        resume();
      });
    });
  };
  co_await asio::async_initiate<decltype(asio::use_awaitable), void()>(
      std::move(start), asio::use_awaitable, std::move(job));
}

}  // namespace proto
