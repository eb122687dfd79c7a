// The few functions that the compiler and the C++ headers expect of a C library.
#include <cstddef>
#include <cstdint>

#include "agent/tenders/sys.h"

namespace {

[[noreturn]] void die(std::string_view why) {
  tenders::sys::write_text(2, "tender: check failed: ");
  tenders::sys::write_text(2, why);
  tenders::sys::write_text(2, "\n");
  tenders::sys::exit(1);
}

}  // namespace

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
  auto* t = static_cast<unsigned char*>(to);
  const auto* f = static_cast<const unsigned char*>(from);
  for (std::size_t i = 0; i < size; ++i) t[i] = f[i];
  return to;
}

void* memmove(void* to, const void* from, std::size_t size) {
  auto* t = static_cast<unsigned char*>(to);
  const auto* f = static_cast<const unsigned char*>(from);
  if (t <= f || t >= f + size) return memcpy(to, from, size);
  for (std::size_t i = size; i > 0; --i) t[i - 1] = f[i - 1];
  return to;
}

void* memset(void* to, int value, std::size_t size) {
  auto* t = static_cast<unsigned char*>(to);
  for (std::size_t i = 0; i < size; ++i) t[i] = static_cast<unsigned char>(value);
  return to;
}

int memcmp(const void* left, const void* right, std::size_t size) {
  const auto* l = static_cast<const unsigned char*>(left);
  const auto* r = static_cast<const unsigned char*>(right);
  for (std::size_t i = 0; i < size; ++i) {
    if (l[i] != r[i]) return l[i] < r[i] ? -1 : 1;
  }
  return 0;
}

const void* memchr(const void* text, int value, std::size_t size) {
  const auto* t = static_cast<const unsigned char*>(text);
  for (std::size_t i = 0; i < size; ++i) {
    if (t[i] == static_cast<unsigned char>(value)) return t + i;
  }
  return nullptr;
}

std::size_t strlen(const char* text) {
  std::size_t size = 0;
  while (text[size] != '\0') ++size;
  return size;
}

[[noreturn]] void __stack_chk_fail() { die("a stack buffer overflowed"); }
}

// Headers of the C++ library call these when a bound is broken: always our own mistake.
namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char* format, ...) { die(format); }
[[noreturn]] void __throw_bad_optional_access() { die("empty optional"); }
[[noreturn]] void __glibcxx_assert_fail(const char*, int, const char*, const char* what) noexcept {
  die(what);
}
}  // namespace std
