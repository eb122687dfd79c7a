#include "images/dns/name.h"

#include <algorithm>

namespace images::dns {
namespace {

std::uint8_t lower(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c;
}

int compare_labels(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    const int difference = lower(a[i]) - lower(b[i]);
    if (difference != 0) return difference;
  }
  return static_cast<int>(a.size()) - static_cast<int>(b.size());
}

std::span<const std::uint8_t> first_label(NameView name) { return name.subspan(1, name[0]); }

}  // namespace

bool Name::add_label(std::span<const std::uint8_t> label) {
  if (label.empty() || label.size() > kMaxLabelBytes) return false;
  if (size_ + 1 + label.size() > kMaxNameBytes) return false;
  std::size_t at = size_ - 1;
  bytes_[at++] = static_cast<std::uint8_t>(label.size());
  for (const std::uint8_t c : label) bytes_[at++] = lower(c);
  bytes_[at++] = 0;
  size_ = at;
  return true;
}

bool Name::add_name(NameView other) {
  for (; other[0] != 0; other = drop_labels(other, 1)) {
    if (!add_label(first_label(other))) return false;
  }
  return true;
}

bool same_name(NameView a, NameView b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](std::uint8_t x, std::uint8_t y) { return lower(x) == lower(y); });
}

bool is_below_or_same(NameView name, NameView parent) {
  const std::size_t labels = count_labels(name);
  const std::size_t parent_labels = count_labels(parent);
  return labels >= parent_labels && same_name(drop_labels(name, labels - parent_labels), parent);
}

std::size_t count_labels(NameView name) {
  std::size_t count = 0;
  for (std::size_t at = 0; name[at] != 0; at += std::size_t{1} + name[at]) ++count;
  return count;
}

NameView drop_labels(NameView name, std::size_t count) {
  for (; count > 0; --count) name = name.subspan(std::size_t{1} + name[0]);
  return name;
}

int compare_names(NameView a, NameView b) {
  std::array<std::uint8_t, kMaxLabels + 1> a_starts;
  std::array<std::uint8_t, kMaxLabels + 1> b_starts;
  std::size_t a_count = 0;
  std::size_t b_count = 0;
  for (std::size_t at = 0; a[at] != 0; at += std::size_t{1} + a[at]) {
    a_starts[a_count++] = static_cast<std::uint8_t>(at);
  }
  for (std::size_t at = 0; b[at] != 0; at += std::size_t{1} + b[at]) {
    b_starts[b_count++] = static_cast<std::uint8_t>(at);
  }
  while (a_count > 0 && b_count > 0) {
    const NameView a_label = a.subspan(a_starts[--a_count]);
    const NameView b_label = b.subspan(b_starts[--b_count]);
    const int difference = compare_labels(first_label(a_label), first_label(b_label));
    if (difference != 0) return difference;
  }
  return static_cast<int>(a_count) - static_cast<int>(b_count);
}

std::string_view name_text(NameView name, std::span<char> buffer) {
  std::size_t size = 0;
  const auto put = [&](char c) {
    if (size < buffer.size()) buffer[size++] = c;
  };
  if (name[0] == 0) put('.');
  for (bool first = true; name[0] != 0; name = drop_labels(name, 1), first = false) {
    if (!first) put('.');
    for (const std::uint8_t c : first_label(name)) {
      const bool plain = c > ' ' && c <= '~' && c != '.' && c != '\\' && c != '"' && c != ';';
      if (plain) {
        put(static_cast<char>(c));
        continue;
      }
      put('\\');
      put(static_cast<char>('0' + c / 100));
      put(static_cast<char>('0' + c / 10 % 10));
      put(static_cast<char>('0' + c % 10));
    }
  }
  return {buffer.data(), size};
}

}  // namespace images::dns
