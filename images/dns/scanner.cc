#include "images/dns/scanner.h"

namespace images::dns {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool ends_word(char c) {
  return is_blank(c) || c == '\n' || c == ';' || c == '(' || c == ')' || c == '"';
}

}  // namespace

bool Scanner::fail(const char* what) {
  fault_ = what;
  return false;
}

bool Scanner::add(Entry& entry, std::string_view text, bool quoted) {
  if (entry.count == Entry::kMaxWords) return fail("more than 64 words in one record");
  if (entry.count == 0) entry.line = line_;
  entry.words[entry.count++] = {text, quoted};
  return true;
}

bool Scanner::take_word(Entry& entry) {
  const std::size_t begin = at_;
  while (at_ < text_.size() && !ends_word(text_[at_])) {
    const bool escape = text_[at_] == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n';
    at_ += escape ? 2 : 1;
  }
  return add(entry, {text_.data() + begin, at_ - begin}, false);
}

bool Scanner::take_quoted(Entry& entry) {
  const std::size_t begin = ++at_;
  while (at_ < text_.size() && text_[at_] != '"') {
    if (text_[at_] == '\n') return fail("a quote is not closed before the end of the line");
    const bool escape = text_[at_] == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n';
    at_ += escape ? 2 : 1;
  }
  if (at_ >= text_.size()) return fail("a quote is not closed");
  const std::string_view inside(text_.data() + begin, at_ - begin);
  ++at_;
  return add(entry, inside, true);
}

/// One character that is not part of a word, or one word. `ended`: the entry is complete.
bool Scanner::step(Entry& entry, bool& ended) {
  const char c = text_[at_];
  if (c == '\n') {
    ++at_;
    ended = depth_ == 0 && entry.count > 0;
    ++line_;
    if (depth_ == 0 && entry.count == 0) {
      entry.starts_with_blank = at_ < text_.size() && is_blank(text_[at_]);
    }
    return true;
  }
  if (is_blank(c)) {
    ++at_;
    return true;
  }
  if (c == ';') {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    return true;
  }
  if (c == '(') {
    ++at_;
    if (depth_++ > 0) return fail("a parenthesis inside a parenthesis");
    return true;
  }
  if (c == ')') {
    ++at_;
    if (depth_ == 0) return fail("')' without '('");
    --depth_;
    return true;
  }
  return c == '"' ? take_quoted(entry) : take_word(entry);
}

bool Scanner::next(Entry& entry) {
  entry.count = 0;
  entry.starts_with_blank = at_ < text_.size() && is_blank(text_[at_]);
  bool ended = false;
  while (!ended && at_ < text_.size()) {
    if (!step(entry, ended)) return false;
  }
  if (depth_ > 0) return fail("'(' is not closed before the end of the file");
  return entry.count > 0;
}

bool unescape(std::string_view text, std::span<std::uint8_t> buffer, std::size_t& size) {
  size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = static_cast<std::uint8_t>(text[i]);
    if (text[i] == '\\') {
      if (++i == text.size()) return false;
      value = static_cast<std::uint8_t>(text[i]);
      if (value >= '0' && value <= '9') {
        value = 0;
        for (std::size_t digit = 0; digit < 3; ++digit, ++i) {
          if (i >= text.size() || text[i] < '0' || text[i] > '9') return false;
          value = value * 10 + static_cast<unsigned>(text[i] - '0');
        }
        --i;
        if (value > 255) return false;
      }
    }
    if (size == buffer.size()) return false;
    buffer[size++] = static_cast<std::uint8_t>(value);
  }
  return true;
}

}  // namespace images::dns
