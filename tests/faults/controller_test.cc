// The real controller's store, blobs and metadata, cut at every durable call around P1 (a push is
// accepted), P5 (reports are stored, then acknowledged) and the renewal of its online metadata:
// each state that a power cut may leave is begun anew and must be whole, or as before.
//   faults_controller [--seeds N] [--replay STORY:CUT:LOSS]
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ota/updater.h"
#include "proto/log.h"
#include "tests/faults/cut_table.h"
#include "tests/faults/disk_model.h"
#include "tests/faults/recording.h"
#include "tests/unit/controller/world.h"

namespace {

namespace fs = std::filesystem;
namespace v1 = fleet::v1;
using controller::DeviceReport;
using controller::World;
using faults::Loss;
using faults::Tree;

constexpr const char* kImage = "the image of a push";
constexpr const char* kKey = "the-idempotency-key";

struct Options {
  std::uint64_t seeds = 8;
  std::string replay;
};
Options options;
faults::CutTable table;
std::string now_tried = "nothing";  // for an assertion of the controller's own

// Metadata as a device gets it.
class Served final : public ota::MetadataSource {
 public:
  explicit Served(World& world) : world_(world) {}
  proto::Result<std::string> fetch(std::string_view name, std::size_t) override {
    TRY(const auto file, world_.metadata->file(name));
    if (!file) return proto::Error{proto::Code::not_found, std::string(name), ""};
    return *file;
  }

 private:
  World& world_;
};

// A device that keeps what it verified, and so notices versions that fall.
struct Client {
  ota::MemoryMetadataStore kept;

  /// Refreshes, and finds the release. errors TUF's
  proto::Status finds(World& world, std::int64_t release) {
    Served source(world);
    ota::Updater updater(source, kept);
    TRY_VOID(updater.bootstrap(**world.store->metadata("root")));
    TRY_VOID(updater.refresh(world.clock.wall_ms() / 1000));
    TRY_VOID(updater.find_target(ota::manifest_path("dns", release)));
    return {};
  }
};

// What was so when a call was about to be made, and what had been answered to the outside by then.
struct Mark {
  bool accepted = false;        // the push
  std::size_t acknowledged = 0; // reports
  Client client;                // what a device can have seen
};

/// The world that is cut: one controller, two devices, release 1 on both.
struct Scene {
  Scene() {
    world.set_up_trust();
    for (const char* name : {"edge-1", "edge-2"}) {
      world.enroll(name);
      world.online(name);
    }
    EXPECT_TRUE(world.push(world.next_push("edge", "image 1")).has_value());
    report_all(1);
    see();
  }

  void report_all(std::uint64_t release) {
    for (const char* name : {"edge-1", "edge-2"}) {
      EXPECT_TRUE(world.report(name, v1::HEALTHY, release).has_value());
    }
  }
  /// A device looks at the metadata: between two events of the controller, as a request would.
  void see() {
    const auto release = world.store->releases("dns");
    ASSERT_TRUE(release.has_value());
    const proto::Status found =
        mark.client.finds(world, static_cast<std::int64_t>(release->size()));
    EXPECT_TRUE(found.has_value()) << (found ? "" : found.error().what);
  }
  std::string directory() { return world.directory / "controller"; }

  /// Closes the controller, exchanges its files, and begins it anew.
  void reopen(const Tree& files) {
    world.pushes.reset();
    world.enrolment.reset();
    world.metadata.reset();
    world.fleet.reset();
    world.events.reset();
    world.blobs.reset();
    world.store.reset();
    fs::remove_all(directory());
    const proto::Status written = faults::write_tree(files, directory());
    ASSERT_TRUE(written.has_value()) << written.error().what;
    world.restart();
  }

  World world;
  Mark mark;
};

struct Story {
  std::string name;
  std::function<void(Scene&)> prepare;  // what comes before the recording
  std::function<void(Scene&)> act;      // it keeps `mark` true
  /// Checks the controller after a cut and goes on; gives the newest release that it has then.
  std::function<std::uint64_t(Scene&, const Mark&)> check;
};

// Every release has its blobs, its metadata and its rollout, and a device that has seen `client`'s
// metadata finds it. out: how many there are
std::uint64_t check_releases(Scene& scene, Client client) {
  World& world = scene.world;
  const auto releases = world.store->releases("dns");
  if (!releases) {
    ADD_FAILURE() << releases.error().what;
    return 0;
  }
  for (const controller::ReleaseRow& row : *releases) {
    const auto& kernel = row.manifest.images(0).kernel();
    for (const std::string& digest : {row.manifest_sha256, kernel.sha256()}) {
      const auto bytes = world.blobs->open(*ota::Sha256::from_hex(digest));
      EXPECT_TRUE(bytes.has_value()) << "release " << row.number << " without blob " << digest;
      if (!bytes) continue;
      EXPECT_EQ(ota::hash_file(bytes->get())->hex(), digest) << "a blob is not whole";
    }
    const auto rollout = world.store->rollout(row.number);  // each push is the next one of both
    EXPECT_TRUE(rollout.has_value() && rollout->has_value());
    const proto::Status found = client.finds(world, row.number);
    EXPECT_TRUE(found.has_value()) << "release " << row.number << ": " << found.error().what;
  }
  const auto rollouts = world.store->rollouts(100);
  EXPECT_EQ(rollouts->size(), releases->size()) << "a rollout without its release";
  return releases->size();
}

// The next push, on both devices, to its verdict.
void check_next_push(Scene& scene, std::uint64_t number) {
  World& world = scene.world;
  for (const char* name : {"edge-1", "edge-2"}) world.online(name);
  const auto begun = world.push(world.next_push("edge", "the image after it"));
  ASSERT_TRUE(begun.has_value()) << begun.error().what;
  EXPECT_EQ(begun->release, number);
  scene.report_all(number);
  EXPECT_EQ(world.rollout(begun->number).state, v1::ROLLOUT_SUCCEEDED);
}

Story push_story() {
  struct Pushed {
    v1::PushRequest request;
    std::optional<ota::Targets> role;  // the operator's newest, which was signed for it
    std::vector<std::pair<ota::BlobRef, std::string>> blobs;
  };
  const auto pushed = std::make_shared<Pushed>();  // recorded once, used after every cut
  Story story;
  story.name = "push";
  story.prepare = [](Scene&) {};
  story.act = [pushed](Scene& scene) {
    pushed->request = scene.world.next_push("edge", kImage);
    pushed->role = scene.world.role;
    const auto begun = scene.world.push(pushed->request, kKey);
    ASSERT_TRUE(begun.has_value()) << begun.error().what;
    scene.see();
    scene.mark.accepted = true;
    const auto files = faults::read_tree(scene.directory());
    for (const auto& [path, entry] : *files) {
      if (!path.starts_with("blobs/")) continue;
      pushed->blobs.push_back({{ota::sha256(entry.bytes), entry.bytes.size()}, entry.bytes});
    }
  };
  story.check = [pushed](Scene& scene, const Mark& mark) -> std::uint64_t {
    World& world = scene.world;
    const std::uint64_t releases = check_releases(scene, mark.client);
    EXPECT_TRUE(releases == 2 || (releases == 1 && !mark.accepted)) << "an accepted push is lost";
    for (const char* name : {"edge-1", "edge-2"}) {
      world.online(name);  // who was not there waits for its turn
      EXPECT_EQ(world.wish(name)->release(), releases) << "wishes and release came apart";
    }
    const auto kept = world.store->idempotent_push(kKey);
    EXPECT_EQ(kept.has_value() && kept->has_value(), releases == 2);
    // fleetctl, which had no answer, does it all once more: what is there is not sent again.
    world.role = pushed->role;
    for (const auto& [blob, bytes] : pushed->blobs) {
      const proto::Status put = world.blobs->put(blob, std::as_bytes(std::span(bytes)));
      EXPECT_TRUE(put.has_value()) << put.error().what;
    }
    const auto again = world.push(pushed->request, kKey);
    EXPECT_TRUE(again.has_value()) << (again ? "" : again.error().what);
    EXPECT_EQ(check_releases(scene, mark.client), 2U) << "once more is not twice";
    for (const char* name : {"edge-1", "edge-2"}) world.online(name);
    scene.report_all(2);
    EXPECT_EQ(world.rollout(2).state, v1::ROLLOUT_SUCCEEDED);
    check_next_push(scene, 3);
    return releases;
  };
  return story;
}

Story report_story() {
  const auto reports = std::make_shared<std::vector<DeviceReport>>();
  const auto begun_role = std::make_shared<std::optional<ota::Targets>>();
  Story story;
  story.name = "reports";
  story.prepare = [reports, begun_role](Scene& scene) {
    World& world = scene.world;
    EXPECT_TRUE(world.push(world.next_push("edge", kImage)).has_value());
    *begun_role = world.role;
    for (const v1::DeviceState state :
         {v1::OFFERED, v1::FETCHING, v1::STAGED, v1::TRIAL, v1::HEALTHY}) {
      for (const char* name : {"edge-1", "edge-2"}) {
        EXPECT_TRUE(world.fleet->desired_sent(world.id_of(name)).has_value());
        DeviceReport entry;
        entry.device_id = world.id_of(name);
        entry.report.set_sequence(++world.sequence);
        entry.report.set_app("dns");
        entry.report.set_attempt(world.wish(name)->attempt());
        entry.report.set_release(2);
        entry.report.set_state(state);
        entry.report.mutable_status()->set_app("dns");
        entry.report.mutable_status()->set_live_release(state == v1::HEALTHY ? 2 : 1);
        reports->push_back(std::move(entry));
      }
    }
    scene.see();
  };
  const auto take = [reports](World& world, std::size_t index) {
    return world.fleet->take_reports(std::span(*reports).subspan(index, 1));
  };
  story.act = [reports, take](Scene& scene) {
    for (std::size_t i = 0; i < reports->size(); ++i) {
      const proto::Status taken = take(scene.world, i);
      ASSERT_TRUE(taken.has_value()) << taken.error().what;
      scene.mark.acknowledged = i + 1;
    }
  };
  story.check = [reports, begun_role, take](Scene& scene, const Mark& mark) -> std::uint64_t {
    World& world = scene.world;
    const std::uint64_t releases = check_releases(scene, mark.client);
    // What was acknowledged is there; the next may be, for its acknowledgement was under way.
    const auto sequence_of = [&](const std::string& id) {
      return static_cast<std::uint64_t>((*world.store->device(id))->report_sequence);
    };
    for (std::size_t i = 0; i < reports->size(); ++i) {
      const DeviceReport& one = (*reports)[i];
      const bool there = sequence_of(one.device_id) >= one.report.sequence();
      EXPECT_TRUE(there || i >= mark.acknowledged) << "acknowledged report " << i << " is lost";
      EXPECT_TRUE(!there || i <= mark.acknowledged) << "report " << i << " came from nowhere";
    }
    // Its acknowledgement may be lost all the same, and the device says it again.
    if (mark.acknowledged > 0) {
      const auto row = [&] {
        const std::string& id = (*reports)[mark.acknowledged - 1].device_id;
        return (*world.store->rollout_device(2, id))->row.SerializeAsString();
      };
      const std::string before = row();
      const auto events = world.store->last_event_id();
      EXPECT_TRUE(take(world, mark.acknowledged - 1).has_value());
      EXPECT_EQ(row(), before) << "a repeated report changed something";
      EXPECT_EQ(*world.store->last_event_id(), *events) << "a repeated report was told";
    }
    for (std::size_t i = mark.acknowledged; i < reports->size(); ++i) {
      EXPECT_TRUE(take(world, i).has_value());
    }
    EXPECT_EQ(world.rollout(2).state, v1::ROLLOUT_SUCCEEDED);
    world.role = *begun_role;
    check_next_push(scene, 3);
    return releases;
  };
  return story;
}

Story renewal_story() {
  const auto begun_role = std::make_shared<std::optional<ota::Targets>>();
  Story story;
  story.name = "renewal";
  story.prepare = [begun_role](Scene& scene) {
    *begun_role = scene.world.role;
    // Each look is late enough for both roles to be due.
    scene.world.clock.advance(20LL * 86'400'000);
  };
  story.act = [](Scene& scene) {
    const proto::Result<bool> renewed = scene.world.metadata->renew();
    ASSERT_TRUE(renewed.has_value()) << renewed.error().what;
    scene.see();
  };
  story.check = [begun_role](Scene& scene, const Mark& mark) -> std::uint64_t {
    EXPECT_TRUE(scene.world.metadata->renew().has_value());
    const std::uint64_t releases = check_releases(scene, mark.client);
    scene.world.role = *begun_role;
    check_next_push(scene, 2);
    return releases;
  };
  return story;
}

class ControllerCuts : public testing::TestWithParam<Story> {};

TEST_P(ControllerCuts, LeaveItWholeOrAsBefore) {
  const Story& story = GetParam();
  Scene scene;
  story.prepare(scene);
  ASSERT_FALSE(HasFailure());
  const auto before = faults::read_tree(scene.directory());
  ASSERT_TRUE(before.has_value());
  std::vector<Mark> marks;
  std::vector<faults::Op> ops;
  {
    faults::Recording recording(scene.directory(), [&](std::size_t call) {
      marks.resize(call);
      marks.push_back(scene.mark);
    });
    story.act(scene);
    ops = recording.ops();
  }
  marks.resize(ops.size());
  marks.push_back(scene.mark);
  ASSERT_FALSE(HasFailure());
  const auto there = faults::read_tree(scene.directory());
  ASSERT_TRUE(there.has_value());
  ASSERT_TRUE(faults::after_cut(*before, ops, ops.size(), {}) == *there) << "a call was not seen";

  table.begin(story.name, ops);
  const auto* const result = testing::UnitTest::GetInstance()->current_test_info()->result();
  std::set<std::uint64_t> tried;
  std::size_t failures = 0;
  // From the last cut on: of those that leave the same files it has promised the most.
  for (std::size_t cut = ops.size() + 1; cut-- > 0;) {
    for (std::uint64_t seed = 0; seed < options.seeds + 2; ++seed) {
      const Loss loss = seed == 0   ? Loss{Loss::Kind::none, 0}
                        : seed == 1 ? Loss{Loss::Kind::unsynced, 0}
                                    : Loss{Loss::Kind::seeded, seed - 1};
      now_tried = story.name + ":" + std::to_string(cut) + ":" + name_of(loss);
      if (!options.replay.empty() && options.replay != now_tried) continue;
      const Tree files = faults::after_cut(*before, ops, cut, loss);
      if (!tried.insert(faults::fingerprint(files)).second) continue;
      SCOPED_TRACE("replay: faults_controller --replay '" + now_tried + "', cut behind " +
                   (cut == 0 ? "nothing" : describe(ops[cut - 1])));
      const int parts = result->total_part_count();
      scene.reopen(files);
      const std::uint64_t newest = story.check(scene, marks[cut]);
      const bool passed = result->total_part_count() == parts;
      const bool answered = marks[cut].accepted || marks[cut].acknowledged > 0;
      table.add(answered ? "answered" : "before the answer", newest, passed);
      failures += passed ? 0 : 1;
      ASSERT_LT(failures, 5U) << "enough is known";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Stories, ControllerCuts,
                         testing::Values(push_story(), report_story(), renewal_story()),
                         [](const auto& one) { return one.param.name; });

void name_the_case(int) {
  std::fprintf(stderr, "replay: faults_controller --replay '%s'\n", now_tried.c_str());
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::signal(SIGABRT, name_the_case);
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--seeds") options.seeds = std::stoull(argv[i + 1]);
    if (flag == "--replay") options.replay = argv[i + 1];
  }
  // A thousand restarts say a lot; whoever replays one wants to read it.
  if (options.replay.empty()) proto::set_log_level(proto::LogLevel::error);
  const int result = RUN_ALL_TESTS();
  table.print("The controller, cut at every durable call");
  return result;
}
