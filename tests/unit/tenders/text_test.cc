// Text and numbers without a C library, and the exit report made of them.
#include <gtest/gtest.h>

#include <signal.h>

#include <limits>
#include <string>

#include "agent/tenders/exit_report.h"
#include "agent/tenders/spt/reporter.h"
#include "agent/tenders/text.h"

namespace {

using tenders::Foreign;
using tenders::Hex;
using tenders::Text;

std::string text_of(const auto&... parts) {
  Text text;
  text.add_all(parts...);
  return std::string(text.view());
}

TEST(TenderText, WritesNumbersOfEverySize) {
  EXPECT_EQ(text_of(0, " ", -1, " ", std::numeric_limits<std::int64_t>::min()),
            "0 -1 -9223372036854775808");
  EXPECT_EQ(text_of(~std::uint64_t{0}), "18446744073709551615");
  EXPECT_EQ(text_of(Hex{0}, " ", Hex{0x100000}, " ", Hex{~0ULL}),
            "0x0 0x100000 0xffffffffffffffff");
}

TEST(TenderText, OthersCannotDrawOnTheTerminal) {
  EXPECT_EQ(text_of(Foreign{"a\x1b[2J\n\x7f\xff"}), "a?[2J???");
}

TEST(TenderText, IsCutWhereItEnds) {
  EXPECT_EQ(text_of(std::string(5000, 'x')).size(), Text::kMaxBytes);
}

TEST(TenderText, NumbersAreWholeAndInRange) {
  std::uint64_t out = 0;
  EXPECT_TRUE(tenders::parse_number("18446744073709551615", ~0ULL, out));
  EXPECT_EQ(out, ~0ULL);
  EXPECT_TRUE(tenders::parse_number("007", 7, out));
  for (const char* bad : {"", "8", "-1", "+1", " 1", "1 ", "0x1", "70", "18446744073709551616"}) {
    EXPECT_FALSE(tenders::parse_number(bad, 7, out)) << bad;
  }
  EXPECT_FALSE(tenders::parse_number("18446744073709551616", ~0ULL, out));
}

TEST(ExitReport, IsOneLineOfJsonWhateverIsSaid) {
  tenders::ExitReport report;
  report.monitor = "fleet-spt";
  report.reason = proto::Code::monitor_fault;
  report.what = "a \"quote\", a \\ and a \n line";
  EXPECT_EQ(tenders::to_json(report).view(),
            "{\"monitor\":\"fleet-spt\",\"reason\":\"monitor_fault\",\"status\":0,\"signal\":0,"
            "\"what\":\"a \\\"quote\\\", a \\\\ and a ? line\"}\n");
  const std::string endless(2000, '"');
  report.what = endless;
  const std::string line(tenders::to_json(report).view());
  EXPECT_EQ(line.substr(line.size() - 3), "\"}\n");
}

TEST(ExitReport, TellsATrapAsFarAsItIsKnown) {
  tenders::ExitReport report;
  report.monitor = "fleet-hvt";
  report.reason = proto::Code::guest_abort;
  const auto trap_of = [&report] {
    const std::string line(tenders::to_json(report).view());
    const std::size_t at = line.find("\"trap\":");
    return at == std::string::npos ? "" : line.substr(at);
  };
  EXPECT_EQ(trap_of(), "");
  report.trap.kind = "triple fault";
  EXPECT_EQ(trap_of(), "\"trap\":{\"kind\":\"triple fault\"}}\n");
  report.trap.kind = "page fault";
  report.trap.pc = 0x100abc;
  report.trap.address = 0;
  report.trap.add("rip", 0x100abc);
  report.trap.add("rsp", ~0ULL);
  EXPECT_EQ(trap_of(),
            "\"trap\":{\"kind\":\"page fault\",\"pc\":\"0x100abc\",\"address\":\"0x0\","
            "\"registers\":{\"rip\":\"0x100abc\",\"rsp\":\"0xffffffffffffffff\"}}}\n");
}

TEST(ExitReport, OfEveryRegisterAndTheLongestWordsIsWhole) {
  const std::string words(2000, '"');
  tenders::ExitReport report;
  report.monitor = "fleet-spt";
  report.what = words;
  report.trap.kind = "forbidden system register";
  report.trap.pc = report.trap.address = ~0ULL;
  for (int i = 0; i < 100; ++i) report.trap.add("register", ~0ULL);
  EXPECT_EQ(report.trap.register_count, 40u);
  const std::string line(tenders::to_json(report).view());
  EXPECT_EQ(line.substr(line.size() - 4), "}}}\n");
}

TEST(SptReport, NamesTheForbiddenCallAndShowsTheRegisters) {
  tenders::spt::Ended ended;
  ended.wait_status = SIGSYS;
  ended.look.forbidden_call = 59;
  ended.look.trap.kind = "system call";
  const std::string line(tenders::spt::report_line(ended).view());
  EXPECT_NE(line.find("the system call 59,"), std::string::npos) << line;
  EXPECT_NE(line.find("\"trap\":{\"kind\":\"system call\"}"), std::string::npos) << line;
  ended.ordered = true;  // what it did then is no abort
  EXPECT_EQ(tenders::spt::report_line(ended).view().find("trap"), std::string::npos);
}

TEST(SptReport, TellsEndsApart) {
  const struct {
    int wait_status;
    bool ordered;
    const char* reason;
  } cases[] = {
      {0, false, "guest_exit"},
      {3 << 8, false, "guest_exit"},
      {255 << 8, false, "guest_abort"},
      {SIGSEGV, false, "guest_abort"},
      {SIGSEGV | 0x80, false, "guest_abort"},
      {SIGSYS, false, "guest_abort"},
      {SIGKILL, false, "killed_by_limit"},
      {SIGXCPU, false, "killed_by_limit"},
      {SIGKILL, true, "ordered"},
      {0, true, "ordered"},
  };
  for (const auto& one : cases) {
    tenders::spt::Ended ended;
    ended.wait_status = one.wait_status;
    ended.ordered = one.ordered;
    const std::string line(tenders::spt::report_line(ended).view());
    const std::string wanted = std::string("\"reason\":\"") + one.reason + "\"";
    EXPECT_NE(line.find(wanted), std::string::npos) << line;
  }
}

}  // namespace
