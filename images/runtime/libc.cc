// The few functions that compiler, lwIP and the C++ headers expect of a C library.
#include <cstddef>
#include <cstdint>

#include "images/runtime/console.h"

extern "C" {

// bytes.cc of each CPU.
void* memcpy(void* to, const void* from, std::size_t size);

void* memmove(void* to, const void* from, std::size_t size) {
  auto* t = static_cast<unsigned char*>(to);
  const auto* f = static_cast<const unsigned char*>(from);
  if (t <= f || t >= f + size) return memcpy(to, from, size);
  while (size > 0) {
    --size;
    static_cast<volatile unsigned char*>(t)[size] = f[size];
  }
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
  while (static_cast<const volatile char*>(text)[size] != '\0') ++size;
  return size;
}
}

// Headers of the C++ library call these when a bound is broken: always our own mistake.
namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char* format, ...) {
  images::runtime::panic(format);
}
[[noreturn]] void __throw_bad_optional_access() { images::runtime::panic("empty optional"); }
[[noreturn]] void __glibcxx_assert_fail(const char*, int, const char*, const char* what) noexcept {
  images::runtime::panic(what);
}
}  // namespace std
