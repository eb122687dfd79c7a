// Variables: what a declaration allows, which names a text uses, what comes of values.
#include "proto/variables.h"

#include <gtest/gtest.h>

#include "proto/limits.h"
#include "proto/manifest.h"

namespace {

using fleet::v1::Var;
using fleet::v1::VarType;
using proto::Code;

Var var(VarType type) {
  Var out;
  out.set_type(type);
  return out;
}

TEST(VariablesTest, OnlyNamesBetweenDoubleParenthesesAreUses) {
  const auto names = [](std::string_view text) {
    std::string out;
    for (const auto& use : proto::variables_in(text)) out += "<" + use.name + ">";
    return out;
  };
  EXPECT_EQ(names("dns-((site))/((up))"), "<site><up>");
  EXPECT_EQ(names("(((site)))"), "<site>");
  EXPECT_EQ(names("((Site_2-x))"), "<Site_2-x>");
  for (const char* text : {"", "((", "(())", "((a b))", "((a)", "( (a) )", "SOA ((1 2)\n3)"}) {
    EXPECT_EQ(names(text), "") << text;
  }
  EXPECT_EQ(names("((" + std::string(61, 'a') + "))"), "");
}

TEST(VariablesTest, EachTypeTakesItsOwnValuesAlone) {
  Var port = var(fleet::v1::VAR_INT);
  port.set_min(0);
  port.set_max(9);
  Var above = var(fleet::v1::VAR_INT);
  above.set_min(1);
  Var way = var(fleet::v1::VAR_ENUM);
  way.add_values("udp");
  way.add_values("tcp");
  Var code = var(fleet::v1::VAR_STRING);
  code.set_pattern("[a-z]{2}[0-9]+");
  code.set_max_length(5);
  Var key = var(fleet::v1::VAR_SECRET);
  key.set_max_length(12);
  const struct {
    Var var;
    const char* value;
    bool good;
  } kCases[] = {
      {port, "0", true}, {port, "9", true}, {port, "-1", false}, {port, "10", false},
      {port, "", false}, {port, "1x", false}, {port, " 1", false}, {above, "0", false},
      {above, "99999", true}, {var(fleet::v1::VAR_INT), "0", true}, {way, "udp", true},
      {way, "icmp", false}, {code, "ab1", true}, {code, "ab", false}, {code, "xab1", false},
      {code, "ab1234", false}, {var(fleet::v1::VAR_BOOL), "true", true},
      {var(fleet::v1::VAR_BOOL), "yes", false}, {var(fleet::v1::VAR_IPV4), "192.0.2.1", true},
      {var(fleet::v1::VAR_IPV4), "192.0.2.256", false}, {var(fleet::v1::VAR_IPV6), "::1", true},
      {var(fleet::v1::VAR_IPV6), "192.0.2.1", false},
      {var(fleet::v1::VAR_CIDR), "10.0.0.0/8", true},
      {var(fleet::v1::VAR_CIDR), "10.0.0.0/33", false}, {var(fleet::v1::VAR_HOSTNAME), "a.b", true},
      {var(fleet::v1::VAR_HOSTNAME), "a b", false}, {var(fleet::v1::VAR_STRING), "", true},
      {var(fleet::v1::VAR_STRING), "a\nb", false}, {var(fleet::v1::VAR_STRING), "((x))", false},
      {var(fleet::v1::VAR_STRING), "\xff", false}, {var(fleet::v1::VAR_STRING), "é", true},
      {key, "two\nlines", true}, {key, "", false}, {key, "thirteen long", false},
  };
  for (const auto& test : kCases) {
    const auto checked = proto::check_value("x", test.var, test.value);
    EXPECT_EQ(checked.has_value(), test.good) << proto::describe(test.var) << ": " << test.value;
    if (checked) continue;
    EXPECT_EQ(checked.error().code, Code::bad_argument);
    EXPECT_EQ(checked.error().what.rfind("x: ", 0), 0U) << checked.error().what;
  }
  EXPECT_FALSE(proto::check_value("x", var(fleet::v1::VAR_STRING),
                                  std::string(proto::kMaxValueBytes + 1, 'a')));
}

TEST(VariablesTest, NoErrorHoldsASecret) {
  Var key = var(fleet::v1::VAR_SECRET);
  key.set_max_length(6);
  key.set_pattern("[0-9]+");
  for (const char* value : {"tell me not", "abc"}) {
    const auto checked = proto::check_value("tsig", key, value);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().what.find(value), std::string::npos) << checked.error().what;
  }
}

// A pattern and a value that would take a backtracking matcher for ever.
TEST(VariablesTest, NoPatternTakesLongerThanItsValue) {
  Var text = var(fleet::v1::VAR_STRING);
  text.set_pattern("(a+)+b");
  ASSERT_TRUE(proto::check_declaration("x", text));
  EXPECT_FALSE(proto::check_value("x", text, std::string(200, 'a')));
  EXPECT_TRUE(proto::check_value("x", text, std::string(200, 'a') + "b"));
  text.set_pattern("[a]{0,255}");
  ASSERT_TRUE(proto::check_declaration("x", text));
  EXPECT_TRUE(proto::check_value("x", text, std::string(255, 'a')));
}

TEST(VariablesTest, ADeclarationKeepsToItsType) {
  const struct {
    const char* field;
    void (*breaks)(Var& var);
  } kCases[] = {
      {"vars.x", [](Var& v) { v.clear_type(); }},
      {"vars.x.min", [](Var& v) { v.set_min(1); }},
      {"vars.x.max", [](Var& v) { v.set_max(0); }},
      {"vars.x.min",
       [](Var& v) { v.set_type(fleet::v1::VAR_INT); v.set_min(2); v.set_max(1); }},
      {"vars.x.values", [](Var& v) { v.add_values("a"); }},
      {"vars.x.values", [](Var& v) { v.set_type(fleet::v1::VAR_ENUM); }},
      {"vars.x.max_length", [](Var& v) { v.set_type(fleet::v1::VAR_INT); v.set_max_length(3); }},
      {"vars.x.max_length", [](Var& v) { v.set_max_length(1025); }},
      {"vars.x.pattern", [](Var& v) { v.set_type(fleet::v1::VAR_IPV4); v.set_pattern("a"); }},
      {"vars.x.pattern", [](Var& v) { v.set_pattern("("); }},
      {"vars.x.pattern", [](Var& v) { v.set_pattern("a{256}"); }},
      {"vars.x.pattern", [](Var& v) { v.set_pattern("a{200}b{56}"); }},
      {"vars.x.pattern", [](Var& v) { v.set_pattern("(a){9}"); }},
      {"vars.x.pattern", [](Var& v) { v.set_pattern("a?{9}"); }},
      {"vars.x.pattern", [](Var& v) { v.set_pattern(std::string(129, 'a')); }},
      {"vars.x.from", [](Var& v) { v.set_from("label:"); }},
      {"vars.x.from", [](Var& v) { v.set_from("label:device.x"); }},
      {"vars.x.from", [](Var& v) { v.set_type(fleet::v1::VAR_SECRET); v.set_from("label:x"); }},
      {"vars.x.default", [](Var& v) { v.set_type(fleet::v1::VAR_SECRET); v.set_default_("a"); }},
      {"vars.x.default", [](Var& v) { v.set_type(fleet::v1::VAR_IPV4); v.set_default_("a"); }},
      {"vars.x.default", [](Var& v) { v.set_max_length(2); v.set_default_("abc"); }},
  };
  ASSERT_TRUE(proto::check_declaration("x", var(fleet::v1::VAR_STRING)));
  for (const auto& test : kCases) {
    Var broken = var(fleet::v1::VAR_STRING);
    test.breaks(broken);
    const auto checked = proto::check_declaration("x", broken);
    ASSERT_FALSE(checked) << test.field << broken.DebugString();
    EXPECT_EQ(checked.error().element, test.field) << checked.error().what;
  }
  EXPECT_FALSE(proto::check_declaration("X", var(fleet::v1::VAR_STRING)));
}

TEST(VariablesTest, ValuesComeIntoATextOnce) {
  const proto::Values values = {{"a", "1"}, {"b", ""}};
  EXPECT_EQ(*proto::fill("((a))((b))-((a))", values), "1-1");
  EXPECT_EQ(*proto::fill("no ((use of)) it", values), "no ((use of)) it");
  const auto unknown = proto::fill("((c))", values);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().element, "c");
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "((a))";
  EXPECT_TRUE(proto::fill(many, values).has_value());
  EXPECT_FALSE(proto::fill(many, {{"a", std::string(1024, 'x')}}).has_value());
}

TEST(VariablesTest, EachDeviceHasItsOwnIpv6Address) {
  constexpr const char* kText =
      "version: 1\napplications:\n- name: dns\n  image: a\n  memory: 16M\n"
      "  vars: {six: {type: ipv6}, way: {type: ipv6}}\n"
      "  network: [{bridge: br-lan, address: none, address6: \"((six))/64\", gateway6: ((way))}]\n";
  fleet::v1::AppManifest manifest =
      proto::parse_manifest(kText, "m", "").value().applications[0].manifest;
  manifest.set_release(1);
  fleet::v1::Image& image = *manifest.add_images();
  image.set_arch(fleet::v1::X86_64);
  image.set_platform(fleet::v1::VIRTIO);
  image.mutable_kernel()->set_sha256(std::string(64, 'a'));
  image.mutable_kernel()->set_size_bytes(4096);
  EXPECT_FALSE(proto::is_frame_port(manifest.network(0)));
  EXPECT_EQ(proto::widest_handover(manifest), fleet::v1::STOP_START);
  const auto filled = proto::with_values(manifest, {{"six", "2001:db8::7"}, {"way", "fe80::1"}});
  ASSERT_TRUE(filled) << filled.error().what;
  EXPECT_EQ(filled->network(0).address6(), "2001:db8::7/64");
  EXPECT_EQ(filled->network(0).gateway6(), "fe80::1");
}

TEST(VariablesTest, ATemplatesUndeclaredNameIsToldByLine) {
  fleet::v1::AppManifest manifest;
  (*manifest.mutable_vars())["site"] = var(fleet::v1::VAR_STRING);
  EXPECT_TRUE(proto::check_template(manifest, "a ((site))\n"));
  const auto checked = proto::check_template(manifest, "((site))\nb ((sit))\n");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().what, "line 2: ((sit)) is not declared under vars; nearest: site");
}

}  // namespace
