#include "deploy/fleetctl/http.h"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "proto/limits.h"

namespace fleetctl {

struct HttpClient::Handles {
  CURL* easy = nullptr;
  CURLM* multi = nullptr;
  ~Handles() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    if (multi != nullptr) curl_multi_cleanup(multi);
  }
};

// Everything that one transfer needs; lives on the caller's stack.
struct HttpClient::Transfer {
  curl_slist* headers = nullptr;
  std::array<char, CURL_ERROR_SIZE> detail{};
  HttpResponse response;
  std::size_t max_bytes = proto::kMaxHttpJsonBytes;
  bool too_large = false;
  bool ended_by_us = false;
  CURL* easy = nullptr;
  const HttpUpload* upload = nullptr;
  std::uint64_t sent_bytes = 0;
  const HttpStream* stream = nullptr;
  bool has_deadline = true;

  ~Transfer() { curl_slist_free_all(headers); }
  void add_header(const std::string& text) { headers = curl_slist_append(headers, text.c_str()); }
};

namespace {

// Called through curl's C interface: no exception leaves these.
std::size_t read_upload(char* into, std::size_t size, std::size_t count, void* state) {
  auto* upload = static_cast<std::pair<const HttpUpload*, std::uint64_t*>*>(state);
  const auto& [what, sent] = *upload;
  const std::size_t left = static_cast<std::size_t>(what->size_bytes - *sent);
  const ssize_t got = ::pread(what->descriptor, into, std::min(size * count, left),
                              static_cast<off_t>(*sent));
  if (got < 0) return CURL_READFUNC_ABORT;
  *sent += static_cast<std::uint64_t>(got);
  if (what->on_progress) what->on_progress(*sent);
  return static_cast<std::size_t>(got);
}

struct Sink {
  CURL* easy;
  HttpResponse* response;
  const HttpStream* stream;
  std::size_t max_bytes;
  bool* too_large;
  bool* ended_by_us;
};

std::size_t write_body(char* bytes, std::size_t size, std::size_t count, void* state) {
  auto* sink = static_cast<Sink*>(state);
  const std::string_view piece(bytes, size * count);
  long status = 0;
  curl_easy_getinfo(sink->easy, CURLINFO_RESPONSE_CODE, &status);
  if (sink->stream != nullptr && status == 200) {
    if (!sink->stream->on_bytes(piece)) {
      *sink->ended_by_us = true;
      return 0;
    }
    return piece.size();
  }
  if (sink->response->body.size() + piece.size() > sink->max_bytes) {
    *sink->too_large = true;
    return 0;
  }
  sink->response->body += piece;
  return piece.size();
}

}  // namespace

proto::Result<std::unique_ptr<HttpClient>> HttpClient::make(Options options) {
  while (options.base_url.ends_with('/')) options.base_url.pop_back();
  if (!options.base_url.starts_with("https://") || host_of(options.base_url).empty()) {
    return proto::Error{proto::Code::bad_argument,
                        "'" + options.base_url + "' is no controller's address; write it as "
                        "https://HOST:8443", {}};
  }
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  auto client = std::unique_ptr<HttpClient>(new HttpClient(std::move(options)));
  if (!ready || client->handles_->easy == nullptr || client->handles_->multi == nullptr) {
    return proto::Error{proto::Code::internal, "libcurl does not start", {}};
  }
  return client;
}

HttpClient::HttpClient(Options options)
    : options_(std::move(options)), handles_(std::make_unique<Handles>()) {
  handles_->easy = curl_easy_init();
  handles_->multi = curl_multi_init();
}

HttpClient::~HttpClient() = default;

void HttpClient::prepare(Transfer& transfer, const std::string& path) {
  CURL* easy = handles_->easy;
  curl_easy_reset(easy);  // keeps the connection
  transfer.easy = easy;
  const std::string url = options_.base_url + path;
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);  // the context's CA and no other
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 10'000L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.detail.data());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "fleetctl/" FLEET_VERSION);
  if (transfer.has_deadline) {
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout_ms));
  }
  if (!options_.token.empty()) {
    std::string header = "Authorization: Bearer " + std::string(options_.token.view());
    transfer.add_header(header);
    ota::wipe(header);
  }
  transfer.add_header("Expect:");
}

proto::Result<HttpResponse> HttpClient::request(const HttpRequest& request) {
  Transfer transfer;
  if (request.max_bytes != 0) transfer.max_bytes = request.max_bytes;
  prepare(transfer, request.path);
  for (const std::string& header : request.headers) transfer.add_header(header);
  CURL* easy = handles_->easy;
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    transfer.add_header("Content-Type: application/json");
  }
  return run(transfer, nullptr);
}

proto::Result<HttpResponse> HttpClient::upload(const HttpUpload& upload) {
  Transfer transfer;
  transfer.has_deadline = false;
  transfer.upload = &upload;
  prepare(transfer, upload.path);
  CURL* easy = handles_->easy;
  std::pair<const HttpUpload*, std::uint64_t*> source{&upload, &transfer.sent_bytes};
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_upload);
  curl_easy_setopt(easy, CURLOPT_READDATA, &source);
  curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(upload.size_bytes));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, 60L);
  transfer.add_header("Content-Type: application/octet-stream");
  return run(transfer, nullptr);
}

proto::Result<HttpResponse> HttpClient::stream(const HttpStream& stream) {
  Transfer transfer;
  transfer.has_deadline = false;
  transfer.stream = &stream;
  prepare(transfer, stream.path);
  transfer.add_header("Accept: text/event-stream");
  if (!stream.last_event_id.empty()) transfer.add_header("Last-Event-ID: " + stream.last_event_id);
  return run(transfer, stream.on_tick);
}

proto::Result<HttpResponse> HttpClient::run(Transfer& transfer,
                                            const std::function<bool()>& on_tick) {
  constexpr int kTick_ms = 200;
  CURL* easy = handles_->easy;
  Sink sink{easy, &transfer.response, transfer.stream, transfer.max_bytes, &transfer.too_large,
            &transfer.ended_by_us};
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &sink);
  curl_multi_add_handle(handles_->multi, easy);
  CURLcode code = CURLE_OK;
  bool interrupted = false;
  for (int running = 1; running > 0;) {
    if (curl_multi_perform(handles_->multi, &running) != CURLM_OK) break;
    interrupted = options_.interrupted != nullptr && options_.interrupted->load();
    if (interrupted) break;
    if (running > 0 && on_tick && !on_tick()) {
      transfer.ended_by_us = true;
      break;
    }
    if (running > 0) curl_multi_poll(handles_->multi, nullptr, 0, kTick_ms, nullptr);
  }
  int messages = 0;
  while (const CURLMsg* message = curl_multi_info_read(handles_->multi, &messages)) {
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  }
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_multi_remove_handle(handles_->multi, easy);
  transfer.response.status = static_cast<int>(status);
  if (interrupted) return proto::Error{proto::Code::cancelled, "interrupted", {}};
  if (transfer.ended_by_us) return transfer.response;
  if (transfer.too_large) {
    return proto::Error{proto::Code::too_large, "the controller's answer is over its limit", {}};
  }
  // A server that answered early ("413") and closed has answered.
  if (code == CURLE_SEND_ERROR && status >= 400) return transfer.response;
  if (code != CURLE_OK) return error_of(code, transfer.detail.data());
  return transfer.response;
}

proto::Error HttpClient::error_of(int curl_code, const char* detail) const {
  using proto::Code;
  const std::string where = host_of(options_.base_url);
  const std::string tail = *detail == '\0' ? "" : std::string("\n(") + detail + ")";
  switch (curl_code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Code::unreachable, "the controller's name " + where + " is not known; check the "
              "address of the context (fleetctl login)", {}};
    case CURLE_COULDNT_CONNECT:
      return {Code::unreachable, "no controller answers at " + options_.base_url +
              "; check that fleet-controller runs there and that the address is right", {}};
    case CURLE_OPERATION_TIMEDOUT:
      return {Code::timeout, "the controller at " + options_.base_url + " does not answer in time; "
              "try again", {}};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {Code::unauthenticated, "the server at " + options_.base_url +
              " is not the controller of this context: its certificate is not of the context's CA, "
              "or not for this name\nif the controller was set up anew, log in again: "
              "fleetctl login URL --token-file F --ca FILE" + tail, {}};
    case CURLE_SSL_CACERT_BADFILE:
      return {Code::bad_argument, "the CA file " + options_.ca_file + " holds no certificate; "
              "it is the ca.pem of the controller's data folder", {}};
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
      return {Code::closed, "the connection to " + options_.base_url + " broke; try again" + tail,
              {}};
    default:
      return {Code::internal, "talking to " + options_.base_url + " failed" + tail, {}};
  }
}

std::string url_encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || std::strchr("-._~", c) != nullptr;
    if (plain && c != '\0') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

std::string host_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('/'));
  if (url.starts_with('[')) return std::string(url.substr(1, url.find(']') - 1));
  return std::string(url.substr(0, url.find(':')));
}

}  // namespace fleetctl
