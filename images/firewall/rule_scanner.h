// Rules as words: comments and line ends out of the way, the line of each word kept for faults.
#pragma once

#include <cstdint>
#include <string_view>

namespace images::firewall {

/// Why a rules file was refused; `what == nullptr`: it was not.
struct RulesFault {
  const char* what = nullptr;
  std::string_view word;  // that it is about; empty: about none
  std::uint32_t line = 0;
  bool failed() const { return what != nullptr; }
};

enum class TokenKind : std::uint8_t {
  word,    // also numbers, addresses, $names and @names
  text,    // "in quotes", without them
  mark,    // one of { } , = or !=
  line,    // the end of a line, or ;
  end,     // of the file
  broken,  // no token: a quote without its end, or a character that no rule has
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text;
  std::uint32_t line = 0;
};

/// A place in the text; a copy of it reads the same again.
class RuleScanner {
 public:
  explicit RuleScanner(std::string_view text) : left_(text) {}

  Token next();
  Token peek() const { return RuleScanner(*this).next(); }

 private:
  void skip_blanks();

  std::string_view left_;
  std::uint32_t line_ = 1;
};

}  // namespace images::firewall
