#include "tests/fleet_sim/download.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <utility>

#include "fleet/v1/app.pb.h"
#include "ota/repository.h"
#include "proto/limits.h"
#include "proto/tls_stream.h"

namespace fleet_sim {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using proto::Code;
using proto::Error;
using proto::Result;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kMaxBodyBytes = 256 * proto::kMiB;

// One connection, one request after the other.
struct Connection {
  proto::TlsStream stream;
  std::string host_name;
  boost::beast::flat_buffer buffer;
  std::uint64_t bytes = 0;

  proto::awaitable<Result<std::string>> get(std::string path) {
    http::request<http::empty_body> request(http::verb::get, path, 11);
    request.set(http::field::host, host_name);
    const auto [unsent, sent] = co_await http::async_write(stream, request, kAwait);
    if (unsent) co_return proto::stream_error(unsent, "asking for " + path);
    http::response_parser<http::string_body> parser;
    parser.header_limit(proto::kMaxHttpHeaderBytes);
    parser.body_limit(kMaxBodyBytes);
    const auto [unread, read] = co_await http::async_read(stream, buffer, parser, kAwait);
    if (unread) co_return proto::stream_error(unread, "the answer for " + path);
    if (parser.get().result() != http::status::ok) {
      co_return Error{Code::unavailable,
                      path + " gave " + std::to_string(parser.get().result_int()), ""};
    }
    bytes += parser.get().body().size();
    co_return std::move(parser.get().body());
  }
  proto::awaitable<Result<std::string>> metadata(std::string file) {
    return get("/device/v1/metadata/" + file);
  }
  proto::awaitable<Result<std::string>> blob(std::string sha256) {
    return get("/device/v1/blobs/" + sha256);
  }
};

Result<std::int64_t> version_of(const ota::Snapshot& snapshot, const std::string& role) {
  const auto found = snapshot.meta.find(role + ".json");
  if (found == snapshot.meta.end()) return Error{Code::bad_metadata, "no " + role, ""};
  return found->second.version;
}

Result<ota::ListedRelease> find_release(const std::string& role, const std::string& app,
                                        std::uint64_t number) {
  TRY(const auto parsed, ota::parse_targets(role));
  TRY(const auto listed, ota::releases_of(parsed.value, app));
  for (const ota::ListedRelease& release : listed) {
    if (std::cmp_equal(release.number, number)) return release;
  }
  return Error{Code::bad_metadata, app + " lists no " + std::to_string(number), ""};
}

}  // namespace

proto::awaitable<Result<Downloaded>> download(std::shared_ptr<proto::TlsContext> context,
                                              Endpoint endpoint, fleet::v1::DesiredApp wish,
                                              std::string held, proto::Deadline deadline) {
  CO_TRY(proto::TlsStream stream,
         co_await proto::tls_connect(std::move(context), endpoint.address, endpoint.host_name,
                                     deadline));
  stream.expires_at(deadline);
  Connection wire{std::move(stream), endpoint.host_name, {}, 0};
  CO_TRY(const std::string timestamp_text, co_await wire.metadata("timestamp.json"));
  CO_TRY(const auto timestamp, ota::parse_timestamp(timestamp_text));
  CO_TRY(const std::string snapshot_text,
         co_await wire.metadata(std::to_string(timestamp.value.snapshot.version) +
                                ".snapshot.json"));
  CO_TRY(const auto snapshot, ota::parse_snapshot(snapshot_text));
  const std::string role = ota::app_role_name(wish.app());
  CO_TRY(const std::int64_t version, version_of(snapshot.value, role));
  CO_TRY(const std::string role_text,
         co_await wire.metadata(std::to_string(version) + "." + role + ".json"));
  CO_TRY(const auto release, find_release(role_text, wish.app(), wish.release()));
  CO_TRY(const std::string manifest_bytes, co_await wire.blob(release.manifest.digest.hex()));
  fleet::v1::AppManifest manifest;
  if (!manifest.ParseFromString(manifest_bytes) || manifest.images_size() == 0) {
    co_return Error{Code::bad_manifest, wish.app() + ": no manifest with an image", ""};
  }
  const std::string image = manifest.images(0).kernel().sha256();
  const auto offer = std::find_if(wish.deltas().begin(), wish.deltas().end(),
                                  [&image](const auto& one) { return one.to() == image; });
  if (image == held) {
    // As the agent, which keeps its blobs by digest.
  } else if (offer != wish.deltas().end()) {
    CO_TRY_VOID(co_await wire.get("/device/v1/deltas/" + offer->sha256()));
  } else {
    CO_TRY_VOID(co_await wire.blob(image));
  }
  for (const fleet::v1::File& file : manifest.files()) {
    CO_TRY_VOID(co_await wire.blob(file.content().sha256()));
  }
  wire.stream.close();
  co_return Downloaded{wire.bytes, image};
}

}  // namespace fleet_sim
