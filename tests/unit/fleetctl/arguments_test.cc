// The command line: what is usage, what is help, what is not built yet.
#include "deploy/fleetctl/arguments.h"

#include "deploy/fleetctl/complete.h"
#include "deploy/fleetctl/completion.h"

#include <gtest/gtest.h>

#include <regex>

namespace fleetctl {
namespace {

Parsed parse(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : line + " ") {
    if (c != ' ') word += c;
    else if (!word.empty()) words.push_back(std::exchange(word, ""));
  }
  return parse_arguments(words);
}

TEST(Arguments, CommandsAreChosen) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"push dns --to edge --plan", "push"},
      {"push", "push"},
      {"push dns --wait 10m --image x", "push"},
      {"rollback dns --release 3 --to all", "rollback"},
      {"keys init --second-copy /x", "keys init"},
      {"keys delegate dns", "keys delegate"},
      {"keys rotate root --second-copy /x", "keys rotate"},
      {"keys sign root-2.json --key a --key b --publish", "keys sign"},
      {"device label edge-1 a=b c-", "device label"},
      {"rollout show r-1 -w", "rollout show"},
      {"stop dns --to edge-1", "stop"},
      {"enroll-token --group edge --label a=b --label c=d --ttl 1h -o f", "enroll-token"},
      {"devices --to site=lyon --state offline", "devices"},
      {"logs dns -f", "logs"},
      {"manifest check m.yml", "manifest check"},
      {"config set dns a=b tsig --to edge --secret-file k=f --accept-key edge-1", "config set"},
      {"config unset dns a --to edge", "config unset"},
      {"config list dns", "config list"},
      {"why edge-1 dns", "why"},
      {"why edge-1", "why"},
      {"device accept edge-1", "device accept"},
      {"device accept --to all", "device accept"},
      {"logs dns --to site=lyon -f", "logs"},
      {"volumes list", "volumes list"},
      {"volumes list dns --to edge", "volumes list"},
      {"volumes create x --size 8M", "volumes create"},
      {"schema", "schema"},
      {"schema rollout show", "schema"},
      {"complete --what devices --begun push", "complete"},
      {"audit --last 5", "audit"},
      {"audit verify --accept", "audit verify"},
      {"token create ana --role viewer --group edge --group lab --ttl 1h", "token create"},
      {"token revoke ana", "token revoke"},
      {"whoami", "whoami"},
      {"login https://h:1 --token-file - --ca c", "login"}};
  for (const auto& [line, command] : cases) {
    const Parsed parsed = parse(line);
    EXPECT_FALSE(parsed.print_only) << line << ": " << parsed.to_stderr;
    EXPECT_EQ(parsed.chosen.command, command) << line;
    EXPECT_TRUE(parsed.chosen.run) << line;
  }
}

TEST(Arguments, FlagsOfAllCommandsStandAnywhere) {
  EXPECT_TRUE(parse("--json devices").chosen.json);
  EXPECT_TRUE(parse("devices --json").chosen.json);
  EXPECT_EQ(parse("ps --context lab").chosen.context, "lab");
}

TEST(Arguments, WrongUseIsTwoAndNamesThePlace) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"", "push"},
      {"pussh dns", "nearest: push"},
      {"push --no-such-flag", "--no-such-flag"},
      {"push dns --wait 10", "10 has no unit"},
      {"push dns --strategy some", "--strategy"},
      {"stop dns", "--to"},
      {"rollback dns --to edge", "--release"},
      {"enroll-token --uses 0", "--uses"},
      {"keys", "which keys?"},
      {"device accept edge-1 --to all", "--to"},
      {"logs dns --device edge-1 --to all", "--to"},
      {"login https://h", "--"}};
  for (const auto& [line, said] : cases) {
    const Parsed parsed = parse(line);
    EXPECT_TRUE(parsed.print_only) << line;
    EXPECT_EQ(parsed.code, ExitCode::usage) << line;
    EXPECT_NE(parsed.to_stderr.find(said), std::string::npos) << line << ": " << parsed.to_stderr;
    EXPECT_TRUE(parsed.to_stdout.empty()) << line;
  }
}

TEST(Arguments, HelpListsWhatIsBuiltAndEveryCommandHasAnExample) {
  const std::string help = parse("--help").to_stdout;
  EXPECT_FALSE(std::regex_search(help, std::regex("\n  complete\\b"))) << "a hidden one";
  for (const char* command :
       {"login", "keys", "keys init", "keys delegate", "keys list", "keys refresh", "keys rotate",
        "keys revoke", "keys sign", "enroll-token", "push", "revert", "rollback", "yank", "stop",
        "start", "restart", "delete", "apps", "releases", "devices", "device show", "device label",
        "device remove", "device accept", "volumes", "volumes list", "schema", "ps", "status",
        "why", "audit", "audit verify", "token create",
        "token list", "token revoke", "whoami", "rollouts", "rollout show", "rollout pause",
        "rollout resume", "rollout abort", "rollout retry", "config", "config set",
        "config unset", "config list", "logs", "inspect", "manifest",
        "manifest check", "build", "catalog", "catalog copy", "completion"}) {
    const Parsed parsed = parse(std::string(command) + " --help");
    EXPECT_EQ(parsed.code, ExitCode::ok) << command;
    EXPECT_NE(parsed.to_stdout.find("Example"), std::string::npos) << command;
    EXPECT_NE(parsed.to_stdout.find("fleetctl"), std::string::npos) << command;
  }
}

TEST(Arguments, TheCompletionKnowsCommandsAndFlags) {
  const std::string script = bash_completion();
  EXPECT_NE(script.find("'push') words='"), std::string::npos);
  EXPECT_NE(script.find("--require-all"), std::string::npos);
  EXPECT_NE(script.find("'keys delegate') words='"), std::string::npos);
  EXPECT_NE(script.find("'catalog') words='copy "), std::string::npos);
  EXPECT_TRUE(std::regex_search(script, std::regex("'build'\\) .*valued='[^']*--platform ")));
  EXPECT_EQ(script.find("'complete')"), std::string::npos) << "a hidden one";
  EXPECT_TRUE(std::regex_search(script, std::regex("'yank'\\) .*places='apps releases'")));
  EXPECT_TRUE(std::regex_search(script, std::regex("'device show'\\) .*places='devices'")));
  EXPECT_TRUE(std::regex_search(script, std::regex("'token revoke'\\) .*places='-'")));
  EXPECT_TRUE(std::regex_search(script, std::regex("'push'\\) .*valued='[^']*--to ")));
  EXPECT_FALSE(std::regex_search(script, std::regex("'push'\\) .*valued='[^']*--plan")));
}

TEST(Arguments, OnlyWhatFitsAndIsAPlainWordIsOffered) {
  fleet::v1::DeviceSummaryList list;
  for (const char* name : {"edge-1", "edge-2", "$(reboot)", "-rf", "lab 1"}) {
    auto& device = *list.add_devices();
    device.set_name(name);
    device.add_groups("edge");
    (*device.mutable_labels())["site"] = "lyon";
  }
  const auto words = [&list](const char* what, const char* begun) {
    return device_words(list, {what, "", begun});
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(words("devices", ""), (Words{"edge-1", "edge-2"}));
  EXPECT_EQ(words("devices", "edge-2"), Words{"edge-2"});
  EXPECT_EQ(words("selectors", "e"), (Words{"edge", "edge-1", "edge-2"}));
  EXPECT_EQ(words("selectors", "site=l"), Words{"site=lyon"});
  EXPECT_EQ(words("selectors", "a"), Words{"all"});
  EXPECT_EQ(words("groups", ""), Words{"edge"});
}

TEST(ExitCodes, ErrorsHaveTheNumbersThatScriptsRelyOn) {
  using proto::Code;
  EXPECT_EQ(static_cast<int>(exit_code_of({Code::unreachable, "", ""})), 4);
  EXPECT_EQ(static_cast<int>(exit_code_of({Code::timeout, "", ""})), 4);
  EXPECT_EQ(static_cast<int>(exit_code_of({Code::closed, "", ""})), 4);
  EXPECT_EQ(static_cast<int>(exit_code_of({Code::cancelled, "", ""})), 130);
  EXPECT_EQ(static_cast<int>(exit_code_of({Code::not_found, "", ""})), 1);
  EXPECT_EQ(static_cast<int>(exit_code_of({Code::bad_manifest, "", ""})), 1);
  EXPECT_EQ(static_cast<int>(ExitCode::usage), 2);
  EXPECT_EQ(static_cast<int>(ExitCode::rollout_failed), 3);
  EXPECT_EQ(static_cast<int>(ExitCode::wait_over), 5);
}

}  // namespace
}  // namespace fleetctl
