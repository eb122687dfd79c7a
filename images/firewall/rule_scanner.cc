#include "images/firewall/rule_scanner.h"

#include <algorithm>

namespace images::firewall {
namespace {

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.:/-$@").find(c) != std::string_view::npos;
}

std::string_view first(std::string_view text, std::size_t size) { return {text.data(), size}; }

}  // namespace

void RuleScanner::skip_blanks() {
  while (!left_.empty()) {
    const char c = left_.front();
    if (c == '#') {
      left_.remove_prefix(std::min(left_.find('\n'), left_.size()));
    } else if (c == ' ' || c == '\t' || c == '\r') {
      left_.remove_prefix(1);
    } else if (left_.starts_with("\\\n")) {
      left_.remove_prefix(2);
      ++line_;
    } else {
      return;
    }
  }
}

Token RuleScanner::next() {
  skip_blanks();
  Token token{TokenKind::end, {}, line_};
  if (left_.empty()) return token;
  const char c = left_.front();
  std::size_t size = 1;
  if (c == '\n' || c == ';') {
    token.kind = TokenKind::line;
    if (c == '\n') ++line_;
  } else if (std::string_view("{},=").find(c) != std::string_view::npos) {
    token.kind = TokenKind::mark;
  } else if (left_.starts_with("!=")) {
    token.kind = TokenKind::mark;
    size = 2;
  } else if (c == '"') {
    const std::size_t end = left_.find_first_of("\"\n", 1);
    const bool is_whole = end != std::string_view::npos && left_[end] == '"';
    token.kind = is_whole ? TokenKind::text : TokenKind::broken;
    token.text = is_whole ? left_.substr(1, end - 1) : first(left_, 1);
    left_.remove_prefix(is_whole ? end + 1 : 1);
    return token;
  } else if (is_word_character(c)) {
    token.kind = TokenKind::word;
    while (size < left_.size() && is_word_character(left_[size])) ++size;
  } else {
    token.kind = TokenKind::broken;
  }
  token.text = first(left_, size);
  left_.remove_prefix(size);
  return token;
}

}  // namespace images::firewall
