#include "tests/faults/agent_checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "agent/flight_log.h"
#include "ota/hash.h"

namespace faults {
namespace {

namespace fs = std::filesystem;
using fleet::v1::Report;
using tests::TestDevice;

constexpr const char* kApp = "dns";

bool is_verdict(fleet::v1::DeviceState state) {
  static const std::set<fleet::v1::DeviceState> kVerdicts = {
      fleet::v1::HEALTHY,    fleet::v1::REVERTED, fleet::v1::FAILED, fleet::v1::HELD,
      fleet::v1::SUPERSEDED, fleet::v1::STOPPED,  fleet::v1::REMOVED};
  return kVerdicts.count(state) == 1;
}

Promises::Said said(const Report& report) {
  return {report.attempt(), report.state(), report.release(),
          std::to_string(report.why().code()) + " " + report.why().text()};
}

std::set<std::string> names_in(const fs::path& directory) {
  std::set<std::string> names;
  if (!fs::exists(directory)) return names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

ota::AppSlots slots_of(TestDevice& device) {
  auto slots = ota::Slots::read(device.state->database(), kApp);
  EXPECT_TRUE(slots.has_value());
  return slots ? *slots : ota::AppSlots();
}

}  // namespace

Promises promises_of(TestDevice& device) {
  Promises out;
  for (const Report& report : device.reports()) out.reports[report.sequence()] = said(report);
  const ota::AppSlots slots = slots_of(device);
  out.highest_confirmed = slots.highest_confirmed;
  out.has_live = slots.live.has_value();
  const auto floor = device.state->time_floor();
  EXPECT_TRUE(floor.has_value());
  if (floor) out.time_floor_s = floor->unix_s;
  return out;
}

void check_promises(TestDevice& device, const Promises& before, bool may_lose_live) {
  const Promises now = promises_of(device);
  for (const auto& [sequence, report] : before.reports) {
    const auto found = now.reports.find(sequence);
    ASSERT_TRUE(found != now.reports.end()) << "report " << sequence << " is lost";
    EXPECT_TRUE(found->second == report) << "report " << sequence << " says something else";
  }
  EXPECT_GE(now.highest_confirmed, before.highest_confirmed);
  EXPECT_GE(now.time_floor_s, before.time_floor_s);
  EXPECT_TRUE(now.has_live || !before.has_live || may_lose_live) << "the live slot is lost";
}

void check_records(TestDevice& device) {
  const auto pinned = ota::Slots::pinned_blobs(device.state->database());
  ASSERT_TRUE(pinned.has_value());
  for (const ota::BlobRef& blob : *pinned) {
    auto file = device.disk->open_file("blobs/" + blob.digest.hex());
    ASSERT_TRUE(file.has_value()) << "a record pins a blob that is not there";
    const auto found = ota::hash_file(file->get());
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(*found, blob.digest) << "a record pins a blob that is not whole";
  }
  const std::vector<Report> reports = device.reports();
  const bool reverted = std::any_of(reports.begin(), reports.end(), [](const Report& report) {
    return report.state() == fleet::v1::REVERTED;
  });
  const auto flight = agent::FlightLog::newest(device.state->database());
  ASSERT_TRUE(flight.has_value());
  const bool recorded = *flight && ((*flight)->outcome() == fleet::v1::FLIGHT_TRIAL_FAILED ||
                                    (*flight)->outcome() == fleet::v1::FLIGHT_REVERTED);
  EXPECT_EQ(recorded, reverted) << "a revert and its flight record come together";
  if (reports.empty()) return;
  const ota::AppSlots slots = slots_of(device);
  const fleet::v1::AppStatus& status = reports.back().status();
  const std::uint64_t live = slots.live ? slots.live_slot()->release.release : 0;
  EXPECT_EQ(status.live_release(), live) << "the last report says more than what is durable";
  EXPECT_EQ(status.highest_confirmed(), slots.highest_confirmed);
  EXPECT_EQ(status.candidate_release(), slots.candidate ? slots.candidate->release : 0);
}

void check_store(TestDevice& device) {
  const auto pinned = ota::Slots::pinned_blobs(device.state->database());
  ASSERT_TRUE(pinned.has_value());
  std::set<std::string> wanted;
  for (const ota::BlobRef& blob : *pinned) wanted.insert(blob.digest.hex());
  EXPECT_EQ(names_in(device.directory / "blobs"), wanted) << "the store has an orphan";
  EXPECT_TRUE(names_in(device.directory / "partial").empty()) << "a partial is left";
  for (const char* folder : {".", "metadata"}) {
    for (const std::string& name : names_in(device.directory / folder)) {
      EXPECT_TRUE(name.front() != '.' || name.ends_with(".new")) << folder << "/" << name;
    }
  }
}

std::size_t verdicts_of(TestDevice& device, const std::string& attempt) {
  std::vector<Promises::Said> different;
  for (const Report& report : device.reports()) {
    if (report.attempt() != attempt || !is_verdict(report.state())) continue;
    const Promises::Said one = said(report);
    if (std::find(different.begin(), different.end(), one) == different.end()) {
      different.push_back(one);
    }
  }
  return different.size();
}

}  // namespace faults
