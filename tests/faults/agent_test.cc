// The real agent, cut at every durable call of every story: each state that a power cut may leave,
// and each kill with its guests running on, is begun anew and must end as the story says.
//   faults_agent [--seeds N] [--twice N] [--replay STORY:CUT:LOSS[:killed][:again]]
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>

#include "proto/log.h"
#include "tests/faults/agent_checks.h"
#include "tests/faults/agent_stories.h"
#include "tests/faults/cut_table.h"
#include "tests/faults/disk_model.h"
#include "tests/faults/recording.h"

namespace {

using faults::Loss;
using faults::Order;
using faults::Promises;
using faults::Story;
using faults::Tree;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;
constexpr std::int64_t kPatience_ms = 300'000;

// Says one order after the other, each as soon as the one before is obeyed enough.
class Controller {
 public:
  Controller(TestDevice& device, const std::vector<Order>& orders, std::size_t from)
      : device_(device), orders_(orders), next_(from) {}

  void say_next() { device_.want(orders_[next_++].wish); }
  void look() {
    while (next_ < orders_.size() && orders_[next_ - 1].enough(device_)) say_next();
  }
  bool done() const { return next_ == orders_.size() && orders_.back().enough(device_); }
  std::size_t said() const { return next_; }

 private:
  TestDevice& device_;
  const std::vector<Order>& orders_;
  std::size_t next_;
};

// Until every order from `from` on is obeyed; `each` is called after each event.
bool obey(TestDevice& device, const std::vector<Order>& orders, std::size_t from,
          const std::function<void(std::size_t said)>& each) {
  if (from >= orders.size()) return true;
  Controller controller(device, orders, from);
  controller.say_next();
  device.after_each_event = [&] {
    controller.look();
    each(controller.said());
  };
  each(controller.said());
  const bool done = device.run_until([&] { return controller.done(); }, kPatience_ms);
  device.after_each_event = nullptr;
  return done;
}

// What was so when a call was about to be made.
struct Mark {
  tests::Remains remains;
  Promises promises;
  std::size_t said = 0;  // orders
};

// A story as it went without a cut.
struct Recorded {
  Tree before;
  std::vector<faults::Op> ops;
  std::vector<Mark> marks;  // one more than calls
};

// Records what the orders from `from` on make of a device; `begin`: its start too.
Recorded follow(const Story& story, TestDevice& device, Mark now, std::size_t from, bool begin) {
  Recorded out;
  const auto before = faults::read_tree(device.directory.string());
  EXPECT_TRUE(before.has_value());
  out.before = *before;
  const auto note = [&](std::size_t said) {
    now.said = said;
    now.remains.generation = device.generation();
    now.promises = faults::promises_of(device);
  };
  const auto mark = [&](std::size_t call) {
    now.remains.guests = device.guests;
    now.remains.now_ms = device.clock.now_ms();
    out.marks.resize(call);
    out.marks.push_back(now);
  };
  const faults::Recording recording(device.directory.string(), mark);
  if (begin) {
    device.start();
    device.run_for(100);
  }
  EXPECT_TRUE(obey(device, story.orders, from, note)) << "no verdict";
  device.run_for(15'000);
  note(story.orders.size());
  out.ops = recording.ops();
  mark(out.ops.size());
  const Tree all = faults::after_cut(out.before, out.ops, out.ops.size(), {});
  const auto there = faults::read_tree(device.directory.string());
  EXPECT_TRUE(there.has_value() && all == *there) << "a durable call was not seen";
  return out;
}

// The story without a cut.
Recorded record(const Story& story, Repository& repository) {
  TestDevice device(repository);
  story.supply(repository, device);
  Mark now;
  now.remains.scripts = device.scripts;
  const bool begin = story.before.empty();
  if (!begin) {
    device.start();
    device.run_for(100);
    EXPECT_TRUE(obey(device, story.before, 0, [](std::size_t) {})) << "no verdict before it all";
    device.run_for(15'000);
    now.remains.generation = device.generation();
    now.promises = faults::promises_of(device);
  }
  return follow(story, device, std::move(now), 0, begin);
}

// The power is cut: no guest lives on.
void lose_guests(tests::Remains& remains, const std::string& boot_id) {
  remains.guests = {};
  remains.guests.boot_ms = remains.guests.boot_ms + 1;
  remains.boot_id = boot_id;
}

std::size_t order_to_repeat(const Mark& mark) { return mark.said == 0 ? 0 : mark.said - 1; }

// Power again, and cut once more, somewhere on the way out of the first cut.
void cut_again(const Story& story, Repository& repository, Tree& files, Mark& mark,
               std::uint64_t seed) {
  TestDevice world(repository, mark.remains);
  const proto::Status written = faults::write_tree(files, world.directory.string());
  EXPECT_TRUE(written.has_value()) << written.error().what;
  const Recorded recorded = follow(story, world, mark, order_to_repeat(mark), true);
  const std::size_t cut = std::mt19937_64(seed)() % (recorded.ops.size() + 1);
  files = faults::after_cut(recorded.before, recorded.ops, cut, {Loss::Kind::seeded, seed});
  mark = recorded.marks.at(cut);
  lose_guests(mark.remains, "boot-3");
  world.stop();
}

std::size_t running(TestDevice& device) {
  const auto listed = device.launcher.list();
  std::size_t count = 0;
  for (const agent::Instance& one : *listed) {
    count += one.state == agent::InstanceState::running ? 1U : 0U;
  }
  return count;
}

void check_rest(TestDevice& world, std::uint64_t live) {
  EXPECT_EQ(world.live_release("dns"), live);
  EXPECT_TRUE(live == 0 || world.run_until([&] { return world.launcher.serves(); }, 10'000));
  world.run_for(30'000);
  const std::size_t guests = live == 0 ? 0 : 1;
  EXPECT_EQ(running(world), guests) << "nothing is left over";
  EXPECT_EQ(world.guests.instances.size(), guests);
  faults::check_store(world);
}

// One state, begun anew. out: what is live there
std::uint64_t begin_anew(const Story& story, Repository& repository, const Tree& files,
                         const Mark& mark) {
  TestDevice world(repository, mark.remains);
  const proto::Status written = faults::write_tree(files, world.directory.string());
  EXPECT_TRUE(written.has_value()) << written.error().what;
  world.start();
  if (world.state == nullptr) return 0;
  const std::uint64_t live = world.live_release("dns");
  faults::check_promises(world, mark.promises, story.live == 0);
  faults::check_records(world);
  world.run_for(100);
  // The controller says again what it had said last, and goes on.
  const bool done = obey(world, story.orders, order_to_repeat(mark), [](std::size_t) {});
  EXPECT_TRUE(done) << "no verdict after the cut";
  const std::string attempt = story.orders.back().wish.attempt();
  const fleet::v1::Report report = world.last(attempt);
  EXPECT_EQ(report.state(), story.verdict) << report.why().text();
  EXPECT_EQ(report.status().live_release(), story.live) << "the report says what runs";
  for (const Order& order : story.orders) {
    EXPECT_LE(faults::verdicts_of(world, order.wish.attempt()), story.verdicts)
        << "more than one verdict of " << order.wish.attempt();
  }
  check_rest(world, story.live);
  faults::check_promises(world, mark.promises, story.live == 0);
  EXPECT_EQ(story.also ? story.also(world) : "", "");
  for (const std::string& call : world.launcher.calls) {
    if (call.starts_with("start ")) {
      EXPECT_EQ(story.may_run.count(std::stoull(call.substr(6))), 1U) << call;
    }
  }
  world.want(TestDevice::wish("dns", story.next.release(), "next"));
  EXPECT_TRUE(world.run_until([&] { return world.ended("next"); }, kPatience_ms));
  EXPECT_EQ(world.last("next").state(), fleet::v1::HEALTHY) << world.last("next").why().text();
  check_rest(world, story.next.release());
  world.stop();
  return live;
}

faults::CutTable table;  // of all stories, printed at the end

struct Options {
  std::uint64_t seeds = 2;  // per cut
  std::uint64_t twice = 1;  // per cut, seeds of those that are cut again
  std::string replay;
};
Options options;

struct Case {
  std::size_t cut = 0;
  Loss loss;
  bool killed = false;  // the launcher and its guests live on
  bool again = false;   // and a second cut on the way out
};

std::string name_of(const Story& story, const Case& one) {
  return story.name + ":" + std::to_string(one.cut) + ":" + faults::name_of(one.loss) +
         (one.killed ? ":killed" : "") + (one.again ? ":again" : "");
}

// The latest cut of those that leave the same files has promised the most; so from the last on.
std::vector<Case> cases_of(std::size_t calls) {
  std::vector<Case> out;
  for (std::size_t left = calls + 1; left-- > 0;) {
    out.push_back({left, {Loss::Kind::none, 0}, true, false});
    out.push_back({left, {Loss::Kind::none, 0}, false, false});
    out.push_back({left, {Loss::Kind::unsynced, 0}, false, false});
    for (std::uint64_t seed = 1; seed <= options.seeds; ++seed) {
      out.push_back({left, {Loss::Kind::seeded, seed}, false, false});
    }
    for (std::uint64_t seed = 1; seed <= options.twice; ++seed) {
      out.push_back({left, {Loss::Kind::seeded, seed}, false, true});
    }
  }
  return out;
}

// How far the last attempt was: before P2, P3, P4, or after.
std::string phase_of(const Story& story, const Mark& mark) {
  std::string phase = "before P2";
  for (const auto& [sequence, said] : mark.promises.reports) {
    if (said.attempt != story.orders.back().wish.attempt()) continue;
    if (said.state == fleet::v1::STAGED) phase = "P2-P3";
    else if (said.state == fleet::v1::TRIAL) phase = "P3-P4";
    else if (said.state != fleet::v1::OFFERED && said.state != fleet::v1::FETCHING) {
      phase = "after P4";
    }
  }
  return phase;
}

class AgentCuts : public testing::TestWithParam<Story> {};

TEST_P(AgentCuts, EndInTheOldOrTheNewReleaseAndInTheTruth) {
  const Story& story = GetParam();
  Repository repository(kNow);
  const Recorded recorded = record(story, repository);
  ASSERT_FALSE(HasFailure());
  repository.add(story.next, "the next image");
  table.begin(story.name, recorded.ops);
  std::set<std::tuple<std::uint64_t, bool, bool>> tried;
  std::size_t failures = 0;
  const auto* const result = testing::UnitTest::GetInstance()->current_test_info()->result();
  for (const Case& one : cases_of(recorded.ops.size())) {
    const std::string name = name_of(story, one);
    if (!options.replay.empty() && options.replay != name) continue;
    Tree files = faults::after_cut(recorded.before, recorded.ops, one.cut, one.loss);
    Mark mark = recorded.marks.at(one.cut);
    // Guests differ from call to call, so that each kill is another state.
    const std::uint64_t told_apart =
        faults::fingerprint(files) + (one.killed || one.again ? one.cut : 0);
    if (!tried.insert({told_apart, one.killed, one.again}).second) continue;
    if (!one.killed) lose_guests(mark.remains, "boot-2");
    const std::string last =
        one.cut == 0 ? "nothing" : describe(recorded.ops[one.cut - 1]);
    SCOPED_TRACE("replay: faults_agent --replay '" + name + "', cut behind " + last);
    const int before = result->total_part_count();
    if (one.again) cut_again(story, repository, files, mark, one.loss.seed * 1000 + one.cut);
    const std::uint64_t live = begin_anew(story, repository, files, mark);
    const int after = result->total_part_count();
    table.add(phase_of(story, mark), live, after == before);
    failures += after == before ? 0 : 1;
    ASSERT_LT(failures, 5U) << "enough is known";
  }
}

INSTANTIATE_TEST_SUITE_P(Stories, AgentCuts, testing::ValuesIn(faults::agent_stories()),
                         [](const auto& one) {
                           std::string name = one.param.name;
                           for (char& c : name) c = c == ' ' ? '_' : c;
                           return name;
                         });

// The checks are worth something: an agent whose syncs never were is found out.
class AgentWithout : public testing::TestWithParam<faults::Call> {};

TEST_P(AgentWithout, TheirSyncsIsFoundOut) {
  const Story story = faults::agent_stories().at(1);
  Repository repository(kNow);
  Recorded recorded = record(story, repository);
  ASSERT_FALSE(HasFailure());
  repository.add(story.next, "the next image");
  for (faults::Op& op : recorded.ops) {
    // One that changes nothing takes its place, so that the marks stay where they are.
    if (op.call == GetParam()) op = {faults::Call::seal, "", "", 0700, "", 0};
  }
  testing::TestPartResultArray found;
  for (std::size_t cut = recorded.ops.size() + 1; cut-- > 0 && found.size() == 0;) {
    const Tree files = faults::after_cut(recorded.before, recorded.ops, cut,
                                         {Loss::Kind::unsynced, 0});
    Mark mark = recorded.marks.at(cut);
    lose_guests(mark.remains, "boot-2");
    const testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &found);
    begin_anew(story, repository, files, mark);
  }
  EXPECT_GT(found.size(), 0);
}

INSTANTIATE_TEST_SUITE_P(Calls, AgentWithout,
                         testing::Values(faults::Call::sync, faults::Call::sync_data),
                         [](const auto& one) { return std::string(name_of(one.param)); });

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--seeds") options.seeds = std::stoull(argv[i + 1]);
    if (flag == "--twice") options.twice = std::stoull(argv[i + 1]);
    if (flag == "--replay") options.replay = argv[i + 1];
  }
  // A thousand restarts say a lot; whoever replays one wants to read it.
  if (options.replay.empty()) proto::set_log_level(proto::LogLevel::error);
  const int result = RUN_ALL_TESTS();
  table.print("The agent, cut at every durable call");
  return result;
}
