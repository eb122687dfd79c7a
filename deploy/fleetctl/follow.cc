#include "deploy/fleetctl/follow.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "deploy/fleetctl/rollout_view.h"
#include "deploy/fleetctl/sse.h"
#include "deploy/fleetctl/text.h"
#include "deploy/fleetctl/verdict.h"
#include "deploy/fleetctl/wave_view.h"

namespace fleetctl {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kSilence(30'000);      // a stream without a byte for so long is dead
constexpr milliseconds kBackoffMax(2'000);

// A row per device, or per wave when there are many.
std::vector<std::string> table_of(const fleet::v1::Rollout& rollout, std::uint64_t at_ms) {
  const bool in_rows = rollout.devices_size() <= kDevicesInRows || rollout.waves_size() == 0;
  std::vector<std::string> lines =
      in_rows ? device_table(rollout, at_ms) : wave_table(rollout, at_ms);
  if (!in_rows) {
    for (std::string& line : fault_lines(rollout)) lines.push_back(std::move(line));
  }
  return lines;
}

/// One following, from the first look to the last.
class Follower {
 public:
  Follower(Program& program, Api& api, const fleet::v1::Rollout& rollout,
           const FollowOptions& options)
      : program_(program), api_(api), options_(options), view_(rollout),
        deadline_(Clock::now() + milliseconds(options.wait_ms)) {}

  CommandResult run();

 private:
  bool over() const { return Clock::now() >= deadline_; }
  bool take(std::string_view bytes);
  bool tick();
  void draw(std::string_view note);
  proto::Status listen();
  proto::Status look();
  CommandResult detach();
  CommandResult give_up();
  std::uint64_t controller_now_ms() const;

  Program& program_;
  Api& api_;
  const FollowOptions& options_;
  RolloutView view_;
  Clock::time_point deadline_;
  SseParser parser_;
  Clock::time_point last_bytes_;
  std::int64_t clock_difference_ms_ = 0;  // the controller's wall clock minus ours
  bool away_ = false;
  proto::Error broken_;
};

std::uint64_t Follower::controller_now_ms() const {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(now_ms()) + clock_difference_ms_);
}

void Follower::draw(std::string_view note) {
  if (program_.json || !program_.terminal.live()) return;
  std::vector<std::string> lines = table_of(view_.rollout(), controller_now_ms());
  const std::string course = course_line(view_.rollout(), controller_now_ms());
  if (!course.empty()) lines.push_back(course);
  lines.push_back(progress_line(view_.rollout(), controller_now_ms()));
  if (!note.empty()) lines.push_back("▲ " + std::string(note));
  program_.terminal.redraw(lines);
}

bool Follower::take(std::string_view bytes) {
  last_bytes_ = Clock::now();
  const auto messages = parser_.feed(bytes);
  if (!messages) {
    broken_ = messages.error();
    return false;
  }
  for (const SseMessage& message : *messages) {
    // A later controller's event that we do not know is no reason to stop following.
    const auto event = proto::from_json<fleet::v1::Event>(message.data);
    if (!event) continue;
    if (event->time_ms() != 0) {
      clock_difference_ms_ =
          static_cast<std::int64_t>(event->time_ms()) - static_cast<std::int64_t>(now_ms());
    }
    const std::string line = view_.apply(*event);
    if (program_.json) {
      program_.print_json_line(*event);
    } else if (!program_.terminal.live() && !line.empty()) {
      program_.terminal.line(line);
    }
  }
  return !view_.ended();
}

bool Follower::tick() {
  draw("");
  return !over() && Clock::now() - last_bytes_ < kSilence;
}

proto::Status Follower::listen() {
  parser_.restart();
  last_bytes_ = Clock::now();
  HttpStream stream;
  stream.path = "/v1/events?rollout=" + url_encode(view_.rollout().id());
  // Always said, so that nothing between the answer and the stream is missed.
  stream.last_event_id = std::to_string(view_.rollout().last_event());
  stream.on_bytes = [this](std::string_view bytes) { return take(bytes); };
  stream.on_tick = [this] { return tick(); };
  TRY(const HttpResponse response, api_.http().stream(stream));
  if (response.status >= 300) return error_of_answer(response, stream.path);
  return {};
}

// The whole rollout anew: what was missed while no stream was open, and the final words.
proto::Status Follower::look() {
  TRY(const fleet::v1::Rollout rollout, api_.rollout(view_.rollout().id()));
  view_.replace(rollout);
  return {};
}

bool is_away(proto::Code code) {
  return code == proto::Code::unreachable || code == proto::Code::closed ||
         code == proto::Code::timeout || code == proto::Code::unavailable;
}

CommandResult Follower::run() {
  milliseconds backoff(100);
  while (!view_.ended()) {
    draw("");
    proto::Status status = listen();
    if (status && broken_.code != proto::Code::unset) status = broken_;
    if (status) status = look();
    if (!status && status.error().code == proto::Code::cancelled) return detach();
    if (!status && !is_away(status.error().code)) {
      program_.terminal.settle(false);
      return status.error();
    }
    if (over() && !(status && view_.ended())) {
      away_ = !status;
      return give_up();
    }
    if (status) {
      if (away_) program_.terminal.note("the controller is back");
      away_ = false;
      backoff = milliseconds(100);
      if (!view_.ended())
        std::this_thread::sleep_for(backoff);  // never a hot loop of closed streams
      continue;
    }
    if (!away_) {
      program_.terminal.note("the controller does not answer; the rollout goes on by itself, "
                             "waiting for it");
    }
    away_ = true;
    draw("the controller does not answer; waiting for it");
    std::this_thread::sleep_for(backoff);
    backoff = std::min(backoff * 2, kBackoffMax);
    if (program_.interrupted.load()) return detach();
  }
  // Events come without the verdict's last details; the resource has them.
  if (const proto::Status status = look(); !status) {
    if (status.error().code == proto::Code::cancelled) return detach();
    program_.terminal.note("the last look at " + view_.rollout().id() +
                           " failed; shown is what was seen: " + status.error().what);
  }
  program_.terminal.settle(true);
  print_rollout(program_, view_.rollout(), options_);
  return exit_code_of(view_.rollout(), options_.require_all);
}

CommandResult Follower::detach() {
  program_.terminal.settle(false);
  const std::string id = visible(view_.rollout().id());
  program_.terminal.note("Detached. " + id + " goes on.   fleetctl rollout show " + id +
                         " -w     fleetctl rollout pause|abort " + id);
  return ExitCode::detached;
}

CommandResult Follower::give_up() {
  program_.terminal.settle(false);
  const std::string id = visible(view_.rollout().id());
  program_.terminal.note("--wait ran out; " + id + (away_ ? " was" : " is") +
                         " still running.   fleetctl rollout show " + id + " -w");
  return away_ ? ExitCode::not_reached : ExitCode::wait_over;
}

}  // namespace

void print_rollout(const Program& program, const fleet::v1::Rollout& rollout,
                   const FollowOptions& options) {
  if (program.json) {
    program.print_json_line(rollout);
    return;
  }
  program.terminal.lines(table_of(rollout, now_ms()));
  if (!RolloutView(rollout).ended()) {
    if (const std::string course = course_line(rollout, now_ms()); !course.empty()) {
      program.terminal.line(course);
    }
    program.terminal.line(progress_line(rollout, now_ms()));
    return;
  }
  program.terminal.lines(
      verdict_lines({rollout, options.manifest, options.health_place, options.require_all}));
}

CommandResult follow_rollout(Program& program, Api& api, const fleet::v1::Rollout& rollout,
                             const FollowOptions& options) {
  Follower follower(program, api, rollout, options);
  return follower.run();
}

}  // namespace fleetctl
