#include "proto/document.h"

#include <gtest/gtest.h>

#include "fleet/v1/app.pb.h"
#include "fleet/v1/link.pb.h"
#include "fleet/v1/manifest_file.pb.h"
#include "proto/json.h"

namespace {

using fleet::v1::HealthDocument;
using proto::Code;

std::string error_of(std::string_view text) {
  fleet::v1::ManifestDocument document;
  const auto status = proto::parse_document(text, "m.yml", document);
  return status ? "" : status.error().what;
}

struct Case {
  const char* name;
  const char* text;
  const char* words;
};

TEST(DocumentTest, EachFaultIsToldWithItsPlaceAndTheFix) {
  const Case kCases[] = {
      {"an unknown key", "version: 1\nversoin: 2\n",
       "m.yml:2: unknown key \"versoin\"; did you mean \"version\"?"},
      {"an unknown key that is near to none", "zzzzzz: 2\n", "m.yml:1: unknown key \"zzzzzz\""},
      {"a field's name with its unit", "applications:\n- name: a\n  memory_bytes: 1M\n",
       "unknown key \"memory_bytes\""},
      {"a key twice", "version: 1\nversion: 1\n", "m.yml:2: key \"version\" is there twice"},
      {"a key without a value", "version:\n", "m.yml:1: version: has no value"},
      {"a word for a number", "version: one\n",
       "m.yml:1: version: wants a whole number, got \"one\""},
      {"a number that does not fit", "version: 4294967296\n", "wants a whole number"},
      {"a map for a list", "applications: {name: a}\n", "applications: wants a list, got a map"},
      {"a list for a map", "- version\n", "m.yml:1: wants a map of fields, got a list"},
      {"a value for a map", "applications: [{name: a, env: x}]\n",
       "applications[0].env: wants a map of names to values, got a single value"},
      {"a list for a value", "applications: [{name: [a]}]\n",
       "applications[0].name: wants a single value, got a list"},
      {"a word that is no enum", "applications: [{name: a, format: elf}]\n",
       "\"elf\" is not known here; one of auto, solo5"},
      {"a word that is no truth", "applications: [{name: a, network: [{promiscuous: yes}]}]\n",
       "wants true or false, got \"yes\""},
      {"a bare time", "applications:\n- name: a\n  health:\n    deadline: 10\n",
       "m.yml:4: applications[0].health.deadline: 10 has no unit; write 10s or 10ms"},
      {"a bare size", "applications: [{name: a, memory: 16}]\n", "write 16M or 16K"},
      {"a variable for a number", "applications: [{name: a, cpus: ((n))}]\n",
       "a variable cannot stand here"},
      {"no YAML", "a: [1, 2\n", "m.yml:2: no YAML"},
      {"nothing", "", "m.yml: empty"},
      {"two documents", "version: 1\n---\nversion: 1\n", "m.yml: more than one document"},
      {"documents without end", ", Any\n", "m.yml: more than one document"},
      {"documents without end, later", "version: 1\n%a:\n, {b: c}\n", "m.yml"},
      {"Latin-1", "version: 1\nname: caf\xE9\n", "m.yml:2: not UTF-8 here; save the file as UTF-8"},
      {"UTF-16", "\xFF\xFEv\n", "m.yml:1: not UTF-8"},
      {"half a surrogate pair", "a: \xED\xA0\x80\n", "m.yml:1: not UTF-8"},
      {"yaml-cpp's end of file", "version: 1\n\x04 junk\n", "m.yml:2: a control character"},
      {"a tab", "a:\n\t- b\n", "m.yml:2: no YAML"},
  };
  for (const Case& test : kCases) {
    const std::string what = error_of(test.text);
    EXPECT_NE(what.find(test.words), std::string::npos) << test.name << ": " << what;
  }
}

TEST(DocumentTest, ADocumentMayHaveItsMarks) {
  EXPECT_EQ(error_of("# an app\n---\nversion: 1\n...\n# the end\n"), "");
}

TEST(DocumentTest, TheHiddenFieldForPlainTextIsNoKey) {
  EXPECT_NE(error_of("applications: [{name: a, image: {plain: x}}]\n"), "");
  EXPECT_EQ(error_of("applications: [{name: a, image: x}]\n"), "");
  EXPECT_EQ(error_of("applications: [{name: a, image: {kernel: x, initrd: y}}]\n"), "");
}

TEST(DocumentTest, JsonIsReadAsWell) {
  HealthDocument health;
  const auto status =
      proto::parse_document(R"({"type": "dns", "deadline": "10s"})", "h.json", health);
  ASSERT_TRUE(status) << status.error().what;
  EXPECT_EQ(health.type(), fleet::v1::HEALTH_DNS);
  EXPECT_EQ(health.deadline_ms(), 10000U);
  EXPECT_FALSE(health.has_port());
}

TEST(DocumentTest, AnEmptyListDiffersFromNone) {
  fleet::v1::InterfaceDocument interface;
  ASSERT_TRUE(proto::parse_document("egress: []", "i", interface));
  EXPECT_TRUE(interface.has_egress());
  ASSERT_TRUE(proto::parse_document("name: lan", "i", interface));
  EXPECT_FALSE(interface.has_egress());
}

TEST(DocumentTest, AnAliasBombAndAMineShaftAreRefused) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  fleet::v1::ApplicationDocument document;
  std::string text = "args: &a [x,x,x,x,x,x,x,x,x,x]\nneeds:\n  boards: *a\nmonitors: []\n";
  EXPECT_TRUE(proto::parse_document(text, "m", document));  // an honest alias is fine
  proto::DocumentLimits limits;
  limits.values = 20;
  const auto many = proto::parse_document(text, "m", document, nullptr, limits);
  ASSERT_FALSE(many);
  EXPECT_NE(many.error().what.find("more than 20 values"), std::string::npos);
  const std::string deep = "args: " + std::string(100000, '[');
  EXPECT_FALSE(proto::parse_document(deep, "m", document));
  const auto large = proto::parse_document(std::string(300 * 1024, ' '), "m", document);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Code::too_large);
}

TEST(DocumentTest, LinesAreKnownByPath) {
  fleet::v1::ManifestDocument document;
  proto::SourceLines lines;
  ASSERT_TRUE(proto::parse_document(
      "version: 1\napplications:\n- name: a\n  files:\n    /a.b: {content: x}\n  args:\n  - x\n",
      "m.yml", document, &lines));
  EXPECT_EQ(lines.line_of("version"), 1);
  EXPECT_EQ(lines.line_of("applications[0].name"), 3);
  EXPECT_EQ(lines.line_of("applications[0].files./a.b"), 5);
  EXPECT_EQ(lines.line_of("applications[0].args[0]"), 7);
  EXPECT_EQ(lines.place_of("applications[0].args[7].x"), "m.yml:6");
  EXPECT_EQ(lines.place_of("nothing"), "m.yml");
}

TEST(WordsTest, EnumsHaveTheWordsOfTheScreens) {
  EXPECT_EQ(proto::word_of(fleet::v1::X86_64), "x86_64");
  EXPECT_EQ(proto::word_of(fleet::v1::HEALTH_DNS), "dns");
  EXPECT_EQ(proto::word_of(fleet::v1::STOP_START), "stop-start");
  EXPECT_EQ(proto::word_of(fleet::v1::HANDOVER_AUTO), "auto");
  EXPECT_EQ(proto::word_of(fleet::v1::FORMAT_AUTO), "auto");
  EXPECT_EQ(proto::word_of(fleet::v1::ON_FAILURE), "on-failure");
  EXPECT_EQ(proto::word_of(fleet::v1::MONITOR_QEMU), "qemu");
  EXPECT_EQ(proto::word_of(fleet::v1::VAR_IPV4), "ipv4");
  EXPECT_EQ(proto::word_of(fleet::v1::REVERTED), "reverted");
  EXPECT_EQ(proto::word_of(static_cast<fleet::v1::Arch>(77)), "77");
}

TEST(WordsTest, EveryWordLeadsBackToItsValue) {
  const google::protobuf::EnumDescriptor* kTypes[] = {
      fleet::v1::Arch_descriptor(),       fleet::v1::Platform_descriptor(),
      fleet::v1::Format_descriptor(),     fleet::v1::MonitorKind_descriptor(),
      fleet::v1::HealthType_descriptor(), fleet::v1::RestartPolicy_descriptor(),
      fleet::v1::Handover_descriptor(),   fleet::v1::VarType_descriptor(),
      fleet::v1::Strategy_descriptor(),   fleet::v1::OnFailure_descriptor()};
  for (const auto* type : kTypes) {
    for (int i = 0; i < type->value_count(); ++i) {
      if (type->value(i)->name().ends_with("_UNSPECIFIED")) continue;
      EXPECT_EQ(proto::value_of_word(*type, proto::word_of(*type->value(i))), type->value(i));
    }
    EXPECT_EQ(proto::value_of_word(*type, "unspecified"), nullptr);
  }
}

TEST(WordsTest, TheNearestWordIsNearOrNone) {
  EXPECT_EQ(proto::nearest_word("lyonn", {"paris", "lyon", "london"}), "lyon");
  EXPECT_EQ(proto::nearest_word("zzz", {"paris", "lyon"}), "");
  EXPECT_EQ(proto::nearest_word("", {"a"}), "a");
}

TEST(JsonTest, AMessageSurvivesItsJson) {
  fleet::v1::Report report;
  report.set_sequence(9007199254740993);
  report.set_app("dns");
  report.set_state(fleet::v1::HEALTHY);
  const std::string text = proto::to_json(report).value();
  EXPECT_NE(text.find("\"fetched_bytes\":\"0\""), std::string::npos) << text;
  const auto again = proto::from_json<fleet::v1::Report>(text);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->sequence(), 9007199254740993U);
  EXPECT_EQ(again->SerializeAsString(), report.SerializeAsString());
}

TEST(JsonTest, UnknownFieldsAndWrongTypesAreRefusedByName) {
  for (const char* text : {R"({"sequenc": "1"})", R"({"sequence": "x"})", R"({"sequence": 1)",
                           R"([])", "", R"({"state": "NO_SUCH"})"}) {
    const auto message = proto::from_json<fleet::v1::Report>(text);
    ASSERT_FALSE(message) << text;
    EXPECT_EQ(message.error().code, Code::bad_argument);
    EXPECT_NE(message.error().what.find("Report"), std::string::npos);
  }
  const auto message = proto::from_json<fleet::v1::Report>("{\"app\": \"d\xffs\"}");
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().what, "JSON is UTF-8, byte 10 is not");
}

}  // namespace
