// rtnetlink by libmnl: one request, one answer.
#include "agent/launcher/links.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/launcher/messages.h"

namespace launcher {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::size_t kBufferBytes = 32 * 1024;  // a dump's answer comes in packets up to this

/// A request in the making, with room for every message below.
struct Message {
  alignas(8) std::array<char, 2048> buffer{};
  nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());

  Message(std::uint16_t type, int flags) {
    header->nlmsg_type = type;
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  }
  template <typename Extra>
  Extra* extra() {
    return static_cast<Extra*>(mnl_nlmsg_put_extra_header(header, sizeof(Extra)));
  }
};

Error failed(const std::string& what) {
  const Code code = errno == EEXIST ? Code::already_exists : Code::launcher;
  return Error{code, what + ": " + std::strerror(errno), ""};
}

std::string text_of(const nlattr* attribute) {
  const char* text = mnl_attr_get_str(attribute);
  return {text, ::strnlen(text, mnl_attr_get_payload_len(attribute))};
}

int read_kind(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND) {
    static_cast<Link*>(data)->kind = text_of(attribute);
  }
  return MNL_CB_OK;
}

int read_link_attribute(const nlattr* attribute, void* data) {
  auto* link = static_cast<Link*>(data);
  switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME: link->name = text_of(attribute); break;
    case IFLA_MTU: link->mtu = mnl_attr_get_u32(attribute); break;
    case IFLA_MASTER: link->master = mnl_attr_get_u32(attribute); break;
    case IFLA_IFALIAS: link->ours = text_of(attribute) == kLinkAlias; break;
    case IFLA_LINKINFO: return mnl_attr_parse_nested(attribute, read_kind, data);
    default: break;
  }
  return MNL_CB_OK;
}

int read_link(const nlmsghdr* header, void* data) {
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(header));
  Link link;
  link.index = static_cast<std::uint32_t>(info->ifi_index);
  mnl_attr_parse(header, sizeof(ifinfomsg), read_link_attribute, &link);
  static_cast<std::vector<Link>*>(data)->push_back(std::move(link));
  return MNL_CB_OK;
}

struct Route {
  Subnet destination;
  std::uint32_t link = 0;
};

int read_route_attribute(const nlattr* attribute, void* data) {
  auto* route = static_cast<Route*>(data);
  if (mnl_attr_get_type(attribute) == RTA_DST) {
    route->destination.address.value = ntohl(mnl_attr_get_u32(attribute));
  } else if (mnl_attr_get_type(attribute) == RTA_OIF) {
    route->link = mnl_attr_get_u32(attribute);
  }
  return MNL_CB_OK;
}

int read_route(const nlmsghdr* header, void* data) {
  const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(header));
  if (info->rtm_family != AF_INET || info->rtm_type != RTN_UNICAST) return MNL_CB_OK;
  Route route;
  route.destination.prefix = info->rtm_dst_len;
  mnl_attr_parse(header, sizeof(rtmsg), read_route_attribute, &route);
  static_cast<std::vector<Route>*>(data)->push_back(route);
  return MNL_CB_OK;
}

/// No IPv6 on links that carry only guests' IPv4: the host would talk to them by itself.
void disable_ipv6(const std::string& name) {
  const std::string path = "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6";
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return;  // a kernel without IPv6
  [[maybe_unused]] const ssize_t written = ::write(fd.get(), "1", 1);
}

/// A bridge takes the lowest address of its ports for its own, where none was set: one that comes
/// and goes must not be that, or the host's neighbours would lose it.
MacAddress port_mac() {
  MacAddress mac;
  const ssize_t got = ::getrandom(mac.bytes.data(), mac.bytes.size(), 0);
  FLEET_ASSERT(got == static_cast<ssize_t>(mac.bytes.size()));
  mac.bytes[0] = 0xfe;
  return mac;
}

}  // namespace

Links::~Links() {
  if (socket_ != nullptr) mnl_socket_close(socket_);
}

Status Links::open() {
  socket_ = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (socket_ == nullptr) return failed("netlink socket");
  if (mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) != 0) return failed("netlink bind");
  return {};
}

namespace {

/// Sends and reads until the kernel's end or acknowledgement. 0, or -1 with errno.
int exchange(mnl_socket* socket, nlmsghdr* message, mnl_cb_t callback, void* data) {
  if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0) return -1;
  std::array<char, kBufferBytes> buffer;
  const unsigned port = mnl_socket_get_portid(socket);
  for (;;) {
    const ssize_t got = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
    if (got < 0) return -1;
    const int result = mnl_cb_run(buffer.data(), static_cast<std::size_t>(got),
                                  message->nlmsg_seq, port, callback, data);
    if (result <= MNL_CB_STOP) return result < 0 ? -1 : 0;
  }
}

}  // namespace

Status Links::talk(nlmsghdr* message, const char* what) {
  message->nlmsg_seq = ++sequence_;
  if (exchange(socket_, message, nullptr, nullptr) != 0) return failed(what);
  return {};
}

Result<std::vector<Link>> Links::list() {
  Message message(RTM_GETLINK, NLM_F_DUMP);
  message.extra<ifinfomsg>()->ifi_family = AF_UNSPEC;
  message.header->nlmsg_seq = ++sequence_;
  std::vector<Link> links;
  if (exchange(socket_, message.header, read_link, &links) != 0) return failed("listing links");
  return links;
}

Result<std::optional<Link>> Links::find(const std::string& name) {
  // Not from the list: with a tap for each of many guests that is long.
  Message message(RTM_GETLINK, 0);
  message.extra<ifinfomsg>()->ifi_family = AF_UNSPEC;
  mnl_attr_put_strz(message.header, IFLA_IFNAME, name.c_str());
  message.header->nlmsg_seq = ++sequence_;
  std::vector<Link> links;
  if (exchange(socket_, message.header, read_link, &links) != 0) {
    if (errno == ENODEV) return std::optional<Link>();
    return failed("looking for link " + name);
  }
  return links.empty() ? std::optional<Link>() : std::optional<Link>(links.front());
}

Result<std::string> Links::route_into(const Subnet& subnet, const std::string& own) {
  Message message(RTM_GETROUTE, NLM_F_DUMP);
  message.extra<rtmsg>()->rtm_family = AF_INET;
  message.header->nlmsg_seq = ++sequence_;
  std::vector<Route> routes;
  if (exchange(socket_, message.header, read_route, &routes) != 0) return failed("listing routes");
  TRY(const std::vector<Link> links, list());
  for (const Route& route : routes) {
    if (route.destination.prefix == 0) continue;
    const bool overlaps = subnet.contains(route.destination.address) ||
                          route.destination.contains(subnet.address);
    if (!overlaps) continue;
    for (const Link& link : links) {
      if (link.index == route.link && link.name != own) return link.name;
    }
  }
  return std::string();
}

Status Links::make_bridge(const BridgeSpec& bridge) {
  Message create(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  create.extra<ifinfomsg>()->ifi_family = AF_UNSPEC;
  mnl_attr_put_strz(create.header, IFLA_IFNAME, bridge.name.c_str());
  mnl_attr_put(create.header, IFLA_ADDRESS, 6, bridge.mac.bytes.data());
  mnl_attr_put_u32(create.header, IFLA_MTU, 1500);
  nlattr* info = mnl_attr_nest_start(create.header, IFLA_LINKINFO);
  mnl_attr_put_strz(create.header, IFLA_INFO_KIND, "bridge");
  mnl_attr_nest_end(create.header, info);
  TRY_VOID(talk(create.header, "making the bridge"));

  Message alias(RTM_SETLINK, 0);
  alias.extra<ifinfomsg>()->ifi_index = static_cast<int>(::if_nametoindex(bridge.name.c_str()));
  mnl_attr_put_strz(alias.header, IFLA_IFALIAS, kLinkAlias);
  TRY_VOID(talk(alias.header, "marking the bridge"));
  disable_ipv6(bridge.name);

  Message address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  auto* body = address.extra<ifaddrmsg>();
  body->ifa_family = AF_INET;
  body->ifa_prefixlen = bridge.prefix;
  body->ifa_index = ::if_nametoindex(bridge.name.c_str());
  mnl_attr_put_u32(address.header, IFA_LOCAL, htonl(bridge.address.value));
  mnl_attr_put_u32(address.header, IFA_ADDRESS, htonl(bridge.address.value));
  TRY_VOID(talk(address.header, "giving the bridge its address"));
  return set_up(bridge.name, true);
}

Result<Link> Links::find_bridge(const std::string& name) {
  TRY(const std::optional<Link> bridge, find(name));
  if (bridge && bridge->kind == "bridge") return *bridge;
  return Error{Code::not_found, "the host has no bridge " + name, ""};
}

Status Links::enslave(const std::string& name, const Link& bridge, const char* what) {
  Message message(RTM_SETLINK, 0);
  message.extra<ifinfomsg>()->ifi_index = static_cast<int>(::if_nametoindex(name.c_str()));
  mnl_attr_put_u32(message.header, IFLA_MTU, bridge.mtu);
  mnl_attr_put_u32(message.header, IFLA_MASTER, bridge.index);
  mnl_attr_put_strz(message.header, IFLA_IFALIAS, kLinkAlias);
  const MacAddress mac = port_mac();
  mnl_attr_put(message.header, IFLA_ADDRESS, mac.bytes.size(), mac.bytes.data());
  return talk(message.header, what);
}

Status Links::isolate(std::uint32_t index) {
  Message message(RTM_SETLINK, 0);
  auto* body = message.extra<ifinfomsg>();
  body->ifi_family = AF_BRIDGE;
  body->ifi_index = static_cast<int>(index);
  nlattr* port = mnl_attr_nest_start(message.header, IFLA_PROTINFO | NLA_F_NESTED);
  mnl_attr_put_u8(message.header, IFLA_BRPORT_ISOLATED, 1);
  mnl_attr_put_u8(message.header, IFLA_BRPORT_GUARD, 1);  // no spanning tree talk from a guest
  mnl_attr_nest_end(message.header, port);
  return talk(message.header, "isolating the tap");
}

Result<Fd> Links::make_tap(const TapSpec& tap) {
  TRY(const Link bridge, find_bridge(tap.bridge));
  Fd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return failed("/dev/net/tun (is the module tun there?)");
  ifreq request{};
  tap.name.copy(request.ifr_name, IFNAMSIZ - 1);
  const int header = tap.virtio_header ? IFF_VNET_HDR : 0;
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL | header);
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) return failed("making tap " + tap.name);
  disable_ipv6(tap.name);
  TRY_VOID(enslave(tap.name, bridge, "putting the tap on its bridge"));
  if (tap.isolated) TRY_VOID(isolate(::if_nametoindex(tap.name.c_str())));
  if (tap.up) TRY_VOID(set_up(tap.name, true));
  return fd;
}

Status Links::make_cable(const CableSpec& cable) {
  std::array<Link, 2> bridges;
  for (std::size_t i = 0; i < 2; ++i) {
    TRY(bridges[i], find_bridge(cable.bridges[i]));
  }
  Message create(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  create.extra<ifinfomsg>()->ifi_family = AF_UNSPEC;
  mnl_attr_put_strz(create.header, IFLA_IFNAME, cable.names[0].c_str());
  nlattr* info = mnl_attr_nest_start(create.header, IFLA_LINKINFO);
  mnl_attr_put_strz(create.header, IFLA_INFO_KIND, "veth");
  nlattr* data = mnl_attr_nest_start(create.header, IFLA_INFO_DATA);
  nlattr* peer = mnl_attr_nest_start(create.header, VETH_INFO_PEER);
  create.extra<ifinfomsg>();
  mnl_attr_put_strz(create.header, IFLA_IFNAME, cable.names[1].c_str());
  mnl_attr_nest_end(create.header, peer);
  mnl_attr_nest_end(create.header, data);
  mnl_attr_nest_end(create.header, info);
  TRY_VOID(talk(create.header, "making a cable"));
  Status joined;
  for (std::size_t i = 0; i < 2 && joined; ++i) {
    disable_ipv6(cable.names[i]);
    joined = enslave(cable.names[i], bridges[i], "putting a cable on its bridge");
  }
  for (std::size_t i = 0; i < 2 && joined; ++i) joined = set_up(cable.names[i], true);
  if (joined) return {};
  [[maybe_unused]] const Status removed = remove(cable.names[0]);
  return joined;
}

Status Links::set_up(const std::string& name, bool up) {
  Message message(RTM_NEWLINK, 0);
  auto* body = message.extra<ifinfomsg>();
  body->ifi_index = static_cast<int>(::if_nametoindex(name.c_str()));
  body->ifi_change = IFF_UP;
  body->ifi_flags = up ? IFF_UP : 0;
  return talk(message.header, up ? "setting a link up" : "setting a link down");
}

Status Links::remove(const std::string& name) {
  const unsigned index = ::if_nametoindex(name.c_str());
  if (index == 0) return {};
  Message message(RTM_DELLINK, 0);
  message.extra<ifinfomsg>()->ifi_index = static_cast<int>(index);
  return talk(message.header, "removing a link");
}

}  // namespace launcher
