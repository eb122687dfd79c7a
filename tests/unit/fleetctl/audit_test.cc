// The log's chain as this machine checks it: sound, changed, shortened, rewritten, in pages.
#include "deploy/fleetctl/audit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "deploy/fleetctl/tokens.h"
#include "deploy/fleetctl/why.h"
#include "ota/audit_chain.h"

namespace fleetctl {
namespace {

using fleet::v1::AuditEntry;
using fleet::v1::AuditHead;

struct Served {
  std::vector<AuditEntry> entries;  // oldest first
  std::size_t page = 3;
  std::size_t largest = 0;

  explicit Served(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      AuditEntry entry;
      entry.set_sequence(i + 1);
      entry.set_action("device.labelled");
      entry.set_object("edge-" + std::to_string(i));
      entries.push_back(entry);
    }
    chain(0);
  }
  /// Recomputes the hashes from there, as somebody would who rewrites the log.
  void chain(std::size_t from) {
    for (std::size_t i = from; i < entries.size(); ++i) {
      const std::string previous(i == 0 ? std::string(ota::kAuditStart) : entries[i - 1].hash());
      entries[i].set_hash(ota::audit_hash(previous, entries[i]));
    }
  }
  AuditHead head_at(std::size_t sequence) const {
    AuditHead head;
    head.set_sequence(sequence);
    head.set_hash(entries.at(sequence - 1).hash());
    return head;
  }
  AuditHead head() const {
    AuditHead head;
    if (entries.empty()) return head;
    head.set_sequence(entries.back().sequence());
    head.set_hash(entries.back().hash());
    return head;
  }
  /// "" when it is sound, else what is said.
  std::string check(const std::optional<AuditHead>& kept = std::nullopt) {
    AuditLog log;
    log.head = head();
    std::size_t seen = 0;
    log.page_before = [this](std::uint64_t before) -> proto::Result<std::vector<AuditEntry>> {
      std::vector<AuditEntry> out;
      for (auto at = entries.rbegin(); at != entries.rend() && out.size() < page; ++at) {
        if (at->sequence() < before) out.push_back(*at);
      }
      largest = std::max(largest, out.size());
      return out;
    };
    log.on_entry = [&seen](const AuditEntry&) -> proto::Status {
      ++seen;
      return {};
    };
    const proto::Status status = check_chain(log, kept);
    if (status) {
      EXPECT_EQ(seen, entries.size());
    } else {
      EXPECT_EQ(status.error().code, proto::Code::bad_digest);
    }
    return status ? "" : status.error().what;
  }
};

TEST(Audit, ASoundLogPassesInPagesOfAnySize) {
  for (const std::size_t page : {1u, 2u, 3u, 10u, 11u, 100u}) {
    Served log(10);
    log.page = page;
    EXPECT_EQ(log.check(), "") << page;
    EXPECT_EQ(log.check(log.head()), "") << page;
    EXPECT_EQ(log.check(log.head_at(1)), "") << page;
    EXPECT_LE(log.largest, page);
  }
  EXPECT_EQ(Served(0).check(), "");
  EXPECT_EQ(Served(1).check(), "");
}

TEST(Audit, AChangedEntryIsNamed) {
  for (const std::size_t changed : {1u, 5u, 10u}) {
    Served log(10);
    log.entries[changed - 1].set_who("eve");
    EXPECT_EQ(log.check(), "the audit log is not sound at entry " + std::to_string(changed) + ": " +
                               (changed == 1 ? "it was changed"
                                             : "it, or one before it, was changed"));
  }
}

TEST(Audit, AMissingOrDoubledEntryIsNamed) {
  Served log(10);
  log.entries.erase(log.entries.begin() + 4);
  EXPECT_EQ(log.check(), "the audit log is not sound at entry 5: it is missing");
  Served first(10);
  first.entries.erase(first.entries.begin());
  EXPECT_EQ(first.check(), "the audit log is not sound at entry 1: it is missing");
  Served twice(3);
  twice.entries.insert(twice.entries.begin() + 1, twice.entries[1]);
  EXPECT_NE(twice.check(), "");
}

TEST(Audit, AShortenedLogIsToldByWhatWasSeenBefore) {
  Served log(10);
  const AuditHead kept = log.head();
  log.entries.resize(7);
  EXPECT_EQ(log.check(), "") << "in itself it is sound";
  EXPECT_EQ(log.check(kept), "the audit log is not sound at entry 8: the log ends at 7, but this"
                             " machine saw entry 10");
}

TEST(Audit, ARewrittenLogIsToldByWhatWasSeenBefore) {
  Served log(10);
  const AuditHead kept = log.head_at(6);
  log.entries[3].set_who("eve");
  log.chain(3);
  EXPECT_EQ(log.check(), "") << "in itself it is sound";
  EXPECT_EQ(log.check(kept), "the audit log is not sound at entry 6: it is not the entry that this"
                             " machine saw; it or one before it was rewritten");
}

TEST(Audit, TheKeptHeadIsReadAsItWasWrittenOrRefused) {
  const AuditHead head = Served(3).head();
  const auto read = parse_head(format_head(head));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->sequence(), 3u);
  EXPECT_EQ(read->hash(), head.hash());
  for (const char* text : {"", "3", "x abc", "0 " "abc", "3 abc\n"}) {
    EXPECT_FALSE(parse_head(text).has_value()) << text;
  }
}

TEST(Audit, TheTableMakesForeignTextHarmless) {
  fleet::v1::AuditPage page;
  AuditEntry* entry = page.add_entries();
  entry->set_sequence(7);
  entry->set_who("ana");
  entry->set_action("rollout.started");
  entry->set_object("r-1");
  entry->set_detail("push \x1b[31m");
  entry->set_at_ms(1000);
  const auto lines = audit_table(page, 5000);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1], "7         4s   ana  -     rollout.started  r-1     push \\x1b[31m");
}

TEST(Tokens, TheTableSaysRoleGroupsAndHowLong) {
  fleet::v1::TokenList list;
  fleet::v1::Token* token = list.add_tokens();
  token->set_name("ana");
  token->set_role("deployer");
  token->add_groups("edge");
  token->add_groups("lab");
  token->set_created_ms(1000);
  token->set_expires_ms(65'000);
  token->set_by("admin");
  token = list.add_tokens();
  token->set_name("bo");
  token->set_role("admin");
  const auto lines = tokens_table(list, 5000);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], "ana   deployer  edge, lab        for 1m    4s   admin");
  EXPECT_EQ(lines[2], "bo    admin     the whole fleet  for ever  5s   -");
}

TEST(Why, TheLinesAreThoseOfTheController) {
  fleet::v1::Why why;
  why.set_device("edge-117");
  why.set_seen("online");
  EXPECT_EQ(why_lines(why).size(), 2u) << "nothing runs there";
  fleet::v1::WhyApp* app = why.add_apps();
  app->set_app("dns");
  app->set_runs(3);
  app->set_wants(4);
  app->set_summary("edge-117 runs dns 3, not dns 4.");
  app->set_wanted_by("rollout r-9 (role=resolver, ana)");
  fleet::v1::WhyRule* rule = app->add_held_by();
  rule->set_rule("MEMORY");
  rule->set_text("needs 24 MiB, free 6 MiB");
  rule = app->add_clear();
  rule->set_text("link up");
  rule = app->add_clear();
  rule->set_text("clock ok");
  app->add_next("fleetctl restart scada --to edge-117");
  const std::vector<std::string> want = {
      "edge-117 runs dns 3, not dns 4.",
      "  wants    dns 4 by rollout r-9 (role=resolver, ana)",
      "  held by  MEMORY  needs 24 MiB, free 6 MiB",
      "  clear    link up · clock ok",
      "  do       fleetctl restart scada --to edge-117"};
  EXPECT_EQ(why_lines(why), want);
}

}  // namespace
}  // namespace fleetctl
