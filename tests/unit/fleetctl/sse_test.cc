// Server-sent events in any cut.
#include "deploy/fleetctl/sse.h"

#include <gtest/gtest.h>

#include "proto/limits.h"

namespace fleetctl {
namespace {

std::vector<SseMessage> feed_in_pieces(const std::string& text, std::size_t piece_bytes) {
  SseParser parser;
  std::vector<SseMessage> all;
  for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
    const auto messages = parser.feed(std::string_view(text).substr(at, piece_bytes));
    EXPECT_TRUE(messages.has_value());
    all.insert(all.end(), messages->begin(), messages->end());
  }
  return all;
}

TEST(Sse, MessagesAreTheSameHoweverTheBytesAreCut) {
  const std::string text =
      ": hello\r\n\r\nid: 7\r\nevent: rollout\ndata: {\"a\":\ndata:  1}\n\ndata: x\r\rid\n\n";
  const std::vector<SseMessage> expected = {{"7", "rollout", "{\"a\":\n 1}"}, {"7", "", "x"}};
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_EQ(feed_in_pieces(text, piece), expected) << "pieces of " << piece;
  }
}

TEST(Sse, AHalfMessageIsForgottenAndTheLastIdKept) {
  SseParser parser;
  ASSERT_TRUE(parser.feed("id: 3\ndata: a\n\nid: 4\ndata: half"));
  parser.restart();
  const auto messages = parser.feed("data: b\n\n");
  ASSERT_TRUE(messages);
  ASSERT_EQ(messages->size(), 1u);
  EXPECT_EQ(messages->front().data, "b");
  EXPECT_EQ(parser.last_id(), "4");
}

TEST(Sse, AnEndlessMessageIsRefused) {
  SseParser parser;
  const std::string piece(1 << 20, 'x');
  bool refused = false;
  for (std::size_t i = 0; i <= proto::kMaxHttpJsonBytes / piece.size() + 1 && !refused; ++i) {
    const auto messages = parser.feed(piece);
    refused = !messages && messages.error().code == proto::Code::too_large;
  }
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace fleetctl
