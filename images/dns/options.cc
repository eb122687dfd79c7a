#include "images/dns/options.h"

#include <algorithm>

#include "images/runtime/address.h"

namespace images::dns {
namespace {

using runtime::parse_number;

constexpr std::uint16_t kDnsPort = 53;
constexpr const char* kNoSuch =
    "no such option; there are port, rrl, forward, forward-for, nsid and metrics";
constexpr std::size_t kMaxNsidBytes = 64;

/// RFC 1918, 6598, 3927, 4193, 4291; and the host itself.
constexpr std::array<std::string_view, 8> kPrivate{
    "10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
    "169.254.0.0/16", "127.0.0.0/8",   "fc00::/7",       "fe80::/10"};

const char* take_port(std::string_view value, std::uint16_t& out) {
  std::uint64_t number = 0;
  if (!parse_number(value, 65535, number) || number == 0) return "not a port of 1..65535";
  out = static_cast<std::uint16_t>(number);
  return nullptr;
}

const char* add_upstream(std::string_view value, Options& out) {
  Endpoint upstream;
  if (!parse_endpoint(value, kDnsPort, upstream)) {
    return "not ADDRESS, A.B.C.D:PORT or [IPv6]:PORT of a server to forward to";
  }
  const auto end = out.upstreams.begin() + static_cast<std::ptrdiff_t>(out.upstream_count);
  if (std::find(out.upstreams.begin(), end, upstream) != end) return "this server is there already";
  if (out.upstream_count == kMaxUpstreams) return "more than 8 servers to forward to";
  out.upstreams[out.upstream_count++] = upstream;
  return nullptr;
}

const char* add_forward_for(std::string_view value, Options& out) {
  Prefix prefix;
  if (!parse_prefix(value, prefix)) {
    return "not a network ADDRESS/BITS with no bit behind the prefix";
  }
  if (out.forward_for_count == kMaxForwardFor) return "more than 16 networks to forward for";
  out.forward_for[out.forward_for_count++] = prefix;
  return nullptr;
}

const char* take_nsid(std::string_view value, std::string_view& out) {
  const bool plain =
      std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (value.empty() || value.size() > kMaxNsidBytes || !plain) {
    return "not a word of 1..64 characters to be known by";
  }
  out = value;
  return nullptr;
}

const char* set_option(std::string_view name, std::string_view value, Options& out) {
  if (name == "port") return take_port(value, out.port);
  if (name == "metrics") return take_port(value, out.metrics_port);
  if (name == "nsid") return take_nsid(value, out.nsid);
  if (name == "forward") return add_upstream(value, out);
  if (name == "forward-for") return add_forward_for(value, out);
  if (name != "rrl") return kNoSuch;
  std::uint64_t number = 0;
  if (!parse_number(value, 1'000'000, number)) {
    return "not a number of answers per second, 0..1000000";
  }
  out.answers_per_second = static_cast<std::uint32_t>(number);
  return nullptr;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

bool Options::forwards_for(const Address& asker) const {
  const auto holds = [&](const Prefix& prefix) { return prefix.contains(asker); };
  if (forward_for_count > 0) {
    return std::any_of(forward_for.begin(),
                       forward_for.begin() + static_cast<std::ptrdiff_t>(forward_for_count), holds);
  }
  return std::any_of(kPrivate.begin(), kPrivate.end(), [&](std::string_view text) {
    Prefix prefix;
    return parse_prefix(text, prefix) && prefix.contains(asker);
  });
}

OptionFault read_arguments(std::span<const std::string_view> arguments, Options& out) {
  for (const std::string_view argument : arguments) {
    const std::size_t equals = argument.find('=');
    if (!argument.starts_with("--") || equals == std::string_view::npos) {
      return {"not an argument --NAME=VALUE", argument, 0};
    }
    const std::string_view name(argument.data() + 2, equals - 2);
    const std::string_view value(argument.data() + equals + 1, argument.size() - equals - 1);
    const char* what = set_option(name, value, out);
    if (what != nullptr) return {what, argument, 0};
  }
  return {};
}

OptionFault read_options_file(std::string_view text, Options& out) {
  for (std::uint32_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view words(text.data(), end);
    text.remove_prefix(std::min(end + 1, text.size()));
    words = trim({words.data(), std::min(words.find('#'), words.size())});
    if (words.empty()) continue;
    const auto blank = std::find_if(words.begin(), words.end(), is_blank);
    const auto name_size = static_cast<std::size_t>(blank - words.begin());
    const std::string_view value = trim({words.data() + name_size, words.size() - name_size});
    const char* what = set_option({words.data(), name_size}, value, out);
    if (what != nullptr) return {what, words, line};
  }
  return {};
}

}  // namespace images::dns
