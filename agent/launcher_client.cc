// The agent's side of the launcher's socket: packs requests, unpacks replies, says what went wrong.
#include "agent/launcher_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "agent/launcher/messages.h"

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr int kTimeoutMs = 5000;

static_assert(kFirstFileFd == launcher::kFileFdBase && kFirstTapFd == launcher::kTapFdBase);
static_assert(kKvmFd == launcher::kKvmFd && kExitReportFd == launcher::kExitReportFd);

Error refused(const std::string& what) {
  return Error{Code::bad_argument, "launcher: " + what, ""};
}

/// A zeroed request with its header's operation and size.
template <typename Request>
std::unique_ptr<Request> make_request(launcher::Operation operation) {
  auto request = std::make_unique<Request>();
  request->header.magic = launcher::kWireMagic;
  request->header.version = launcher::kWireVersion;
  request->header.operation = static_cast<std::uint16_t>(operation);
  request->header.size = sizeof(Request);
  return request;
}

Status put_id(char (&field)[proto::kIdLength], const std::string& id) {
  if (!launcher::is_instance_id(id)) return refused("\"" + id + "\" is no instance id");
  launcher::set_field(field, id);
  return {};
}

Status put_interface(const InterfaceRequest& from, launcher::WireInterface& to) {
  std::copy(from.mac.bytes.begin(), from.mac.bytes.end(), to.mac);
  to.promiscuous = from.promiscuous ? 1 : 0;
  to.dhcp = from.dhcp ? 1 : 0;
  to.address = from.address.value;
  std::copy(from.address6.bytes.begin(), from.address6.bytes.end(), to.address6);
  if (!launcher::is_interface_name(from.bridge)) return refused(from.bridge + " is no bridge name");
  launcher::set_field(to.bridge, from.bridge);
  return {};
}

Status put_arguments(const std::vector<std::string>& arguments, launcher::StartRequest& request) {
  if (arguments.size() > proto::kMaxArguments) return refused("more than 128 arguments");
  std::size_t size = 0;
  for (const std::string& argument : arguments) {
    if (size + argument.size() + 1 > launcher::kMaxArgumentBytes) {
      return refused("the arguments are longer than 32 KiB");
    }
    if (argument.find('\0') != std::string::npos) return refused("an argument holds a NUL");
    argument.copy(request.arguments + size, argument.size());
    size += argument.size() + 1;
  }
  request.argument_count = static_cast<std::uint16_t>(arguments.size());
  request.argument_bytes = static_cast<std::uint32_t>(size);
  return {};
}

Status put_egress(const std::optional<std::vector<EgressRule>>& egress,
                  launcher::StartRequest& request) {
  if (!egress) {
    request.flags |= launcher::kFlagEgressAny;
    return {};
  }
  if (egress->size() > launcher::kMaxEgressRules) return refused("more than 32 egress rules");
  request.egress_count = static_cast<std::uint16_t>(egress->size());
  for (std::size_t i = 0; i < egress->size(); ++i) {
    const EgressRule& rule = (*egress)[i];
    request.egress[i] = {rule.destination.address.value, rule.port, rule.destination.prefix,
                         static_cast<std::uint8_t>(rule.protocol)};
  }
  return {};
}

Instance read_record(const launcher::InstanceRecord& record) {
  Instance instance;
  instance.id = std::string(launcher::field_text(record.id));
  instance.tag = std::string(launcher::field_text(record.tag));
  const bool running = (record.flags & launcher::kInstanceRunning) != 0;
  instance.state = running ? InstanceState::running : InstanceState::exited;
  instance.pid = record.pid;
  instance.wait_status = record.wait_status;
  instance.stop_asked = (record.flags & launcher::kInstanceStopAsked) != 0;
  instance.killed = (record.flags & launcher::kInstanceKilled) != 0;
  instance.limit = (record.flags & launcher::kInstanceLimit) != 0;
  instance.ports_up = (record.flags & launcher::kInstancePortsUp) != 0;
  instance.started_ms = record.started_ms;
  instance.exited_ms = record.exited_ms;
  instance.cpu_ms = record.cpu_ms;
  instance.rss_bytes = record.rss_bytes;
  instance.console_bytes = record.console_bytes;
  const auto count = std::min<std::size_t>(record.interface_count, proto::kMaxInterfaces);
  for (std::size_t i = 0; i < count; ++i) {
    const launcher::WireInterface& wire = record.interfaces[i];
    InterfaceRequest interface;
    std::copy(std::begin(wire.mac), std::end(wire.mac), interface.mac.bytes.begin());
    interface.address = Ipv4{wire.address};
    interface.bridge = std::string(launcher::field_text(wire.bridge));
    interface.promiscuous = wire.promiscuous != 0;
    interface.dhcp = wire.dhcp != 0;
    std::copy(std::begin(wire.address6), std::end(wire.address6), interface.address6.bytes.begin());
    instance.interfaces.push_back(std::move(interface));
    instance.taps.emplace_back(launcher::field_text(record.taps[i]));
  }
  return instance;
}

Status send_packet(int fd, const void* bytes, std::size_t size, const std::vector<int>& fds) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * launcher::kMaxFiles)] = {};
  iovec part{const_cast<void*>(bytes), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(item), fds.data(), sizeof(int) * fds.size());
  }
  if (::sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(size)) return {};
  return Error{Code::launcher, std::string("asking the launcher: ") + std::strerror(errno), ""};
}

/// Waits for one packet of exactly `size` bytes, or of an error's size.
Status receive_reply(int fd, void* reply, std::size_t size) {
  pollfd ready{fd, POLLIN, 0};
  int polled = 0;
  do {
    polled = ::poll(&ready, 1, kTimeoutMs);
  } while (polled < 0 && errno == EINTR);
  if (polled == 0) return Error{Code::timeout, "the launcher gave no answer for 5 s", ""};
  const ssize_t got = ::recv(fd, reply, size, MSG_TRUNC);
  if (got == 0) return Error{Code::launcher, "the launcher went away", ""};
  if (got < 0) {
    return Error{Code::launcher, std::string("hearing the launcher: ") + std::strerror(errno), ""};
  }
  launcher::ReplyHeader header;
  if (static_cast<std::size_t>(got) < sizeof header) {
    return Error{Code::launcher, "the launcher's answer is cut short", ""};
  }
  std::memcpy(&header, reply, sizeof header);
  if (header.magic != launcher::kWireMagic || header.size != static_cast<std::size_t>(got)) {
    return Error{Code::launcher, "the launcher's answer is none of ours", ""};
  }
  if (header.code != 0) {
    return Error{static_cast<Code>(header.code), std::string(launcher::field_text(header.text)),
                 ""};
  }
  if (static_cast<std::size_t>(got) != size) {
    return Error{Code::launcher, "the launcher's answer has another size; same package?", ""};
  }
  return {};
}

}  // namespace

SocketLauncher::SocketLauncher(std::string socket_path) : socket_path_(std::move(socket_path)) {}

Result<Fd> SocketLauncher::connect_socket() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path_.size() >= sizeof address.sun_path) {
    return refused("socket path " + socket_path_ + " is longer than 107 bytes");
  }
  socket_path_.copy(address.sun_path, sizeof address.sun_path - 1);
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  // One packet must fit, whatever the host's default is.
  const int size = static_cast<int>(2 * proto::kMaxLauncherMessageBytes);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  if (!fd || ::connect(fd.get(), name, sizeof address) != 0) {
    return Error{Code::launcher,
                 "the launcher is away (" + socket_path_ + ": " + std::strerror(errno) +
                     "); systemctl status fleet-launcher",
                 ""};
  }
  return fd;
}

Status SocketLauncher::call(const void* request, std::size_t request_bytes, void* reply,
                            std::size_t reply_bytes, const std::vector<int>& fds) {
  if (!socket_) {
    TRY(socket_, connect_socket());
  }
  // The sequence lies in the header of every request, which the caller left zero.
  std::vector<char> packet(request_bytes);
  std::memcpy(packet.data(), request, request_bytes);
  const std::uint32_t sequence = ++sequence_;
  std::memcpy(packet.data() + offsetof(launcher::RequestHeader, sequence), &sequence,
              sizeof sequence);
  Status done = send_packet(socket_.get(), packet.data(), packet.size(), fds);
  if (!done && errno == EPIPE) {
    // The launcher was restarted between two calls; nothing of this one reached it.
    TRY(socket_, connect_socket());
    done = send_packet(socket_.get(), packet.data(), packet.size(), fds);
  }
  if (done) done = receive_reply(socket_.get(), reply, reply_bytes);
  // After a lost or late answer the connection is out of step.
  if (!done && (done.error().code == Code::launcher || done.error().code == Code::timeout ||
                done.error().code == Code::bad_argument)) {
    socket_.reset();
  }
  return done;
}

Result<LauncherInfo> SocketLauncher::info() {
  const auto request = make_request<launcher::InfoRequest>(launcher::Operation::info);
  auto reply = std::make_unique<launcher::InfoReply>();
  TRY_VOID(call(request.get(), sizeof *request, reply.get(), sizeof *reply, {}));
  LauncherInfo info;
  info.version = std::string(launcher::field_text(reply->version));
  info.subnet = {Ipv4{reply->subnet}, static_cast<std::uint8_t>(reply->prefix)};
  info.gateway = Ipv4{reply->gateway};
  info.bridge = std::string(launcher::field_text(reply->bridge));
  info.mtu = reply->mtu;
  info.memory_max_mib = reply->memory_max_mib;
  info.cgroup = (reply->flags & launcher::kInfoCgroup) != 0;
  info.kvm_allowed = (reply->flags & launcher::kInfoKvmAllowed) != 0;
  info.qemu_present = (reply->flags & launcher::kInfoQemuPresent) != 0;
  info.spt_present = (reply->flags & launcher::kInfoSptPresent) != 0;
  info.hvt_present = (reply->flags & launcher::kInfoHvtPresent) != 0;
  info.qemu_path = std::string(launcher::field_text(reply->qemu_path));
  info.boot_ms = reply->boot_ms;
  const auto count = std::min<std::size_t>(reply->denied_count, launcher::kMaxDeniedRanges);
  info.denied_ports.assign(reply->denied, reply->denied + count);
  const auto pairs = std::min<std::size_t>(reply->bypass_count, launcher::kMaxBypasses);
  for (std::size_t i = 0; i < pairs; ++i) {
    const auto& [one, other] = reply->bypasses[i].bridges;
    info.bypasses.push_back(
        launcher::bridge_pair(launcher::field_text(one), launcher::field_text(other)));
  }
  for (const launcher::WireSerial& line : reply->serials) {
    const std::string_view path = launcher::field_text(line.path);
    if (!path.empty()) info.serial_lines.emplace_back(path);
  }
  return info;
}

Status SocketLauncher::start(StartRequest from) {
  auto request = make_request<launcher::StartRequest>(launcher::Operation::start);
  TRY_VOID(put_id(request->id, from.id));
  if (from.tag.size() > launcher::kMaxTagBytes) return refused("the tag is longer than 128 bytes");
  if (from.files.size() + from.volumes.size() > launcher::kMaxFiles) {
    return refused("more than 16 files");
  }
  if (from.interfaces.size() > proto::kMaxInterfaces) return refused("more than 8 interfaces");
  launcher::set_field(request->tag, from.tag);
  request->program = static_cast<std::uint32_t>(from.program);
  request->memory_max_mib = from.memory_max_mib;
  request->cpu_percent = from.cpu_percent;
  request->flags = (from.kvm ? launcher::kFlagKvm : 0u) |
                   (from.ports_down ? launcher::kFlagPortsDown : 0u);
  request->interface_count = static_cast<std::uint16_t>(from.interfaces.size());
  for (std::size_t i = 0; i < from.interfaces.size(); ++i) {
    TRY_VOID(put_interface(from.interfaces[i], request->interfaces[i]));
  }
  if (from.serials.size() > launcher::kMaxSerialLines) return refused("more than 4 serial lines");
  request->serial_count = static_cast<std::uint32_t>(from.serials.size());
  for (std::size_t i = 0; i < from.serials.size(); ++i) {
    if (from.serials[i].size() >= launcher::kDevicePathBytes) {
      return refused("the path of a serial line is longer than 63 bytes");
    }
    launcher::set_field(request->serials[i].path, from.serials[i]);
  }
  TRY_VOID(put_egress(from.egress, *request));
  TRY_VOID(put_arguments(from.arguments, *request));
  std::vector<int> fds;
  for (const Fd& file : from.files) fds.push_back(file.get());
  for (const Fd& volume : from.volumes) {
    request->writable_files |= 1U << fds.size();
    fds.push_back(volume.get());
  }
  request->file_count = static_cast<std::uint16_t>(fds.size());
  launcher::EmptyReply reply;
  return call(request.get(), sizeof *request, &reply, sizeof reply, fds);
}

Status SocketLauncher::stop(const std::string& id, std::uint32_t grace_ms) {
  auto request = make_request<launcher::StopRequest>(launcher::Operation::stop);
  TRY_VOID(put_id(request->id, id));
  request->grace_ms = std::min(grace_ms, launcher::kMaxGraceMs);
  launcher::EmptyReply reply;
  return call(request.get(), sizeof *request, &reply, sizeof reply, {});
}

Status SocketLauncher::remove(const std::string& id) {
  auto request = make_request<launcher::IdRequest>(launcher::Operation::remove);
  TRY_VOID(put_id(request->id, id));
  launcher::EmptyReply reply;
  return call(request.get(), sizeof *request, &reply, sizeof reply, {});
}

Result<std::vector<Instance>> SocketLauncher::list() {
  const auto request = make_request<launcher::ListRequest>(launcher::Operation::list);
  auto reply = std::make_unique<launcher::ListReply>();
  std::vector<Instance> instances;
  do {
    TRY_VOID(call(request.get(), sizeof *request, reply.get(), sizeof *reply, {}));
    const auto count = std::min<std::size_t>(reply->count, launcher::kRecordsPerPage);
    for (std::size_t i = 0; i < count; ++i) instances.push_back(read_record(reply->records[i]));
    // Only ever forwards, whatever the launcher says.
    if (reply->next_slot <= request->first_slot) break;
    request->first_slot = reply->next_slot;
  } while (true);
  return instances;
}

Status SocketLauncher::set_ports(const std::string& id, bool up) {
  auto request = make_request<launcher::SetPortsRequest>(launcher::Operation::set_ports);
  TRY_VOID(put_id(request->id, id));
  request->up = up ? 1 : 0;
  launcher::EmptyReply reply;
  return call(request.get(), sizeof *request, &reply, sizeof reply, {});
}

Status SocketLauncher::hand_over(const std::string& from, const std::string& to) {
  auto request = make_request<launcher::HandOverRequest>(launcher::Operation::hand_over);
  TRY_VOID(put_id(request->from, from));
  TRY_VOID(put_id(request->to, to));
  launcher::EmptyReply reply;
  return call(request.get(), sizeof *request, &reply, sizeof reply, {});
}

Status SocketLauncher::bypass(const std::vector<BridgePair>& bridges) {
  if (bridges.size() > launcher::kMaxBypasses) return refused("more than 16 bypasses");
  auto request = make_request<launcher::BypassRequest>(launcher::Operation::bypass);
  for (const BridgePair& pair : bridges) {
    for (const std::string& bridge : {pair.first, pair.second}) {
      if (!launcher::is_interface_name(bridge)) return refused(bridge + " is no bridge name");
    }
    launcher::WireBypass& wire = request->bypasses[request->count++];
    launcher::set_field(wire.bridges[0], pair.first);
    launcher::set_field(wire.bridges[1], pair.second);
  }
  launcher::EmptyReply reply;
  return call(request.get(), sizeof *request, &reply, sizeof reply, {});
}

Status SocketLauncher::publish(const std::vector<PublishedPort>& ports) {
  if (ports.size() > launcher::kMaxPublishedInAll) return refused("more than 2048 published ports");
  auto request = make_request<launcher::PublishRequest>(launcher::Operation::publish);
  for (const PublishedPort& port : ports) {
    request->ports[request->count++] = {port.host_address.value, port.guest_address.value,
                                        port.host_port,          port.guest_port,
                                        static_cast<std::uint8_t>(port.protocol), {}};
  }
  launcher::EmptyReply reply;
  return call(request.get(), sizeof *request, &reply, sizeof reply, {});
}

Status SocketLauncher::flush_flows(const std::vector<Flow>& flows) {
  if (flows.size() > launcher::kMaxFlowsAtOnce) return refused("more than 2048 flows");
  auto request = make_request<launcher::FlushRequest>(launcher::Operation::flush_flows);
  for (const Flow& flow : flows) {
    request->flows[request->count++] = {flow.guest_address.value, flow.host_port,
                                        static_cast<std::uint8_t>(flow.protocol), 0};
  }
  launcher::EmptyReply reply;
  return call(request.get(), sizeof *request, &reply, sizeof reply, {});
}

Result<ConsoleChunk> SocketLauncher::read_console(const std::string& id, std::uint64_t offset) {
  auto request = make_request<launcher::ReadConsoleRequest>(launcher::Operation::read_console);
  TRY_VOID(put_id(request->id, id));
  request->offset = offset;
  auto reply = std::make_unique<launcher::ReadConsoleReply>();
  TRY_VOID(call(request.get(), sizeof *request, reply.get(), sizeof *reply, {}));
  const auto count = std::min<std::size_t>(reply->count, launcher::kConsoleChunkBytes);
  return ConsoleChunk{std::string(reply->bytes, count), reply->next_offset, reply->lost_bytes};
}

Result<std::string> SocketLauncher::read_report(const std::string& id) {
  auto request = make_request<launcher::IdRequest>(launcher::Operation::read_report);
  TRY_VOID(put_id(request->id, id));
  auto reply = std::make_unique<launcher::ReadReportReply>();
  TRY_VOID(call(request.get(), sizeof *request, reply.get(), sizeof *reply, {}));
  return std::string(reply->bytes,
                     std::min<std::size_t>(reply->count, launcher::kMaxExitReportBytes));
}

Result<Fd> SocketLauncher::open_events() {
  TRY(Fd fd, connect_socket());
  const auto request = make_request<launcher::InfoRequest>(launcher::Operation::events);
  TRY_VOID(send_packet(fd.get(), request.get(), sizeof *request, {}));
  launcher::EmptyReply reply;
  TRY_VOID(receive_reply(fd.get(), &reply, sizeof reply));
  return fd;
}

Result<std::optional<LauncherEvent>> read_event(const Fd& events) {
  launcher::EventPacket packet;
  const ssize_t got = ::recv(events.get(), &packet, sizeof packet, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<LauncherEvent>();
  if (got != static_cast<ssize_t>(sizeof packet) || packet.magic != launcher::kWireMagic) {
    return Error{Code::closed, "the launcher went away", ""};
  }
  LauncherEvent event;
  event.id = std::string(launcher::field_text(packet.id));
  event.kind = static_cast<launcher::EventKind>(packet.kind) == launcher::EventKind::exited
                   ? LauncherEvent::Kind::exited
                   : LauncherEvent::Kind::console_data;
  return std::optional<LauncherEvent>(std::move(event));
}

std::uint64_t boottime_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000000;
}

}  // namespace agent
