// FetchSession: the agent's side of fleet-fetch. What the process says is taken as foreign.
#include "ota/fetch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "ota/disk.h"
#include "ota/fetch_wire.h"

namespace ota {

using proto::Code;
using proto::Error;

namespace {

constexpr std::uint32_t kMaxDeadlineMs = 86'400'000;

// A path that is sent as it is must not be able to become a second header line.
bool is_clean(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Status check(const FetchRequest& request) {
  const bool path_is_good = request.path.starts_with('/') && is_clean(request.path) &&
                            request.path.size() <= kMaxFetchPathBytes;
  const std::uint64_t limit =
      request.expected_bytes != 0 ? request.expected_bytes : request.max_bytes;
  if (path_is_good && limit > 0 && request.offset_bytes <= limit && request.deadline_ms > 0 &&
      request.deadline_ms <= kMaxDeadlineMs) {
    return {};
  }
  return Error{Code::bad_argument,
               "fetching \"" + request.path.substr(0, 100) +
                   "\": needs a plain path that begins with '/', a size or a cap that the offset "
                   "lies within, and a deadline of at most a day", {}};
}

Result<FetchSetup> setup_of(const FetchOptions& options) {
  FetchSetup setup = {};
  setup.connect_timeout_ms = options.connect_timeout_ms;
  setup.low_speed_bytes_per_s = options.low_speed_bytes_per_s;
  setup.low_speed_ms = options.low_speed_ms;
  setup.port = options.port;
  setup.without_tls = options.without_tls ? 1 : 0;
  const std::string& address = options.address.empty() ? options.host_name : options.address;
  const bool fits = put_text(setup.host_name, options.host_name) &&
                    put_text(setup.address, address) && put_text(setup.ca_file, options.ca_file) &&
                    put_text(setup.certificate_file, options.certificate_file) &&
                    put_text(setup.key_file, options.key_file);
  if (fits && is_clean(options.host_name) && is_clean(address) && !options.host_name.empty() &&
      options.ca_file.empty() == options.without_tls && options.port != 0) {
    return setup;
  }
  return Error{Code::bad_argument,
               "fetching needs a host name, a port and, with TLS, a CA file, each of sensible "
               "length", {}};
}

// A SOCK_SEQPACKET message goes out whole or not at all.
Status send_message(const Fd& socket, const void* message, std::size_t size,
                    std::span<const int> descriptors) {
  FLEET_ASSERT(descriptors.size() <= kMaxFetchDescriptors);
  iovec part = {const_cast<void*>(message), size};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFetchDescriptors * sizeof(int))] = {};
  if (!descriptors.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket.get(), &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent != static_cast<ssize_t>(size)) {
    return Error{Code::closed, "fleet-fetch ended before it was asked", {}};
  }
  return {};
}

// Text of a process that parses the network: printable ASCII only.
std::string clean_text(std::string_view text) {
  std::string clean(text);
  for (char& c : clean) {
    if (c < ' ' || c > '~') c = '?';
  }
  return clean;
}

Error error_of(const FetchReply& reply, const std::string& job) {
  // A code that is none must not get further.
  const Code code = static_cast<Code>(reply.code);
  const bool known = std::string_view(proto::name_of(code)) != "unknown";
  return Error{known ? code : Code::internal, job + ": " + clean_text(get_text(reply.what)), {}};
}

// Signals and descriptors as a new program expects them, whatever the agent did with its own.
Result<pid_t> spawn(const std::string& program, int socket) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, socket, kFetchSocket);
  posix_spawn_file_actions_addclosefrom_np(&actions, kFetchSocket + 1);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = "fleet-fetch";
  char* const arguments[] = {name.data(), nullptr};
  char* const environment[] = {nullptr};  // no proxy, no SSLKEYLOGFILE of ours
  pid_t process_id = -1;
  const int failed = posix_spawn(&process_id, program.c_str(), &actions, &attributes, arguments,
                                 environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    return Error{Code::start_failed,
                 "starting " + program + ": " + std::strerror(failed) +
                     "; is the package whole?", {}};
  }
  return process_id;
}

}  // namespace

// What the process is asked for.
struct FetchSession::Job {
  std::string what;  // for error texts
  FetchOrder order = {};
  std::vector<int> descriptors;  // borrowed
  const std::function<void(std::uint64_t file_bytes)>* progress = nullptr;
};

FetchSession::FetchSession(FetchOptions options)
    : options_(std::move(options)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  FLEET_ASSERT(wake_);
}

FetchSession::~FetchSession() { end(); }

void FetchSession::cancel() {
  cancelled_ = true;
  const std::uint64_t one = 1;
  // It can only fail when it was written before, which wakes as well.
  if (::write(wake_.get(), &one, sizeof one) < 0) return;
}

void FetchSession::end() {
  socket_.close();
  if (process_id_ < 0) return;
  ::kill(process_id_, SIGKILL);
  while (::waitpid(process_id_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_id_ = -1;
}

Status FetchSession::start() {
  FLEET_ASSERT(process_id_ < 0);
  TRY(const FetchSetup setup, setup_of(options_));
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return errno_error("making a socket for fleet-fetch", errno);
  }
  Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  TRY(process_id_, spawn(options_.program, theirs.get()));
  socket_ = std::move(ours);
  return send_message(socket_, &setup, sizeof setup, {});
}

Status FetchSession::send(const Job& job) {
  return send_message(socket_, &job.order, sizeof job.order, job.descriptors);
}

Result<FetchDone> FetchSession::await_answer(const Job& job) {
  while (true) {
    pollfd waits[2] = {{socket_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    const int ready = ::poll(waits, 2, 4 * kFetchHeartbeatMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return errno_error("waiting for fleet-fetch", errno);
    if (ready == 0) return Error{Code::timeout, job.what + ": fleet-fetch hangs", {}};
    if (cancelled_) return Error{Code::cancelled, job.what + ": cancelled", {}};
    FetchReply reply = {};
    const ssize_t got = ::recv(socket_.get(), &reply, sizeof reply, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got != static_cast<ssize_t>(sizeof reply)) {
      return Error{Code::closed, job.what + ": fleet-fetch died", {}};
    }
    if (reply.is_final == 0) {
      if (job.progress != nullptr && *job.progress) (*job.progress)(reply.file_bytes);
      continue;
    }
    if (static_cast<Code>(reply.code) != Code::unset) return error_of(reply, job.what);
    return FetchDone{reply.file_bytes, reply.received_bytes};
  }
}

Result<FetchDone> FetchSession::run(const Job& job) {
  if (cancelled_) return Error{Code::cancelled, job.what + ": cancelled", {}};
  // A process that died between two requests is no fault of this one.
  Status sent = Error{Code::closed, "not started", {}};
  if (process_id_ >= 0) sent = send(job);
  if (!sent) {
    end();
    Status started = start();
    if (started) started = send(job);
    if (!started) {
      end();
      return started.error();
    }
  }
  auto answer = await_answer(job);
  const bool process_is_done =
      !answer && (answer.error().code == Code::cancelled || answer.error().code == Code::closed ||
                  answer.error().code == Code::timeout);
  if (process_is_done) end();
  return answer;
}

Result<FetchDone> FetchSession::fetch(const FetchRequest& request, const Fd& file) {
  FLEET_ASSERT(file);
  TRY_VOID(check(request));
  if (request.expected_bytes != 0 && request.offset_bytes == request.expected_bytes) {
    return FetchDone{request.expected_bytes, 0};
  }
  Job job;
  job.what = "fetching " + request.path;
  job.order.offset_bytes = request.offset_bytes;
  job.order.expected_bytes = request.expected_bytes;
  job.order.max_bytes = request.max_bytes;
  job.order.max_received_bytes = request.max_received_bytes;
  job.order.rate_bytes_per_s = request.rate_bytes_per_s;
  job.order.deadline_ms = request.deadline_ms;
  job.order.work = FetchWork::fetch;
  const bool fits = put_text(job.order.path, request.path);
  FLEET_ASSERT(fits);
  job.descriptors = {file.get()};
  job.progress = &request.progress;
  return run(job);
}

Status FetchSession::apply(const DeltaFiles& files) {
  FLEET_ASSERT(files.delta && files.output);
  Job job;
  job.what = "applying a delta";
  job.order.expected_bytes = files.output_bytes;
  job.order.work = FetchWork::apply_delta;
  job.descriptors = {files.delta.get(), files.output.get()};
  if (files.base) job.descriptors.push_back(files.base.get());
  TRY([[maybe_unused]] const FetchDone done, run(job));
  return {};
}

Result<std::vector<std::byte>> fetch_to_memory(Fetch& fetch, const std::string& path,
                                               std::size_t max_bytes, std::uint32_t deadline_ms) {
  const Fd file(::memfd_create("fleet-fetch", MFD_CLOEXEC));
  if (!file) return errno_error("taking memory to fetch " + path, errno);
  FetchRequest request;
  request.path = path;
  request.max_bytes = max_bytes;
  request.deadline_ms = deadline_ms;
  TRY(const FetchDone done, fetch.fetch(request, file));
  if (done.file_bytes > max_bytes) {
    return Error{Code::too_large, "fetching " + path + ": more than asked for", {}};
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(done.file_bytes));
  TRY(const std::size_t got, read_at(file, 0, bytes));
  bytes.resize(got);
  return bytes;
}

}  // namespace ota
