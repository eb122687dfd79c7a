// Words of a master file (RFC 1035 section 5.1): one entry at a time, over lines in parentheses,
// without comments. Allocates nothing; views point into the text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace images::dns {

struct Word {
  std::string_view text;  // escapes still in it
  bool quoted = false;
};

/// The words of one entry.
struct Entry {
  static constexpr std::size_t kMaxWords = 64;
  std::array<Word, kMaxWords> words{};
  std::size_t count = 0;
  bool starts_with_blank = false;  // the owner is the one of the entry before
  std::uint32_t line = 0;          // where it begins, from 1

  std::span<const Word> all() const { return {words.data(), count}; }
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// The next entry that has words. False: the end of the file, or a fault (see fault()).
  bool next(Entry& entry);

  /// nullptr = no fault; else what is wrong in line().
  const char* fault() const { return fault_; }
  std::uint32_t line() const { return line_; }

 private:
  bool fail(const char* what);
  bool take_word(Entry& entry);
  bool take_quoted(Entry& entry);
  bool add(Entry& entry, std::string_view text, bool quoted);
  bool step(Entry& entry, bool& ended);

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::uint32_t depth_ = 0;  // of parentheses
  const char* fault_ = nullptr;
};

/// Take the escapes (\X, \DDD) out of a word, into the buffer. False: a bad escape, or too long.
[[nodiscard]] bool unescape(std::string_view text, std::span<std::uint8_t> buffer,
                            std::size_t& size);

}  // namespace images::dns
