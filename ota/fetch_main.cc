// fleet-fetch: fetches what its parent asks for over HTTPS (HTTP for tuf-client, when it says so)
// into descriptors that it is given, and applies deltas from descriptor to descriptor.
// One connection is kept for all requests. It opens no file but the CA, certificate and key,
// follows no redirect, and ends when its socket does.
#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "ota/delta.h"
#include "ota/disk.h"
#include "ota/fetch_wire.h"

namespace {

using ota::FetchOrder;
using ota::FetchReply;
using ota::FetchSetup;
using proto::Code;
using proto::Fd;

constexpr std::uint64_t kMaxErrorBodyBytes = 16 * 1024;  // read on, so that the connection is kept
constexpr int kProgressMs = 250;
// Under a rate a read is at most a quarter of a second's bytes, so that it comes evenly.
constexpr std::uint64_t kReadsPerSecond = 4;
constexpr std::uint64_t kLeastBufferBytes = 1024;  // what libcurl takes at least
constexpr std::uint64_t kMostBufferBytes = 16 * 1024;

using Descriptors = std::array<Fd, ota::kMaxFetchDescriptors>;

// One request while it runs.
struct Transfer {
  CURL* curl = nullptr;
  const FetchOrder* order = nullptr;
  Fd file;
  bool body_began = false;
  std::uint64_t position_bytes = 0;  // where the next body byte goes
  std::uint64_t received_bytes = 0;
  Code code = Code::unset;  // why we broke it off, if we did
  std::string what;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point said;
};

bool give_up(Transfer& transfer, Code code, std::string what) {
  transfer.code = code;
  transfer.what = std::move(what);
  return false;
}

bool say(const Transfer& transfer, bool is_final) {
  FetchReply reply = {};
  reply.is_final = is_final ? 1 : 0;
  reply.code = static_cast<std::int32_t>(transfer.code);
  reply.file_bytes = transfer.position_bytes;
  reply.received_bytes = transfer.received_bytes;
  ota::put_text(reply.what, std::string_view(transfer.what).substr(0, ota::kMaxFetchWhatBytes));
  return ::send(ota::kFetchSocket, &reply, sizeof reply, MSG_NOSIGNAL) ==
         static_cast<ssize_t>(sizeof reply);
}

long status_of(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

// "bytes 100-199/200" begins at 100?
bool range_begins_at(CURL* curl, std::uint64_t offset_bytes) {
  curl_header* header = nullptr;
  if (curl_easy_header(curl, "Content-Range", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
    return false;
  }
  const std::string_view value = header->value;
  static constexpr std::string_view kUnit = "bytes ";
  if (!value.starts_with(kUnit)) return false;
  std::uint64_t first = 0;
  const char* from = value.data() + kUnit.size();
  const auto parsed = std::from_chars(from, value.data() + value.size(), first);
  return parsed.ec == std::errc() && *parsed.ptr == '-' && first == offset_bytes;
}

bool check_size(Transfer& transfer, std::uint64_t total_bytes, bool is_whole) {
  const FetchOrder& order = *transfer.order;
  if (order.expected_bytes != 0) {
    const bool wrong = is_whole ? total_bytes != order.expected_bytes
                                : total_bytes > order.expected_bytes;
    if (!wrong) return true;
    return give_up(transfer, Code::bad_digest,
                   "the server has " + std::to_string(total_bytes) +
                       (is_whole ? " bytes, " : " bytes or more, ") +
                       std::to_string(order.expected_bytes) + " were signed");
  }
  if (total_bytes <= order.max_bytes) return true;
  return give_up(transfer, Code::too_large,
                 "more than the " + std::to_string(order.max_bytes) + " bytes that are allowed");
}

// The first byte of a good answer: where does it belong, and how many will come?
bool begin_body(Transfer& transfer) {
  transfer.body_began = true;
  if (status_of(transfer.curl) == 206) {
    if (transfer.order->offset_bytes == 0 ||
        !range_begins_at(transfer.curl, transfer.order->offset_bytes)) {
      return give_up(transfer, Code::unavailable, "the server sent another range than asked for");
    }
    transfer.position_bytes = transfer.order->offset_bytes;
  } else {
    transfer.position_bytes = 0;
    const auto size_bytes = ota::size_of(transfer.file);
    // An empty file is left alone: room may have been taken for it.
    if ((!size_bytes || *size_bytes > 0) && ::ftruncate(transfer.file.get(), 0) != 0) {
      const auto error = ota::errno_error("emptying the file", errno);
      return give_up(transfer, error.code, error.what);
    }
  }
  curl_off_t length = -1;
  curl_easy_getinfo(transfer.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (length < 0) return true;  // chunked: counted as it comes
  return check_size(transfer, transfer.position_bytes + static_cast<std::uint64_t>(length), true);
}

// Says how far it is, now and then. False: the parent is gone.
bool keep_in_touch(Transfer& transfer) {
  char byte = 0;
  if (::recv(ota::kFetchSocket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now - transfer.said < std::chrono::milliseconds(kProgressMs)) return true;
  transfer.said = now;
  return say(transfer, false);
}

// Waits until so many bytes may have come. libcurl's own limit is none for what the kernel holds
// already: megabytes at once (7.88). While we do not read, TCP slows the server down.
bool pace(Transfer& transfer) {
  const std::uint64_t rate = transfer.order->rate_bytes_per_s;
  if (rate == 0) return true;
  const auto due =
      transfer.began + std::chrono::milliseconds(transfer.received_bytes * 1000 / rate);
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        due - std::chrono::steady_clock::now());
    if (left.count() <= 0) return true;
    if (!keep_in_touch(transfer)) return false;
    pollfd parent = {ota::kFetchSocket, POLLIN, 0};
    ::poll(&parent, 1, static_cast<int>(std::min<std::int64_t>(left.count(), kProgressMs)));
  }
}

bool take(Transfer& transfer, std::span<const std::byte> bytes) {
  const long status = status_of(transfer.curl);
  transfer.received_bytes += bytes.size();
  const std::uint64_t budget = transfer.order->max_received_bytes;
  if (budget != 0 && transfer.received_bytes > budget) {
    return give_up(transfer, Code::budget,
                   "more than the " + std::to_string(budget) + " bytes that are left to fetch");
  }
  if (status != 200 && status != 206) return transfer.received_bytes <= kMaxErrorBodyBytes;
  if (!transfer.body_began && !begin_body(transfer)) return false;
  if (!check_size(transfer, transfer.position_bytes + bytes.size(), false)) return false;
  const proto::Status wrote = ota::write_at(transfer.file, transfer.position_bytes, bytes);
  if (!wrote) return give_up(transfer, wrote.error().code, wrote.error().what);
  transfer.position_bytes += bytes.size();
  return pace(transfer);
}

std::size_t on_write(char* data, std::size_t size, std::size_t count, void* user) {
  const std::size_t total = size * count;
  Transfer& transfer = *static_cast<Transfer*>(user);
  return take(transfer, std::as_bytes(std::span(data, total))) ? total : 0;
}

// libcurl calls it at least once a second. Not 0 ends the transfer.
int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return keep_in_touch(*static_cast<Transfer*>(user)) ? 0 : 1;
}

// Chain, CA and name are checked; dates are not: a device may not know the time yet (DESIGN 4).
CURLcode on_ssl_context(CURL*, void* context, void*) {
  X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(static_cast<SSL_CTX*>(context));
  return X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_NO_CHECK_TIME) == 1
             ? CURLE_OK
             : CURLE_SSL_CERTPROBLEM;
}

Code code_of_status(long status) {
  if (status == 404 || status == 410) return Code::not_found;
  if (status == 403) return Code::forbidden;
  if (status == 401) return Code::unauthenticated;
  if (status == 416) return Code::bad_digest;  // the file ends before what we have of it
  return status >= 400 && status < 500 && status != 408 && status != 429 ? Code::bad_argument
                                                                         : Code::unavailable;
}

Code code_of_curl(CURLcode result) {
  switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: return Code::unreachable;
    case CURLE_OPERATION_TIMEDOUT: return Code::timeout;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return Code::unauthenticated;
    case CURLE_OUT_OF_MEMORY: return Code::no_memory;
    default: return Code::closed;  // a handshake that was cut too: refusals are told by their words
  }
}

// A server that wants another certificate of ours breaks off with an alert after the handshake.
bool is_refusal(const char* text) {
  return std::string_view(text).find("alert") != std::string_view::npos;
}

class Fetcher {
 public:
  explicit Fetcher(const FetchSetup& setup)
      : scheme_(setup.without_tls != 0 ? "http" : "https"),
        host_(ota::get_text(setup.host_name)), port_(std::to_string(setup.port)) {
    std::string address(ota::get_text(setup.address));
    // An IPv6 address stands in brackets where a port follows.
    if (address.find(':') != std::string::npos && address[0] != '[') address = "[" + address + "]";
    const std::string to = host_ + ":" + port_ + ":" + address + ":" + port_;
    connect_to_.reset(curl_slist_append(nullptr, to.c_str()));
    FLEET_ASSERT(curl_ && connect_to_);
    set_rules(setup);
  }

  // Fetches, and says how it went. False: the parent is gone.
  bool run(const FetchOrder& order, Fd file) {
    Transfer transfer;
    transfer.curl = curl_.get();
    transfer.order = &order;
    transfer.file = std::move(file);
    transfer.position_bytes = order.offset_bytes;
    char reason[CURL_ERROR_SIZE] = {};
    const std::string url = scheme_ + "://" + host_ + ":" + port_ + std::string(order.path);
    const std::string range = std::to_string(order.offset_bytes) + "-";
    CURL* const curl = curl_.get();
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_RANGE, order.offset_bytes > 0 ? range.c_str() : nullptr);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(order.deadline_ms));
    const std::uint64_t rate = order.rate_bytes_per_s;
    const std::uint64_t buffer_bytes = rate == 0 ? kMostBufferBytes : rate / kReadsPerSecond;
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE,
                     static_cast<long>(std::clamp(buffer_bytes, kLeastBufferBytes,
                                                  kMostBufferBytes)));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
    const CURLcode result = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
    judge(transfer, result, reason);
    return say(transfer, true);
  }

 private:
  void set_rules(const FetchSetup& setup) {
    CURL* const curl = curl_.get();
    const auto set_text = [curl](CURLoption option, std::string_view text) {
      // libcurl copies it.
      if (!text.empty()) curl_easy_setopt(curl, option, std::string(text).c_str());
    };
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, scheme_.c_str());
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to_.get());
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
    curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
    set_text(CURLOPT_CAINFO, ota::get_text(setup.ca_file));
    set_text(CURLOPT_SSLCERT, ota::get_text(setup.certificate_file));
    set_text(CURLOPT_SSLKEY, ota::get_text(setup.key_file));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(setup.connect_timeout_ms));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT,
                     static_cast<long>(setup.low_speed_bytes_per_s));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                     static_cast<long>((setup.low_speed_ms + 999) / 1000));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  }

  void judge(Transfer& transfer, CURLcode result, const char* reason) {
    if (transfer.code != Code::unset) return;
    const long status = status_of(transfer.curl);
    const bool answered = status >= 200;
    if (answered && status != 200 && status != 206) {
      give_up(transfer, code_of_status(status),
              "the server answered " + std::to_string(status) +
                  (status / 100 == 3 ? ", redirects are not followed" : ""));
      return;
    }
    if (result != CURLE_OK) {
      const char* text = reason[0] != '\0' ? reason : curl_easy_strerror(result);
      give_up(transfer, is_refusal(text) ? Code::unauthenticated : code_of_curl(result), text);
      return;
    }
    if (!transfer.body_began && !begin_body(transfer)) return;  // an empty body
    const std::uint64_t expected = transfer.order->expected_bytes;
    if (expected != 0 && transfer.position_bytes != expected) {
      give_up(transfer, Code::bad_digest,
              "the server sent " + std::to_string(transfer.position_bytes) + " bytes, " +
                  std::to_string(expected) + " were signed");
    }
  }

  struct EasyCleanup {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  };
  struct ListCleanup {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  std::string scheme_;
  std::string host_;
  std::string port_;
  std::unique_ptr<curl_slist, ListCleanup> connect_to_;
  std::unique_ptr<CURL, EasyCleanup> curl_{curl_easy_init()};
};

// One message of exactly this size, and the descriptors that came with it. False: the parent ended.
bool receive(void* message, std::size_t size, Descriptors& passed) {
  iovec part = {message, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * ota::kMaxFetchDescriptors)] = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t got = -1;
  do {
    got = ::recvmsg(ota::kFetchSocket, &header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  if (rights != nullptr && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
    const std::size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < std::min(count, passed.size()); ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(rights) + i * sizeof descriptor, sizeof descriptor);
      passed[i] = Fd(descriptor);
    }
  }
  return got == static_cast<ssize_t>(size);
}

// False: the parent is gone.
bool run_apply(const FetchOrder& order, const Descriptors& files) {
  const proto::Status applied =
      ota::apply_delta({files[2], files[0], files[1], order.expected_bytes});
  Transfer outcome;
  if (!applied) give_up(outcome, applied.error().code, applied.error().what);
  return say(outcome, true);
}

// What we read from the network must not gain anything, nor leave a core with the key in it.
void drop_what_we_can() {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

}  // namespace

int main() {
  drop_what_we_can();
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return 1;
  FetchSetup setup = {};
  Descriptors none;
  if (!receive(&setup, sizeof setup, none)) {
    std::fputs("fleet-fetch: is started by fleet-agent, with orders on a socket\n", stderr);
    return 2;
  }
  {
    Fetcher fetcher(setup);
    while (true) {
      FetchOrder order = {};
      Descriptors files;
      if (!receive(&order, sizeof order, files) || !files[0]) break;
      order.path[ota::kMaxFetchPathBytes] = '\0';
      if (order.work == ota::FetchWork::apply_delta) {
        if (!files[1] || order.expected_bytes == 0 || !run_apply(order, files)) break;
      } else if (!fetcher.run(order, std::move(files[0]))) {
        break;
      }
    }
  }
  curl_global_cleanup();
  return 0;
}
