// Fetch: bytes over HTTPS into descriptors that we hand out. The work is done by one fleet-fetch
// process per session, so that HTTP and OpenSSL stay out of the agent. It never trusts a byte:
// whoever reads the result checks length and digest.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ota/delta.h"
#include "proto/fd.h"
#include "proto/result.h"

namespace ota {

/// One file to fetch.
struct FetchRequest {
  std::string path;                 // begins with '/', sent as it is; at most 4 KiB
  std::uint64_t offset_bytes = 0;   // where to go on: a range is asked for when it is not 0
  std::uint64_t expected_bytes = 0; // whole size of the file when known, else 0
  std::uint64_t max_bytes = 0;      // cap of the whole file when the size is not known
  std::uint64_t max_received_bytes = 0;  // cap of the body bytes that come; 0 = none
  std::uint64_t rate_bytes_per_s = 0;    // at most so fast; 0 = as fast as it goes
  std::uint32_t deadline_ms = 600'000;   // of the whole request, 1..86,400,000
  /// Called on the calling thread, a few times per second, with the bytes in the file so far.
  std::function<void(std::uint64_t file_bytes)> progress;
};

/// What came.
struct FetchDone {
  std::uint64_t file_bytes = 0;       // size of the file now, from byte 0
  std::uint64_t received_bytes = 0;   // body bytes that this request moved
};

/// The port; the simulator has its own. Functions block; cancel() may come from another thread.
class Fetch {
 public:
  virtual ~Fetch() = default;

  /// Fetches into `file` (read-write, regular or memfd), from request.offset_bytes on. A server
  /// that ignores the range is taken from byte 0. What came stays in the file on an error, so that
  /// a later request can go on.
  /// errors not_found (404) | forbidden (403) | unauthenticated (401, or TLS refused either side) |
  ///        unreachable | timeout (deadline, or slower than the floor) | closed (cut short; also
  ///        the program's death) | bad_digest (not expected_bytes long) | too_large (over
  ///        max_bytes) | budget (over max_received_bytes) | unavailable (redirect, 429, 5xx) |
  ///        start_failed (no such program) | no_space | io | cancelled | bad_argument
  virtual proto::Result<FetchDone> fetch(const FetchRequest& request, const proto::Fd& file) = 0;

  /// Applies a delta where no harm comes of it (ota/delta.h). `files.base` and `files.delta` must
  /// not change meanwhile.
  /// errors as apply_delta, and closed (the program died of it) | timeout (not done in 20 s) |
  ///        start_failed | cancelled
  virtual proto::Status apply(const DeltaFiles& files) = 0;

  /// Ends the running request and every later one with `cancelled`. From any thread.
  virtual void cancel() = 0;
};

/// Fetches something small into memory. `max_bytes` caps it. errors as Fetch::fetch
proto::Result<std::vector<std::byte>> fetch_to_memory(Fetch& fetch, const std::string& path,
                                               std::size_t max_bytes,
                                               std::uint32_t deadline_ms = 60'000);

/// Where a session connects and how it proves both sides. No redirects, no proxies, and HTTPS only
/// unless it was told otherwise.
/// The server's chain, CA and name are checked; its dates are not (DESIGN 4: a device may not know
/// the time yet, and code never rests on TLS).
struct FetchOptions {
  std::string program;       // path of fleet-fetch
  std::string host_name;     // the name that the certificate must carry
  std::string address;       // where to connect: an address or a name; empty = host_name
  std::uint16_t port = 443;
  std::string ca_file;       // PEM, the only CAs that count
  std::string certificate_file;  // PEM, our own, for mTLS; empty = none
  std::string key_file;
  bool without_tls = false;  // http://, and no CA file is needed: tuf-client's, never a device's
  std::uint32_t connect_timeout_ms = 10'000;
  std::uint32_t low_speed_bytes_per_s = 64;   // slower than this for low_speed_ms: timeout
  std::uint32_t low_speed_ms = 20'000;        // whole seconds count
};

/// One fleet-fetch process, started with the first request and kept for the session, so that many
/// files ride on one TLS connection. Neither copied nor moved. The process ends with the object,
/// or when the agent dies. If the process dies, that request says `closed` and the next one starts
/// another.
class FetchSession final : public Fetch {
 public:
  explicit FetchSession(FetchOptions options);
  ~FetchSession() override;
  FetchSession(const FetchSession&) = delete;
  FetchSession& operator=(const FetchSession&) = delete;

  proto::Result<FetchDone> fetch(const FetchRequest& request, const proto::Fd& file) override;
  proto::Status apply(const DeltaFiles& files) override;
  void cancel() override;

  /// Ends the process now; the next request starts another. To be called before fetched files are
  /// hashed: until then the process may still hold their descriptors.
  void end();

  /// The process while it runs, else -1. For tests that kill it.
  pid_t process_id() const { return process_id_; }

 private:
  struct Job;

  proto::Status start();
  proto::Result<FetchDone> run(const Job& job);
  proto::Status send(const Job& job);
  proto::Result<FetchDone> await_answer(const Job& job);

  FetchOptions options_;
  proto::Fd socket_;
  proto::Fd wake_;  // an eventfd: cancel() writes, a waiting fetch() reads
  pid_t process_id_ = -1;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace ota
