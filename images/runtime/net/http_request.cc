#include "images/runtime/net/http_request.h"

#include <algorithm>

namespace images::runtime::net {
namespace {

/// Up to the separator, which is taken too. False: there is none.
bool cut(std::string_view& text, char separator, std::string_view& out) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return false;
  out = {text.data(), at};
  text.remove_prefix(at + 1);
  return true;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

/// The empty line behind the fields; lone LF is taken as section 2.2 allows.
bool has_end(std::string_view bytes) {
  for (;;) {
    const std::size_t at = bytes.find('\n');
    if (at == std::string_view::npos) return false;
    bytes.remove_prefix(at + 1);
    if (bytes.starts_with('\n') || bytes.starts_with("\r\n")) return true;
  }
}

}  // namespace

HttpRequest read_http_request(std::string_view bytes) {
  if (!has_end(bytes)) return {bytes.size() >= kMaxRequestBytes ? 431 : 0, {}, false};
  std::string_view line;
  std::string_view method;
  std::string_view target;
  if (!cut(bytes, '\n', line)) return {400, {}, false};
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (!cut(line, ' ', method) || !cut(line, ' ', target)) return {400, {}, false};
  if (line != "HTTP/1.1" && line != "HTTP/1.0") return {400, {}, false};
  if (!is_plain(method) || !is_plain(target) || !target.starts_with('/')) return {400, {}, false};
  const bool head_only = method == "HEAD";
  if (!head_only && method != "GET") return {405, {}, false};
  return {200, {target.data(), std::min(target.find('?'), target.size())}, head_only};
}

}  // namespace images::runtime::net
