#include "controller/http_text.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "fleet/v1/api.pb.h"
#include "proto/json.h"

namespace controller {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// Nothing when an escape is bad or a control character comes out.
std::optional<std::string> decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      out += ' ';
    } else if (text[i] == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
    if (is_control(out.back())) return std::nullopt;
  }
  return out;
}

bool plain_path(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  if (path == "/") return true;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment.empty() || segment == "." || segment == "..") return false;
    path.remove_prefix(segment.size());
  }
  return true;
}

}  // namespace

Status split_target(std::string_view target, Request& request) {
  const Error bad{Code::bad_argument, "the request's path is not a plain path", ""};
  const std::size_t mark = target.find('?');
  const std::optional<std::string> path = decode(target.substr(0, mark), false);
  // Metadata names keep their escapes ("a%2Fb.json" is a name), so a decoded slash may not split.
  if (!path || !plain_path(target.substr(0, mark)) || !plain_path(*path)) return bad;
  request.path = *path;
  request.query.clear();
  if (mark == std::string_view::npos) return {};
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto name = decode(pair.substr(0, equals), true);
    const auto value = decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return bad;
    if (request.query.size() < 32 && !name->empty()) request.query[*name] = *value;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

std::string cookie_named(std::string_view name, std::string_view header) {
  while (!header.empty()) {
    const std::string_view pair = header.substr(0, header.find(';'));
    header.remove_prefix(std::min(pair.size() + 1, header.size()));
    const std::size_t begin = std::min(pair.find_first_not_of(' '), pair.size());
    const std::string_view cookie = pair.substr(begin);
    const std::size_t equals = cookie.find('=');
    if (equals == name.size() && cookie.substr(0, equals) == name) {
      return std::string(cookie.substr(equals + 1));
    }
  }
  return "";
}

std::string ByteRange::content_range(std::uint64_t size_bytes) const {
  return "bytes " + std::to_string(offset) + "-" + std::to_string(offset + length - 1) + "/" +
         std::to_string(size_bytes);
}

Result<ByteRange> parse_range(std::string_view header, std::uint64_t size_bytes) {
  const ByteRange whole{0, size_bytes, false};
  constexpr std::string_view kUnit = "bytes=";
  if (header.substr(0, kUnit.size()) != kUnit) return whole;
  header.remove_prefix(kUnit.size());
  const char* const end = header.data() + header.size();
  std::uint64_t first = 0;
  const auto [after_first, bad_first] = std::from_chars(header.data(), end, first);
  if (bad_first != std::errc() || after_first == end || *after_first != '-') return whole;
  std::uint64_t last = size_bytes == 0 ? 0 : size_bytes - 1;
  if (after_first + 1 != end) {
    const auto [after_last, bad_last] = std::from_chars(after_first + 1, end, last);
    if (bad_last != std::errc() || after_last != end || last < first) return whole;
  }
  if (first >= size_bytes) {
    return Error{Code::bad_argument,
                 "the range begins at byte " + std::to_string(first) + " of a file of " +
                     std::to_string(size_bytes), ""};
  }
  last = std::min(last, size_bytes - 1);
  return ByteRange{first, last - first + 1, true};
}

std::string Request::parameter(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

int http_status_of(Code code) {
  switch (code) {
    case Code::unauthenticated:
      return 401;
    case Code::forbidden:
    case Code::token_used:
      return 403;
    case Code::not_found:
      return 404;
    case Code::conflict:
    case Code::already_exists:
    case Code::superseded:
      return 409;
    case Code::too_large:
      return 413;
    case Code::bad_argument:
      return 400;
    case Code::unavailable:
    case Code::timeout:
    case Code::closed:
    case Code::cancelled:
    case Code::unreachable:
      return 503;
    case Code::io:
    case Code::internal:
    case Code::unset:
    case Code::launcher:
    case Code::no_memory:
      return 500;
    case Code::no_space:
      return 507;
    case Code::bad_manifest:
    case Code::manifest_too_new:
    case Code::not_supported:
    case Code::bad_image:
    case Code::wrong_arch:
    case Code::no_monitor:
    case Code::bad_signature:
    case Code::bad_metadata:
    case Code::expired:
    case Code::rollback:
    case Code::bad_digest:
    case Code::not_signed:
    case Code::refused_digest:
    case Code::yanked:
    case Code::port_taken:
    case Code::no_fit:
    case Code::no_fallback:
    case Code::monitor_missing:
    case Code::start_failed:
    case Code::guest_exit:
    case Code::guest_abort:
    case Code::monitor_fault:
    case Code::killed_by_limit:
    case Code::no_answer:
    case Code::unhealthy:
    case Code::crash_loop:
    case Code::tries_used_up:
    case Code::ordered:
    case Code::uplink_lost:
    case Code::budget:
      // What was understood, but breaks a rule of trust, manifest or fleet.
      return 422;
  }
  return 500;
}

Response json_response(std::string body, int status) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

Response error_response(const Error& error, std::vector<std::string> nearest) {
  fleet::v1::ApiError said;
  said.set_code(proto::name_of(error.code));
  said.set_message(error.what);
  said.set_element(error.element);
  for (std::string& name : nearest) said.add_nearest(std::move(name));
  Result<std::string> body = proto::to_json(said);
  return json_response(body ? *body : R"({"code":"internal"})", http_status_of(error.code));
}

}  // namespace controller
