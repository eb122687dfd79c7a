// The strict reader and the writers, above all the canonical one.
#include "ota/json.h"

#include <gtest/gtest.h>

namespace {

using ota::canonical_json;
using ota::Json;
using ota::parse_json;

struct Refusal {
  const char* name;
  std::string text;
  const char* says;
};

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithPlaceAndReason) {
  const auto value = parse_json(GetParam().text);
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().code, proto::Code::bad_metadata);
  EXPECT_NE(value.error().what.find(GetParam().says), std::string::npos) << value.error().what;
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

const Refusal kRefusals[] = {
    {"NothingAtAll", "", "line 1, column 1: the text ends"},
    {"OnlySpace", " \n ", "line 2, column 2"},
    {"TrailingBytes", "{} x", "column 4: something follows"},
    {"TwoValues", "1 2", "something follows"},
    {"ATrailingZero", std::string("1\0", 2), "something follows"},
    {"DuplicateKey", "{\"a\":1,\"b\":2,\"a\":3}", "\"a\" twice"},
    {"DuplicateKeyByEscape", "{\"a\":1,\"\\u0061\":2}", "\"a\" twice"},
    {"AFloat", "1.0", "fractions and exponents"},
    {"AnExponent", "1e3", "fractions and exponents"},
    {"ALargeExponent", "[1E3]", "fractions and exponents"},
    {"BeyondInt64", "9223372036854775808", "64 bits"},
    {"BelowInt64", "-9223372036854775809", "64 bits"},
    {"FarBeyondInt64", "99999999999999999999999", "64 bits"},
    {"ALeadingZero", "01", "begin with 0"},
    {"MinusZero", "-0", "-0"},
    {"OnlyAMinus", "-", "a value is wanted"},
    {"APlus", "+1", "a value is wanted"},
    {"NotANumber", "NaN", "a value is wanted"},
    {"AHalfWord", "tru", "a value is wanted"},
    {"ATrailingComma", "[1,]", "a value is wanted"},
    {"ATrailingCommaInAnObject", "{\"a\":1,}", "a string is wanted"},
    {"AMissingComma", "[1 2]", "a comma or ]"},
    {"AMissingColon", "{\"a\" 1}", "a colon"},
    {"AnOpenString", "\"abc", "ends inside a string"},
    {"AnOpenEscape", "\"abc\\", "ends inside a string"},
    {"AnUnknownEscape", "\"\\x41\"", "no such escape"},
    {"AShortUnicodeEscape", "\"\\u12\"", "four hex digits"},
    {"ARawNewline", "\"a\nb\"", "raw control character"},
    {"ALoneHighSurrogate", "\"\\ud800\"", "surrogate"},
    {"ALoneLowSurrogate", "\"\\udc00\"", "surrogate"},
    {"TwoHighSurrogates", "\"\\ud800\\ud800\"", "surrogate"},
    {"ARawSurrogate", "\"\xed\xa0\x80\"", "not UTF-8"},
    {"AnOverlongSlash", "\"\xc0\xaf\"", "not UTF-8"},
    {"AnOverlongThreeByteForm", "\"\xe0\x80\xaf\"", "not UTF-8"},
    {"AboveTheLastCodePoint", "\"\xf4\x90\x80\x80\"", "not UTF-8"},
    {"ALoneContinuationByte", "\"\x80\"", "not UTF-8"},
    {"ACutSequence", "\"\xe2\x82\"", "not UTF-8"},
    {"AByteOrderMark", "\xef\xbb\xbf{}", "a value is wanted"},
    {"ThirtyThreeLevels", nested(33), "nested too deep"},
    {"AThousandLevels", std::string(1000, '['), "nested too deep"},
    {"AComment", "/* */ {}", "a value is wanted"},
    {"SingleQuotes", "{'a':1}", "a string is wanted"},
};

INSTANTIATE_TEST_SUITE_P(Json, Refused, testing::ValuesIn(kRefusals),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Json, TheLimitsThemselvesAreAccepted) {
  EXPECT_TRUE(parse_json(nested(32)).has_value());
  const auto least = parse_json("-9223372036854775808");
  ASSERT_TRUE(least.has_value());
  EXPECT_EQ(canonical_json(*least), "-9223372036854775808");
  EXPECT_TRUE(parse_json("9223372036854775807").has_value());
}

TEST(Json, MoreValuesThanMetadataCanHaveAreRefused) {
  std::string text = "[0";
  for (std::size_t i = 0; i < ota::kMaxJsonValues; ++i) text += ",0";
  const auto value = parse_json(text + "]");
  ASSERT_FALSE(value.has_value());
  EXPECT_NE(value.error().what.find("more values"), std::string::npos);
}

TEST(Json, ThePlaceOfAnErrorIsCountedFromOne) {
  const auto value = parse_json("{\n  \"a\": 1,\n  \"b\": 1.5\n}");
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().what.rfind("line 3, column 9", 0), 0U) << value.error().what;
}

// Written by hand from the rules: members by bytes, no space, only quote and backslash escaped, a
// newline in a PEM text raw.
TEST(CanonicalJson, IsTheHandWrittenTextByteByByte) {
  const auto value = parse_json(R"({
    "z": [1, -2, true, false, null],
    "keyval": {"public": "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"},
    "\u00e9": "na\u00efve \u20ac \ud83d\ude00",
    "a\"b\\": "tab\there \u0001 \/",
    "Z": {}, "": []
  })");
  ASSERT_TRUE(value.has_value()) << value.error().what;
  const std::string expected =
      "{\"\":[],\"Z\":{},\"a\\\"b\\\\\":\"tab\there \x01 /\","
      "\"keyval\":{\"public\":\"-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n\"},"
      "\"z\":[1,-2,true,false,null],"
      "\"\xc3\xa9\":\"na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80\"}";
  EXPECT_EQ(canonical_json(*value), expected);
}

TEST(CanonicalJson, SortsByCodePointAlsoBeyondTheFirstPlane) {
  // UTF-16 would put U+1F600 (D83D DE00) before U+FF61.
  const auto value = parse_json("{\"\\ud83d\\ude00\":1,\"\\uff61\":2}");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(canonical_json(*value), "{\"\xef\xbd\xa1\":2,\"\xf0\x9f\x98\x80\":1}");
}

TEST(CanonicalJson, AZeroByteStaysAByte) {
  const auto value = parse_json("\"a\\u0000b\"");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(canonical_json(*value), std::string("\"a\0b\"", 5));
}

TEST(PrettyJson, ReadsBackAsTheSameValue) {
  Json value = Json::object();
  value.set("text", std::string("quote \" back \\ line\n zero \0 \x7f \xe2\x82\xac", 33));
  value.set("list", Json::array({Json(1), Json(), Json(false), Json::array(), Json::object()}));
  for (const std::string& text : {ota::pretty_json(value), ota::compact_json(value)}) {
    const auto again = parse_json(text);
    ASSERT_TRUE(again.has_value()) << text;
    EXPECT_EQ(*again, value);
  }
  EXPECT_EQ(ota::pretty_json(Json::array({Json(1)})), "[\n 1\n]\n");
}

TEST(Json, MembersAreSetReplacedInPlaceAndErased) {
  Json value = Json::object();
  value.set("b", 1);
  value.set("a", 2);
  value.set("b", 3);
  EXPECT_EQ(ota::compact_json(value), "{\"b\":3,\"a\":2}");
  value.erase("b");
  EXPECT_EQ(value.find("b"), nullptr);
  EXPECT_EQ(Json(1).find("b"), nullptr);
}

TEST(Json, EqualityForgetsTheOrderOfMembersButNotTheKindOfAValue) {
  EXPECT_EQ(*parse_json("{\"a\":1,\"b\":2}"), *parse_json("{\"b\":2,\"a\":1}"));
  EXPECT_FALSE(*parse_json("[1,2]") == *parse_json("[2,1]"));
  EXPECT_FALSE(Json("1") == Json(1));
  EXPECT_FALSE(Json("null") == Json());
}

}  // namespace
