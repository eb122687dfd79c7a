// Lines on the console, and the one way to die. Plain text, no format strings.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace images::runtime {

/// A number shown in hexadecimal.
struct Hex {
  std::uint64_t value;
};

/// An IPv4 address in network byte order, as it lies in memory.
struct Ipv4 {
  std::uint8_t bytes[4];
};

/// One line under construction; what does not fit is cut. Control characters become '?', so that
/// bytes from outside cannot draw on a terminal.
class Line {
 public:
  void add(std::string_view text);
  void add(const char* text) { add(std::string_view(text)); }
  void add(char c) { add(std::string_view(&c, 1)); }
  void add(Hex number);
  void add(Ipv4 address);
  template <std::integral T>
    requires(!std::same_as<T, char>)
  void add(T number) {
    if constexpr (std::signed_integral<T>) {
      add_signed(static_cast<std::int64_t>(number));
    } else {
      add_unsigned(static_cast<std::uint64_t>(number));
    }
  }
  std::string_view text() const { return {buffer_, size_}; }

 private:
  void add_unsigned(std::uint64_t number);
  void add_signed(std::int64_t number);

  static constexpr std::size_t kMaxBytes = 400;
  char buffer_[kMaxBytes];
  std::size_t size_ = 0;
};

/// Write one finished line.
void print_line(const Line& line);

/// print("dns: zone ", name, ": ", count, " records");
template <typename... Parts>
void print(const Parts&... parts) {
  Line line;
  (line.add(parts), ...);
  print_line(line);
}

/// A broken promise of our own: say it and end the guest as aborted.
[[noreturn]] void panic(std::string_view why);

}  // namespace images::runtime

/// A check that stays on in release.
#define RUNTIME_ASSERT(condition)                                             \
  do {                                                                        \
    if (!(condition)) ::images::runtime::panic("check failed: " #condition); \
  } while (false)
