// The check of a foreign packet: every field, before anything is done with it.
#include "agent/launcher/messages.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace launcher {

Ipv6 address6_of(const WireInterface& wire) {
  Ipv6 address;
  std::copy(std::begin(wire.address6), std::end(wire.address6), address.bytes.begin());
  return address;
}

namespace {

using proto::Code;
using proto::Error;
using proto::Status;

Error bad(std::string_view what) {
  return Error{Code::bad_argument, "launcher request: " + std::string(what), ""};
}

bool is_printable(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; }

/// True if everything behind the first NUL is NUL too.
template <std::size_t N>
bool is_padded(const char (&field)[N]) {
  const std::size_t size = field_text(field).size();
  return std::all_of(field + size, field + N, [](char c) { return c == '\0'; });
}

template <std::size_t N>
Status check_text(const char (&field)[N], std::string_view name) {
  if (!is_padded(field)) return bad(std::string(name) + " has bytes behind its end");
  const std::string_view text = field_text(field);
  if (!std::all_of(text.begin(), text.end(), is_printable)) {
    return bad(std::string(name) + " has control characters");
  }
  return {};
}

Status check_id(const char (&id)[proto::kIdLength]) {
  if (!is_instance_id({id, proto::kIdLength})) return bad("id must be 16 characters a-z2-7");
  return {};
}

Status check_interface(const WireInterface& wire) {
  MacAddress mac;
  std::copy(std::begin(wire.mac), std::end(wire.mac), mac.bytes.begin());
  if (!is_local_unicast(mac)) return bad("interface.mac must be locally administered unicast");
  if (wire.promiscuous > 1) return bad("interface.promiscuous must be 0 or 1");
  if (wire.dhcp > 1) return bad("interface.dhcp must be 0 or 1");
  if (wire.dhcp == 1 && wire.address != 0) return bad("interface.address has no place with dhcp");
  if (wire.address != 0 && !is_unicast(Ipv4{wire.address})) {
    return bad("interface.address must be unicast");
  }
  const Ipv6 address6 = address6_of(wire);
  if (!address6.is_none() && !is_unicast(address6)) {
    return bad("interface.address6 must be unicast, and not of the link");
  }
  TRY_VOID(check_text(wire.bridge, "interface.bridge"));
  if (!is_interface_name(field_text(wire.bridge))) return bad("interface.bridge is no name");
  return {};
}

Status check_egress(const WireEgress& wire) {
  if (wire.prefix > 32) return bad("egress.prefix must be 0 to 32");
  const Subnet subnet{Ipv4{wire.address}, wire.prefix};
  if ((wire.address & ~subnet.mask()) != 0) return bad("egress.address has bits below its prefix");
  const auto protocol = static_cast<Protocol>(wire.protocol);
  const bool known = protocol == Protocol::any || protocol == Protocol::icmp ||
                     protocol == Protocol::tcp || protocol == Protocol::udp;
  if (!known) return bad("egress.protocol must be any, icmp, tcp or udp");
  if (wire.port != 0 && protocol == Protocol::icmp) return bad("egress.port has no place in icmp");
  return {};
}

/// A plain path below /dev, or none.
Status check_serial(const WireSerial& wire) {
  TRY_VOID(check_text(wire.path, "serial.path"));
  const std::string_view path = field_text(wire.path);
  const bool plain = path.starts_with("/dev/") && path.find("..") == std::string_view::npos;
  return path.empty() || plain ? Status() : bad("serial.path is not below /dev");
}

template <typename Wire>
bool all_zero(const Wire* from, const Wire* to) {
  const char* first = reinterpret_cast<const char*>(from);
  const char* last = reinterpret_cast<const char*>(to);
  return std::all_of(first, last, [](char c) { return c == 0; });
}

Status check_arguments(const StartRequest& request) {
  if (request.argument_count > proto::kMaxArguments) return bad("too many arguments");
  if (request.argument_bytes > kMaxArgumentBytes) return bad("arguments are too long");
  const char* end = request.arguments + request.argument_bytes;
  const auto ends = std::count(request.arguments, end, '\0');
  if (ends != request.argument_count) return bad("argument_count does not match arguments");
  if (request.argument_bytes > 0 && end[-1] != '\0') return bad("the last argument has no end");
  const bool clean =
      std::all_of(request.arguments, end, [](char c) { return c == '\0' || is_printable(c); });
  if (!clean) return bad("arguments have control characters");
  if (!all_zero(end, request.arguments + kMaxArgumentBytes)) return bad("bytes behind arguments");
  return {};
}

Status check_start(const StartRequest& request, std::size_t descriptors) {
  TRY_VOID(check_id(request.id));
  TRY_VOID(check_text(request.tag, "tag"));
  const auto program = static_cast<ProgramId>(request.program);
  const bool kvm = (request.flags & kFlagKvm) != 0;
  if (program != ProgramId::qemu && program != ProgramId::spt && program != ProgramId::hvt) {
    return bad("unknown program");
  }
  if (program == ProgramId::spt && kvm) return bad("spt has no use for KVM");
  if (program == ProgramId::hvt && !kvm) return bad("hvt needs KVM");
  if (request.memory_max_mib == 0) return bad("memory_max_mib must be above 0");
  if (request.cpu_percent > 100 * 256) return bad("cpu_percent is out of range");
  if ((request.flags & ~std::uint32_t{kAllStartFlags}) != 0) return bad("unknown flags");
  if (request.interface_count > proto::kMaxInterfaces) return bad("too many interfaces");
  if (request.egress_count > kMaxEgressRules) return bad("too many egress rules");
  if (request.file_count > kMaxFiles) return bad("too many files");
  if (request.file_count != descriptors) return bad("file_count does not match the descriptors");
  if ((request.writable_files >> request.file_count) != 0) {
    return bad("writable_files names a file that was not passed");
  }
  if ((request.flags & kFlagEgressAny) != 0 && request.egress_count != 0) {
    return bad("egress is any and a list at once");
  }
  for (std::size_t i = 0; i < request.interface_count; ++i) {
    TRY_VOID(check_interface(request.interfaces[i]));
  }
  for (std::size_t i = 0; i < request.egress_count; ++i) TRY_VOID(check_egress(request.egress[i]));
  if (!all_zero(request.interfaces + request.interface_count, std::end(request.interfaces)) ||
      !all_zero(request.egress + request.egress_count, std::end(request.egress))) {
    return bad("bytes behind interfaces or egress");
  }
  if (request.serial_count > kMaxSerialLines) return bad("too many serial lines");
  if (request.reserved != 0) return bad("reserved must be 0");
  for (std::size_t i = 0; i < request.serial_count; ++i) {
    TRY_VOID(check_serial(request.serials[i]));
  }
  if (!all_zero(request.serials + request.serial_count, std::end(request.serials))) {
    return bad("bytes behind serials");
  }
  return check_arguments(request);
}

Status check_publish(const PublishRequest& request) {
  if (request.count > kMaxPublishedInAll) return bad("too many published ports");
  if (request.reserved != 0) return bad("reserved must be 0");
  for (std::size_t i = 0; i < request.count; ++i) {
    const WirePort& port = request.ports[i];
    const auto protocol = static_cast<Protocol>(port.protocol);
    if (protocol != Protocol::tcp && protocol != Protocol::udp) {
      return bad("port.protocol must be tcp or udp");
    }
    if (port.host_port == 0 || port.guest_port == 0) return bad("port numbers must be 1 to 65535");
    if (port.host_address != 0 && !is_unicast(Ipv4{port.host_address})) {
      return bad("port.host_address must be unicast or any");
    }
    if (!is_unicast(Ipv4{port.guest_address})) return bad("port.guest_address must be unicast");
    if (!all_zero(port.reserved, std::end(port.reserved))) return bad("reserved must be 0");
  }
  return {};
}

Status check_flush(const FlushRequest& request) {
  if (request.count > kMaxFlowsAtOnce) return bad("too many flows");
  if (request.reserved != 0) return bad("reserved must be 0");
  for (std::size_t i = 0; i < request.count; ++i) {
    const WireFlow& flow = request.flows[i];
    const auto protocol = static_cast<Protocol>(flow.protocol);
    if (protocol != Protocol::tcp && protocol != Protocol::udp) {
      return bad("flow.protocol must be tcp or udp");
    }
    if (flow.host_port == 0) return bad("flow.host_port must be 1 to 65535");
    if (flow.guest_address != 0 && !is_unicast(Ipv4{flow.guest_address})) {
      return bad("flow.guest_address must be unicast or none");
    }
    if (flow.reserved != 0) return bad("reserved must be 0");
  }
  return {};
}

Status check_bypasses(const BypassRequest& request) {
  if (request.count > kMaxBypasses) return bad("too many bypasses");
  if (request.reserved != 0) return bad("reserved must be 0");
  for (std::size_t i = 0; i < request.count; ++i) {
    for (const auto& bridge : request.bypasses[i].bridges) {
      TRY_VOID(check_text(bridge, "bypass.bridge"));
      if (!is_interface_name(field_text(bridge))) return bad("bypass.bridge is no name");
    }
    const auto& [one, other] = request.bypasses[i].bridges;
    if (field_text(one) == field_text(other)) return bad("bypass.bridges are one and the same");
  }
  if (!all_zero(request.bypasses + request.count, std::end(request.bypasses))) {
    return bad("bytes behind bypasses");
  }
  return {};
}

std::size_t size_of(Operation operation) {
  switch (operation) {
    case Operation::info:
    case Operation::events: return sizeof(InfoRequest);
    case Operation::list: return sizeof(ListRequest);
    case Operation::start: return sizeof(StartRequest);
    case Operation::stop: return sizeof(StopRequest);
    case Operation::kill:
    case Operation::remove:
    case Operation::read_report: return sizeof(IdRequest);
    case Operation::set_ports: return sizeof(SetPortsRequest);
    case Operation::hand_over: return sizeof(HandOverRequest);
    case Operation::bypass: return sizeof(BypassRequest);
    case Operation::publish: return sizeof(PublishRequest);
    case Operation::flush_flows: return sizeof(FlushRequest);
    case Operation::read_console: return sizeof(ReadConsoleRequest);
  }
  return 0;
}

/// A packet may lie anywhere: copied, because the structs need their alignment.
template <typename Request>
std::unique_ptr<Request> copy_of(const void* bytes) {
  auto request = std::make_unique<Request>();
  std::memcpy(request.get(), bytes, sizeof(Request));
  return request;
}

Status check_body(Operation operation, const void* bytes, std::size_t descriptors) {
  switch (operation) {
    case Operation::info:
    case Operation::events: return {};
    case Operation::list: {
      const auto request = copy_of<ListRequest>(bytes);
      if (request->first_slot >= proto::kMaxInstances) {
        return bad("first_slot must be below " + std::to_string(proto::kMaxInstances));
      }
      return request->reserved == 0 ? Status() : bad("reserved must be 0");
    }
    case Operation::start: return check_start(*copy_of<StartRequest>(bytes), descriptors);
    case Operation::kill:
    case Operation::remove:
    case Operation::read_report: return check_id(copy_of<IdRequest>(bytes)->id);
    case Operation::publish: return check_publish(*copy_of<PublishRequest>(bytes));
    case Operation::flush_flows: return check_flush(*copy_of<FlushRequest>(bytes));
    case Operation::bypass: return check_bypasses(*copy_of<BypassRequest>(bytes));
    case Operation::read_console: return check_id(copy_of<ReadConsoleRequest>(bytes)->id);
    case Operation::hand_over: {
      const auto request = copy_of<HandOverRequest>(bytes);
      TRY_VOID(check_id(request->from));
      TRY_VOID(check_id(request->to));
      const bool same = std::memcmp(request->from, request->to, proto::kIdLength) == 0;
      return same ? Status(bad("from and to are one and the same")) : Status();
    }
    case Operation::stop: {
      const auto request = copy_of<StopRequest>(bytes);
      if (request->grace_ms > kMaxGraceMs) return bad("grace_ms is at most 600000");
      if (request->reserved != 0) return bad("reserved must be 0");
      return check_id(request->id);
    }
    case Operation::set_ports: {
      const auto request = copy_of<SetPortsRequest>(bytes);
      if (request->up > 1) return bad("up must be 0 or 1");
      if (request->reserved != 0) return bad("reserved must be 0");
      return check_id(request->id);
    }
  }
  return bad("unknown operation");
}

}  // namespace

bool is_instance_id(std::string_view text) {
  return text.size() == proto::kIdLength && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
         });
}

bool is_interface_name(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || text.size() >= kInterfaceNameBytes || !is_letter(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&is_letter](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
  });
}

proto::Result<Operation> check_request(const void* bytes, std::size_t size,
                                       std::size_t descriptors) {
  RequestHeader header;
  if (size < sizeof header) return bad("shorter than its header");
  std::memcpy(&header, bytes, sizeof header);
  if (header.magic != kWireMagic) return bad("not a launcher packet");
  if (header.version != kWireVersion) {
    return bad("version " + std::to_string(header.version) + ", this launcher speaks 1; agent and"
               " launcher must come from the same package");
  }
  const auto operation = static_cast<Operation>(header.operation);
  const std::size_t expected = size_of(operation);
  if (expected == 0) return bad("unknown operation " + std::to_string(header.operation));
  if (header.size != size || size != expected) return bad("wrong size for its operation");
  if (descriptors != 0 && operation != Operation::start) return bad("descriptors are for start");
  TRY_VOID(check_body(operation, bytes, descriptors));
  return operation;
}

}  // namespace launcher
