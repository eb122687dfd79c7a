// Signatures end; people are told from half of the time on.
#include "deploy/fleetctl/expiry.h"

#include <gtest/gtest.h>

#include "ota/repository.h"

namespace {

constexpr std::int64_t kNow = 1'800'000'000;

using fleetctl::RoleExpiry;

TEST(Expiry, IsSpokenOfLongBeforeWithTheCommandThatMendsIt) {
  const std::int64_t day = ota::kDay_s;
  const std::vector<RoleExpiry> roles = {{"root", kNow + ota::kRootLifetime_s},
                                         {"targets", kNow + ota::kTargetsLifetime_s},
                                         {"apps.dns", kNow + 300 * day},
                                         {"apps.new", 0}};
  struct Case {
    std::int64_t now;
    std::vector<const char*> notes;
  };
  for (const Case& each :
       {Case{kNow, {}}, Case{kNow + 117 * day, {}},
        Case{kNow + 118 * day, {"apps/dns is good for 182d"}},
        Case{kNow + 183 * day, {"targets is good for 182d", "apps/dns is good for 117d"}},
        Case{kNow + 364 * day, {"targets is good for 1d", "apps/dns has expired"}},
        Case{kNow + 365 * day,
             {"root is good for 365d", "targets has expired", "apps/dns has expired"}}}) {
    const auto notes = fleetctl::expiry_notes(roles, each.now);
    ASSERT_EQ(notes.size(), each.notes.size()) << each.now;
    for (std::size_t i = 0; i < notes.size(); ++i) {
      EXPECT_NE(notes[i].find(each.notes[i]), std::string::npos) << notes[i];
      EXPECT_NE(notes[i].find("fleetctl keys refresh"), std::string::npos);
    }
  }
  EXPECT_EQ(fleetctl::time_left(kNow, kNow), "expired");
}

TEST(Expiry, ARoleThatRenewsItselfIsSpokenOfWhenItDidNot) {
  const std::vector<RoleExpiry> roles = {{"timestamp", kNow + ota::kTimestampLifetime_s}};
  // Renewed at half of its time, give or take a minute.
  EXPECT_TRUE(fleetctl::expiry_notes(roles, kNow + 13 * 3600).empty());
  const auto notes = fleetctl::expiry_notes(roles, kNow + 18 * 3600);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("metadata.not_renewed"), std::string::npos) << notes[0];
}

TEST(Expiry, TheLineOfStatusNamesEveryRole) {
  const std::int64_t day = ota::kDay_s;
  EXPECT_EQ(fleetctl::keys_line({{"apps.dns", kNow + 84 * day},
                                 {"root", kNow + 312 * day},
                                 {"timestamp", kNow + 23 * 3600},
                                 {"targets", kNow + 84 * day}},
                                kNow),
            "apps/dns 84d   root 312d   targets 84d   timestamp renews itself, 23h");
}

}  // namespace
