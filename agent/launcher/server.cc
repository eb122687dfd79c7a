// The loop. A request is read, checked, done and answered before the next; nothing here waits for
// the agent.
#include "agent/launcher/server.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "agent/launcher/policy.h"
#include "agent/launcher/system.h"

namespace launcher {
namespace {

using proto::Code;
using proto::Error;
using proto::Status;

constexpr std::size_t kMaxClients = 8;
// A guest that needs longer for an answer than this loses it in a switch.
constexpr std::uint64_t kLateAnswerMs = 1000;
constexpr std::size_t kMaxLateAnswers = 4096;

Error failed(const std::string& what) {
  return Error{Code::io, what + ": " + std::strerror(errno), ""};
}

/// A packet as its struct. in: check_request() was content with it.
template <typename Request>
std::unique_ptr<Request> read_as(const std::vector<char>& packet) {
  FLEET_ASSERT(packet.size() == sizeof(Request));
  auto request = std::make_unique<Request>();
  std::memcpy(request.get(), packet.data(), sizeof(Request));
  return request;
}

struct Received {
  std::vector<char> packet;
  std::vector<Fd> files;
  bool closed = false;
  bool truncated = false;
};

Received receive(int fd) {
  Received received;
  received.packet.resize(proto::kMaxLauncherMessageBytes);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * (kMaxFiles + 1))];
  iovec part{received.packet.data(), received.packet.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  received.closed = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  received.packet.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  received.truncated = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  if (got < 0) return received;
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
       item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(item) + i * sizeof(int), sizeof number);
      received.files.emplace_back(number);  // owned at once, so that none is ever lost
    }
  }
  return received;
}

}  // namespace

Server::Server(const Parts& parts, bool cgroups)
    : conf_(parts.conf),
      host_(parts.host),
      nft_(parts.nft),
      instances_(parts.instances),
      bypasses_(parts.bypasses),
      cgroups_(cgroups),
      boot_ms_(now_ms()) {}

Status Server::listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (conf_.socket.size() >= sizeof address.sun_path) {
    return Error{Code::bad_argument, "socket path is longer than 107 bytes", ""};
  }
  conf_.socket.copy(address.sun_path, sizeof address.sun_path - 1);
  listener_ = Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_) return failed("socket");
  // The lock says that no other launcher runs: an old name is a leftover.
  ::unlink(conf_.socket.c_str());
  ::umask(0177);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(listener_.get(), name, sizeof address) != 0) return failed(conf_.socket);
  ::umask(0077);
  const uid_t agent = conf_.agent_uid;
  if (::chown(conf_.socket.c_str(), agent, static_cast<gid_t>(-1)) != 0) {
    return failed(conf_.socket);
  }
  if (::listen(listener_.get(), static_cast<int>(kMaxClients)) != 0) return failed("listen");
  return {};
}

void Server::close() { ::unlink(conf_.socket.c_str()); }

void Server::accept_client() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  if (!known || peer.uid != conf_.agent_uid) {
    log_line("warning", "client.refused", "uid=" + std::to_string(peer.uid));
    return;
  }
  if (clients_.size() >= kMaxClients) {
    log_line("warning", "client.refused", "why=\"too many connections\"");
    return;
  }
  Client client;
  client.fd = std::move(fd);
  clients_.push_back(std::move(client));
}

void Server::fill_info(InfoReply& reply) const {
  set_field(reply.version, FLEET_VERSION);
  reply.subnet = conf_.subnet.address.value;
  reply.gateway = conf_.gateway().value;
  reply.prefix = conf_.subnet.prefix;
  reply.mtu = host_.mtu();
  set_field(reply.bridge, conf_.bridge);
  reply.memory_max_mib = conf_.memory_max_mib;
  const bool kvm = conf_.allow_kvm && ::access("/dev/kvm", F_OK) == 0;
  const auto present = [](const std::string& path, std::uint32_t flag) {
    return ::access(path.c_str(), X_OK) == 0 ? flag : 0u;
  };
  reply.flags = (cgroups_ ? kInfoCgroup : 0u) | (kvm ? kInfoKvmAllowed : 0u) |
                present(conf_.qemu, kInfoQemuPresent) | present(conf_.spt, kInfoSptPresent) |
                present(conf_.hvt, kInfoHvtPresent);
  reply.boot_ms = boot_ms_;
  set_field(reply.qemu_path, conf_.qemu);
  for (const PortRange& range : conf_.refused_ports()) {
    if (reply.denied_count == kMaxDeniedRanges) break;
    reply.denied[reply.denied_count++] = range;
  }
  for (const BridgePair& pair : conf_.bypasses) {
    WireBypass& wire = reply.bypasses[reply.bypass_count++];
    set_field(wire.bridges[0], pair.first);
    set_field(wire.bridges[1], pair.second);
  }
  for (std::size_t i = 0; i < conf_.serial_lines.size(); ++i) {
    set_field(reply.serials[i].path, conf_.serial_lines[i].path);
  }
}

Status Server::bypass(const BypassRequest& request) {
  std::vector<BridgePair> wanted;
  for (std::size_t i = 0; i < request.count; ++i) {
    const auto& [one, other] = request.bypasses[i].bridges;
    wanted.push_back(bridge_pair(field_text(one), field_text(other)));
  }
  return bypasses_.want(std::move(wanted));
}

Status Server::publish(const PublishRequest& request) {
  const std::vector<WirePort> ports(request.ports, request.ports + request.count);
  TRY_VOID(may_publish(conf_, ports));
  TRY_VOID(nft_.run(publish_rules(ports)));
  published_before_ = std::exchange(published_, ports);
  return {};
}

std::vector<LateAnswer> Server::late_answers(const std::vector<StaleFlow>& flows) const {
  std::vector<LateAnswer> answers;
  for (const StaleFlow& flow : flows) {
    if (flow.wanted.protocol != static_cast<std::uint8_t>(Protocol::udp)) continue;
    if (answers.size() == kMaxLateAnswers) break;
    for (const WirePort& port : published_before_) {
      const bool its = port.protocol == flow.wanted.protocol &&
                       port.host_port == flow.wanted.host_port &&
                       port.guest_address == flow.wanted.guest_address;
      if (!its) continue;
      answers.push_back({Ipv4{port.guest_address}, port.guest_port, flow.client, flow.client_port,
                         flow.host, port.host_port});
      break;
    }
  }
  return answers;
}

Status Server::flush(const FlushRequest& request) {
  const std::vector<WireFlow> flows(request.flows, request.flows + request.count);
  TRY(const std::vector<StaleFlow> stale, find_flows(flows));
  if (stale.empty()) return {};
  // First the way for answers that are still being made, then the end of their flows.
  TRY_VOID(nft_.run(late_rules(late_answers(stale))));
  late_until_ms_ = now_ms() + kLateAnswerMs;
  // A datagram that was on its way through the old list may have made one more meanwhile.
  for (int tries = 0; tries < 5; ++tries) {
    TRY(const std::uint32_t deleted, delete_flows(flows));
    if (deleted == 0) break;
  }
  return {};
}

int Server::end_late_answers() {
  if (late_until_ms_ == 0) return -1;
  const std::uint64_t now = now_ms();
  if (now < late_until_ms_) return static_cast<int>(late_until_ms_ - now);
  late_until_ms_ = 0;
  if (const Status done = nft_.run(late_rules({})); !done) {
    log_line("error", "late_answers.kept", "why=\"" + done.error().what + "\"");
  }
  return -1;
}

Status Server::dispatch(Operation operation, const std::vector<char>& packet,
                        const std::vector<Fd>& files, std::vector<char>& reply) {
  // The four that answer with more than a header.
  const auto body = [&reply]<typename Reply>(std::unique_ptr<Reply> value) {
    const auto* bytes = reinterpret_cast<const char*>(value.get());
    reply.assign(bytes, bytes + sizeof(Reply));
  };
  const auto id_of = [](const auto& request) {
    return std::string_view(request.id, proto::kIdLength);
  };
  switch (operation) {
    case Operation::info: {
      auto info = std::make_unique<InfoReply>();
      fill_info(*info);
      body(std::move(info));
      return {};
    }
    case Operation::list: {
      auto list = std::make_unique<ListReply>();
      instances_.fill(read_as<ListRequest>(packet)->first_slot, *list);
      body(std::move(list));
      return {};
    }
    case Operation::read_console: {
      const auto request = read_as<ReadConsoleRequest>(packet);
      auto chunk = std::make_unique<ReadConsoleReply>();
      const Status done = instances_.read_console(id_of(*request), request->offset, *chunk);
      body(std::move(chunk));
      return done;
    }
    case Operation::read_report: {
      auto report = std::make_unique<ReadReportReply>();
      const Status done = instances_.read_report(id_of(*read_as<IdRequest>(packet)), *report);
      body(std::move(report));
      return done;
    }
    case Operation::start: return instances_.start(*read_as<StartRequest>(packet), files);
    case Operation::stop: {
      const auto request = read_as<StopRequest>(packet);
      return instances_.stop(id_of(*request), request->grace_ms);
    }
    case Operation::kill: return instances_.kill(id_of(*read_as<IdRequest>(packet)));
    case Operation::remove: return instances_.remove(id_of(*read_as<IdRequest>(packet)));
    case Operation::set_ports: {
      const auto request = read_as<SetPortsRequest>(packet);
      return instances_.set_ports(id_of(*request), request->up != 0);
    }
    case Operation::hand_over: {
      const auto request = read_as<HandOverRequest>(packet);
      return instances_.hand_over({request->from, proto::kIdLength},
                                  {request->to, proto::kIdLength});
    }
    case Operation::bypass: return bypass(*read_as<BypassRequest>(packet));
    case Operation::publish: return publish(*read_as<PublishRequest>(packet));
    case Operation::flush_flows: return flush(*read_as<FlushRequest>(packet));
    case Operation::events: return {};
  }
  return Error{Code::internal, "launcher: operation without a case", ""};
}

void Server::answer(Client& client, const std::vector<char>& packet,
                    const std::vector<Fd>& files) {
  RequestHeader header{};
  std::memcpy(&header, packet.data(), std::min(packet.size(), sizeof header));
  std::vector<char> reply(sizeof(EmptyReply), 0);
  const auto operation = check_request(packet.data(), packet.size(), files.size());
  Status done = operation ? dispatch(*operation, packet, files, reply) : Status{operation.error()};
  ReplyHeader answer_header{};
  answer_header.magic = kWireMagic;
  answer_header.version = kWireVersion;
  answer_header.operation = header.operation;
  answer_header.sequence = header.sequence;
  answer_header.size = static_cast<std::uint32_t>(reply.size());
  if (!done) {
    answer_header.code = static_cast<std::int32_t>(done.error().code);
    set_field(answer_header.text, done.error().what.substr(0, sizeof answer_header.text - 1));
    if (!operation) {
      log_line("warning", "request.refused", "why=\"" + done.error().what + "\"");
    }
  }
  std::memcpy(reply.data(), &answer_header, sizeof answer_header);
  // A peer that asks and does not read gets closed; it may connect again.
  const ssize_t sent = ::send(client.fd.get(), reply.data(), reply.size(),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
  client.closed = sent != static_cast<ssize_t>(reply.size()) || !operation;
  client.events = client.events || (operation && *operation == Operation::events);
}

void Server::serve(Client& client) {
  const Received received = receive(client.fd.get());
  if (received.closed || received.truncated) {
    client.closed = true;
  } else if (!received.packet.empty()) {
    answer(client, received.packet, received.files);
  }
}

void Server::tell(const std::string& id, EventKind kind) {
  for (Client& client : clients_) {
    if (!client.events) continue;
    client.pending[id] |= 1u << static_cast<unsigned>(kind);
    flush_events(client);
  }
}

void Server::flush_events(Client& client) {
  while (!client.pending.empty()) {
    auto& [id, bits] = *client.pending.begin();
    // Data first, so that the last words are read before the end is handled.
    const EventKind kind = (bits & 1u << static_cast<unsigned>(EventKind::console_data)) != 0
                               ? EventKind::console_data
                               : EventKind::exited;
    EventPacket packet{kWireMagic, kWireVersion, static_cast<std::uint16_t>(kind), {}};
    set_field(packet.id, id);
    if (::send(client.fd.get(), &packet, sizeof packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      client.closed = errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
      return;  // goes on when the reader has made room
    }
    bits &= ~(1u << static_cast<unsigned>(kind));
    if (bits == 0) client.pending.erase(client.pending.begin());
  }
}

bool Server::take_signals(const Fd& signals) {
  bool goes_on = true;
  signalfd_siginfo info{};
  while (::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo != SIGCHLD) goes_on = false;
  }
  for (const std::string& id : instances_.reap()) {
    tell(id, EventKind::console_data);
    tell(id, EventKind::exited);
  }
  return goes_on;
}

std::vector<pollfd> Server::poll_set(const Fd& signals) const {
  std::vector<pollfd> set = {{signals.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
  for (const Client& client : clients_) {
    const short events = client.pending.empty() ? POLLIN : POLLIN | POLLOUT;
    set.push_back({client.fd.get(), events, 0});
  }
  // A console that ended has -1 here, which poll passes over.
  for (const auto& entry : instances_.entries()) set.push_back({entry->console.get(), POLLIN, 0});
  for (const auto& entry : instances_.entries()) {
    for (const auto& serial : entry->serials) {
      for (const pollfd& polled : serial->polled()) set.push_back(polled);
    }
  }
  return set;
}

void Server::serve_serials(const pollfd* polled) {
  for (const auto& entry : instances_.entries()) {
    for (const auto& serial : entry->serials) {
      serial->serve(polled);
      polled += SerialLine::kPolled;
    }
  }
}

int Server::reopen_serials() {
  int next_ms = -1;
  for (const auto& entry : instances_.entries()) {
    for (const auto& serial : entry->serials) {
      const int wait_ms = serial->reopen();
      if (wait_ms >= 0) next_ms = next_ms < 0 ? wait_ms : std::min(next_ms, wait_ms);
    }
  }
  return next_ms;
}

Status Server::run(const Fd& signals) {
  for (;;) {
    int wait_ms = instances_.run_deadlines();
    const int late_ms = end_late_answers();
    const int tidy_ms = instances_.tidy_one();
    const int serial_ms = reopen_serials();
    const int bypass_ms = bypasses_.tend(instances_.forwarded());
    for (const int other_ms : {late_ms, tidy_ms, serial_ms, bypass_ms}) {
      if (other_ms >= 0) wait_ms = wait_ms < 0 ? other_ms : std::min(wait_ms, other_ms);
    }
    std::vector<pollfd> set = poll_set(signals);
    if (::poll(set.data(), set.size(), wait_ms) < 0 && errno != EINTR) return failed("poll");
    // Consoles and lines first: they are numbered by the table as it was when poll began.
    const std::size_t first_console = 2 + clients_.size();
    const std::size_t first_serial = first_console + instances_.entries().size();
    serve_serials(set.data() + first_serial);
    for (std::size_t i = first_console; i < first_serial; ++i) {
      Entry& entry = *instances_.entries()[i - first_console];
      if (set[i].revents != 0 && instances_.drain(entry)) {
        tell(entry.id, EventKind::console_data);
      }
    }
    for (std::size_t i = 2; i < first_console; ++i) {
      Client& client = clients_[i - 2];
      if ((set[i].revents & POLLOUT) != 0) flush_events(client);
      if ((set[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) serve(client);
    }
    std::erase_if(clients_, [](const Client& client) { return client.closed; });
    if (set[0].revents != 0 && !take_signals(signals)) return {};
    if (set[1].revents != 0) accept_client();
  }
}

}  // namespace launcher
