#include "tests/faults/agent_stories.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace faults {
namespace {

using fleet::v1::AppManifest;
using tests::make_manifest;
using tests::Repository;
using tests::TestDevice;

constexpr std::uint64_t kVolumeBytes = 64 * proto::kKiB;
constexpr std::uint64_t kGrownBytes = 96 * proto::kKiB;
constexpr const char* kKept = "volumes/dns/cache";
constexpr const char* kUnkept = "volumes/dns/scratch";

/// Several sectors and pages, none like another; a partial of it can be torn in many ways.
std::string image_of(std::uint64_t release) {
  std::string bytes;
  while (bytes.size() < 20'000) {
    bytes += "image " + std::to_string(release) + " at " + std::to_string(bytes.size()) + "\n";
  }
  return bytes;
}

void publish(Repository& repository, std::vector<AppManifest> manifests) {
  for (AppManifest& one : manifests) {
    one.mutable_update()->set_tries(3);  // each cut on trial takes one, and some are cut twice
    repository.add(one, image_of(one.release()));
  }
}

bool is_ended(TestDevice& device, const std::string& attempt) { return device.ended(attempt); }

Order order(const fleet::v1::DesiredApp& wish) {
  const std::string attempt = wish.attempt();
  return {wish, [attempt](TestDevice& device) { return is_ended(device, attempt); }};
}

Order run(std::uint64_t release) {
  return order(TestDevice::wish("dns", release, "a" + std::to_string(release)));
}

/// The next order comes as soon as the attempt is in that state.
Order run_until(std::uint64_t release, fleet::v1::DeviceState state) {
  Order out = run(release);
  const std::string attempt = out.wish.attempt();
  out.enough = [attempt, state](TestDevice& device) {
    return device.last(attempt).state() == state || device.ended(attempt);
  };
  return out;
}

Story good_update() {
  Story story;
  story.name = "good update";
  story.supply = [](Repository& repository, TestDevice&) {
    publish(repository, {make_manifest("dns", 1), make_manifest("dns", 2)});
  };
  story.before = {run(1)};
  story.orders = {run(2)};
  story.live = 2;
  story.may_run = {1, 2};
  story.next = make_manifest("dns", 3);
  return story;
}

Story install() {
  Story story = good_update();
  story.name = "install";
  story.before.clear();
  story.orders = {run(1)};
  story.live = 1;
  story.may_run = {1};
  return story;
}

Story bad_update() {
  Story story = good_update();
  story.name = "bad update";
  story.supply = [](Repository& repository, TestDevice& device) {
    publish(repository, {make_manifest("dns", 1), make_manifest("dns", 2)});
    device.scripts[2].answers_after_ms = -1;
  };
  story.verdict = fleet::v1::REVERTED;
  story.live = 1;
  return story;
}

Story superseded(const std::string& when, fleet::v1::DeviceState state) {
  Story story = good_update();
  story.name = "superseded " + when;
  story.supply = [](Repository& repository, TestDevice& device) {
    publish(repository,
            {make_manifest("dns", 1), make_manifest("dns", 2), make_manifest("dns", 3)});
    device.scripts[2].answers_after_ms = -1;
    device.wire.cut_blobs_after = 15'000;  // so that there is a time in which it fetches
  };
  story.orders = {run_until(2, state), run(3)};
  story.live = 3;
  story.may_run = {1, 2, 3};
  story.next = make_manifest("dns", 4);
  return story;
}

Story falls_back() {
  Story story = good_update();
  story.name = "fall back";
  story.before = {run(1), run(2)};
  fleet::v1::DesiredApp wish = TestDevice::wish("dns", 1, "back");
  wish.set_fall_back(1);
  story.orders = {order(wish)};
  story.live = 1;
  return story;
}

Story crash_loop_under_watch() {
  Story story = good_update();
  story.name = "revert under watch";
  story.supply = [](Repository& repository, TestDevice& device) {
    publish(repository, {make_manifest("dns", 1), make_manifest("dns", 2)});
    device.scripts[2].exits_after_ms = 2'000;
    device.scripts[2].exit_status = 3;
  };
  // Healthy first; its verdict changes when it is reverted.
  Order order = run(2);
  order.enough = [](TestDevice& device) {
    return device.last("a2").state() == fleet::v1::REVERTED;
  };
  story.orders = {std::move(order)};
  story.verdict = fleet::v1::REVERTED;
  story.verdicts = 2;
  story.live = 1;
  return story;
}

// In front of the device's own way to the controller. The link is up at every event; `again`: made
// anew each time, else it is the one from before, which is no proof.
Story uplink(bool again) {
  Story story = good_update();
  story.name = again ? "uplink back" : "uplink lost";
  story.supply = [](Repository& repository, TestDevice&) {
    AppManifest second = make_manifest("dns", 2);
    second.mutable_update()->set_uplink_ms(20'000);
    publish(repository, {make_manifest("dns", 1), second});
  };
  Order order = run(2);
  order.enough = [again](TestDevice& device) {
    device.agent->device().link_up = true;
    if (again) device.agent->device().link_since_ms = device.clock.now_ms();
    return is_ended(device, "a2");
  };
  story.orders = {std::move(order)};
  if (!again) {
    story.verdict = fleet::v1::REVERTED;
    story.live = 1;
  }
  return story;
}

Story cut_download() {
  Story story = good_update();
  story.name = "cut download";
  story.supply = [](Repository& repository, TestDevice& device) {
    publish(repository, {make_manifest("dns", 1), make_manifest("dns", 2)});
    device.wire.cut_blobs_after = 7'000;
  };
  return story;
}

void add_volume(AppManifest& to, const std::string& name, std::uint64_t size_bytes, bool keep) {
  fleet::v1::Volume& volume = *to.add_volumes();
  volume.set_name(name);
  volume.set_size_bytes(size_bytes);
  volume.set_sync("periodic");
  volume.set_keep(keep);
  volume.set_on_revert("keep");
}

AppManifest with_volumes(std::uint64_t release, std::uint64_t size_bytes) {
  AppManifest out = make_manifest("dns", release);
  add_volume(out, "cache", size_bytes, true);
  add_volume(out, "scratch", size_bytes, false);
  return out;
}

/// What the guest wrote there and synced.
const std::string& written() {
  static const std::string text(10'000, 'w');
  return text;
}

std::string kept_volume(const TestDevice& device, std::uint64_t size_bytes) {
  std::ifstream stream(device.directory / kKept, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (bytes.size() != size_bytes) return "a volume of " + std::to_string(bytes.size()) + " bytes";
  if (bytes.compare(0, written().size(), written()) != 0) return "the volume's bytes are lost";
  return "";
}

Order install_and_write() {
  Order order = run(1);
  order.enough = [](TestDevice& device) {
    if (!is_ended(device, "a1")) return false;
    std::fstream stream(device.directory / kKept);
    stream.write(written().data(), static_cast<std::streamsize>(written().size()));
    return true;
  };
  return order;
}

Story volume_grows() {
  Story story = good_update();
  story.name = "volume grows";
  story.supply = [](Repository& repository, TestDevice&) {
    publish(repository, {with_volumes(1, kVolumeBytes), with_volumes(2, kGrownBytes)});
  };
  story.before = {install_and_write()};
  story.also = [](const TestDevice& device) { return kept_volume(device, kGrownBytes); };
  story.next = with_volumes(3, kGrownBytes);
  return story;
}

AppManifest with_volume_that_goes_back(std::uint64_t release) {
  AppManifest out = with_volumes(release, kVolumeBytes);
  out.mutable_volumes(0)->set_on_revert("restore");
  return out;
}

// The release on trial writes over what was there; however often it is cut, it goes with it.
Story volume_goes_back() {
  Story story = bad_update();
  story.name = "volume goes back";
  story.supply = [](Repository& repository, TestDevice& device) {
    publish(repository, {with_volume_that_goes_back(1), with_volume_that_goes_back(2)});
    device.scripts[2].answers_after_ms = -1;
  };
  story.before = {install_and_write()};
  Order spoils = run(2);
  spoils.enough = [](TestDevice& device) {
    if (is_ended(device, "a2")) return true;
    const auto& calls = device.launcher.calls;
    if (std::find(calls.begin(), calls.end(), "start 2") == calls.end()) return false;
    std::fstream(device.directory / kKept) << "what no other release can read";
    return true;
  };
  story.orders = {std::move(spoils), run(2)};
  story.also = [](const TestDevice& device) {
    const std::filesystem::path folder = device.directory / "volumes/dns";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename();
      if (name.find('.') != std::string::npos) return "the copy " + name + " is left";
    }
    return kept_volume(device, kVolumeBytes);
  };
  story.next = with_volume_that_goes_back(3);
  return story;
}

Story removal() {
  Story story = volume_grows();
  story.name = "removal";
  fleet::v1::DesiredApp wish = TestDevice::wish("dns", 1, "gone");
  wish.set_run(fleet::v1::REMOVE);
  story.orders = {order(wish)};
  story.verdict = fleet::v1::REMOVED;
  story.live = 0;
  story.may_run = {1};
  story.also = [](const TestDevice& device) {
    if (std::filesystem::exists(device.directory / kUnkept)) {
      return std::string("a volume of the removed app is left");
    }
    return kept_volume(device, kVolumeBytes);
  };
  return story;
}

}  // namespace

std::vector<Story> agent_stories() {
  return {install(),
          good_update(),
          bad_update(),
          superseded("in fetch", fleet::v1::FETCHING),
          superseded("when staged", fleet::v1::STAGED),
          superseded("on trial", fleet::v1::TRIAL),
          falls_back(),
          crash_loop_under_watch(),
          uplink(true),
          uplink(false),
          cut_download(),
          volume_grows(),
          volume_goes_back(),
          removal()};
}

}  // namespace faults
