// Every command says what its --json prints, and what it prints is as it says.
#include "deploy/fleetctl/schema.h"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

#include <algorithm>

#include "deploy/fleetctl/arguments.h"

namespace fleetctl {
namespace {

using Words = std::vector<std::string>;

bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// A command that somebody adds is in one of the two lists, or this fails.
TEST(Schema, EveryCommandSaysWhatItPrints) {
  Words all;
  visit_commands([&all](const CLI::App& app, const std::string& path) {
    const bool runs =
        app.get_subcommands(nullptr).empty() || path == "audit" || path == "catalog";
    if (!runs) return;
    all.push_back(path);
    const bool json = has(commands_with_json(), path);
    EXPECT_NE(json, has(commands_without_json(), path)) << "fleetctl " << path;
  });
  for (const std::string& command : commands_with_json()) {
    EXPECT_TRUE(has(all, command)) << "there is no fleetctl " << command;
    EXPECT_TRUE(schema_of(command).has_value()) << command;
  }
  const auto refused = schema_of("deviecs");
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().what.find("nearest: devices"), std::string::npos);
}

// Nothing is referred to that is not there.
void check_references(const ota::Json& at, const ota::Json& definitions) {
  if (at.is_array()) {
    for (const ota::Json& item : at.as_array()) check_references(item, definitions);
  }
  if (!at.is_object()) return;
  for (const ota::Json::Member& member : at.as_object()) {
    check_references(member.value, definitions);
    if (member.key != "$ref") continue;
    const std::string& name = member.value.as_string();
    ASSERT_TRUE(name.starts_with("#/$defs/"));
    EXPECT_NE(definitions.find(name.substr(8)), nullptr) << name;
  }
}

TEST(Schema, EachIsWholeByItself) {
  for (const std::string& command : commands_with_json()) {
    const auto schema = schema_of(command);
    ASSERT_TRUE(schema.has_value());
    check_references(*schema, *schema->find("$defs"));
    EXPECT_EQ(schema->find("title")->as_string(), "fleetctl " + command + " --json");
  }
  const auto devices = schema_of("devices");
  const ota::Json& device = *devices->find("$defs")->find("Device");
  const ota::Json& fields = *device.find("properties");
  EXPECT_EQ(fields.find("seen_ms")->find("type")->as_string(), "string") << "64 bits";
  EXPECT_EQ(fields.find("labels")->find("type")->as_string(), "object") << "a map";
  EXPECT_EQ(fields.find("apps")->find("items")->find("$ref")->as_string(), "#/$defs/AppStatus");
}

}  // namespace
}  // namespace fleetctl
