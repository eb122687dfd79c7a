#include "agent/real_ports.h"

#include <charconv>
#include <filesystem>
#include <utility>

namespace agent {

using proto::Code;
using proto::Error;
using proto::Result;

Result<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const Error bad{Code::bad_argument, "\"" + std::string(text) + "\" is not HOST:PORT", ""};
  if (colon == std::string_view::npos || colon == 0) return bad;
  std::string_view host = text.substr(0, colon);
  const std::string_view number = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  HostPort out;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), out.port);
  if (error != std::errc() || end != number.data() + number.size() || out.port == 0) return bad;
  out.host = std::string(host);
  return out;
}

proto::awaitable<Result<std::unique_ptr<proto::Channel>>> RealLink::connect(
    proto::Deadline deadline) {
  if (context_ == nullptr || context_version_ != credentials_.version()) {
    proto::TlsClientOptions options;
    options.ca_pem = identity_.ca_pem;
    options.certificate_pem = credentials_.certificate_pem();
    options.key_pem = credentials_.key_pem();
    options.ignore_dates = true;  // code never rests on TLS, and the clock may be wrong
    CO_TRY(context_, proto::TlsContext::make_client(options));
    context_version_ = credentials_.version();
  }
  proto::ChannelOptions options;
  co_return co_await proto::connect_channel(clock_, context_, identity_.address,
                                            identity_.host_name, options, deadline);
}

std::unique_ptr<ota::Fetch> RealFetch::open() {
  ota::FetchOptions options;
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  options.program = (self.parent_path() / "fleet-fetch").string();
  options.host_name = identity_.host_name;
  const auto where = parse_host_port(identity_.address);
  if (where) {
    options.address = where->host;
    options.port = where->port;
  }
  options.ca_file = state_dir_ + "/" + kCaFile;
  options.certificate_file = state_dir_ + "/" + kDeviceFile;
  options.key_file = options.certificate_file;
  return std::make_unique<ota::FetchSession>(std::move(options));
}

}  // namespace agent
