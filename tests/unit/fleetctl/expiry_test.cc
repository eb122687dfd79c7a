// Signatures end; people are told from half of the time on.
#include "deploy/fleetctl/expiry.h"

#include <gtest/gtest.h>

#include "ota/repository.h"

namespace {

constexpr std::int64_t kNow = 1'800'000'000;

TEST(Expiry, IsSpokenOfFromHalfOfTheTimeOn) {
  ota::Root root;
  root.header.expires = kNow + ota::kRootLifetime_s;
  const ota::Targets targets = ota::make_targets(kNow);
  struct Case {
    std::int64_t now;
    std::size_t notes;
    const char* first;
  };
  const std::int64_t day = ota::kDay_s;
  for (const Case& each : {Case{kNow, 0, ""}, Case{kNow + 182 * day, 0, ""},
                           Case{kNow + 183 * day, 1, "targets is good for 182d"},
                           Case{kNow + 364 * day, 1, "targets is good for 1d"},
                           Case{kNow + 365 * day, 2, "root is good for 365d"}}) {
    const auto notes = fleetctl::expiry_notes(root, targets, each.now);
    ASSERT_EQ(notes.size(), each.notes) << each.now;
    if (each.notes == 0) continue;
    EXPECT_NE(notes.front().find(each.first), std::string::npos) << notes.front();
    EXPECT_NE(notes.front().find("fleetctl keys refresh"), std::string::npos);
  }
  EXPECT_EQ(fleetctl::time_left(kNow, kNow), "expired");
}

}  // namespace
