// The enum of proto/code.h and the one of link.proto are one list.
#include "proto/code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "fleet/v1/link.pb.h"

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

TEST(CodeTest, EveryCodeOfTheLinkHasItsNumberAndNameInTheHeader) {
  const auto* link = fleet::v1::Code_descriptor();
  ASSERT_GT(link->value_count(), 40);
  for (int i = 0; i < link->value_count(); ++i) {
    const std::string name = lower(link->value(i)->name().substr(5));  // without CODE_
    const auto code = static_cast<proto::Code>(link->value(i)->number());
    EXPECT_EQ(name, proto::name_of(code)) << link->value(i)->number();
  }
}

TEST(CodeTest, EveryCodeOfTheHeaderIsInTheLink) {
  for (int number = 0; number < 1000; ++number) {
    const std::string name = proto::name_of(static_cast<proto::Code>(number));
    const auto* known = fleet::v1::Code_descriptor()->FindValueByNumber(number);
    EXPECT_EQ(name == "unknown", known == nullptr) << number << " " << name;
  }
}

}  // namespace
