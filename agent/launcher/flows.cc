// Conntrack: dump IPv4, pick what was translated from a published port to an old guest, delete it.
#include "agent/launcher/flows.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace launcher {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;

struct HandleClose {
  void operator()(nfct_handle* handle) const { nfct_close(handle); }
};
struct EntryDestroy {
  void operator()(nf_conntrack* entry) const { nfct_destroy(entry); }
};
using Handle = std::unique_ptr<nfct_handle, HandleClose>;
using Entry = std::unique_ptr<nf_conntrack, EntryDestroy>;

struct Match {
  Entry entry;
  WireFlow flow;
};
struct Picked {
  const std::vector<WireFlow>* wanted;
  std::vector<Match> matches;
};

/// Nobody translated it and nobody answered: a question that came before the port was published.
bool leads_nowhere(const nf_conntrack* entry) {
  return nfct_get_attr_u32(entry, ATTR_REPL_IPV4_SRC) ==
             nfct_get_attr_u32(entry, ATTR_ORIG_IPV4_DST) &&
         nfct_get_attr_u32(entry, ATTR_REPL_IPV4_DST) ==
             nfct_get_attr_u32(entry, ATTR_ORIG_IPV4_SRC) &&
         (nfct_get_attr_u32(entry, ATTR_STATUS) & IPS_SEEN_REPLY) == 0;
}

/// The original direction still names the host's port; the reply comes from the guest.
bool is_stale(const nf_conntrack* entry, const WireFlow& flow) {
  const bool of_port = nfct_get_attr_u8(entry, ATTR_ORIG_L4PROTO) == flow.protocol &&
                       ntohs(nfct_get_attr_u16(entry, ATTR_ORIG_PORT_DST)) == flow.host_port;
  if (!of_port) return false;
  if (flow.guest_address == 0) return leads_nowhere(entry);
  return ntohl(nfct_get_attr_u32(entry, ATTR_REPL_IPV4_SRC)) == flow.guest_address &&
         ntohl(nfct_get_attr_u32(entry, ATTR_ORIG_IPV4_DST)) != flow.guest_address;
}

int pick(nf_conntrack_msg_type, nf_conntrack* entry, void* data) {
  auto* picked = static_cast<Picked*>(data);
  const auto wanted =
      std::find_if(picked->wanted->begin(), picked->wanted->end(),
                   [entry](const WireFlow& flow) { return is_stale(entry, flow); });
  if (wanted == picked->wanted->end()) return NFCT_CB_CONTINUE;
  picked->matches.push_back({Entry(entry), *wanted});
  return NFCT_CB_STOLEN;
}

Error failed(const char* what) {
  return Error{Code::launcher, std::string(what) + ": " + std::strerror(errno), ""};
}

Result<std::vector<Match>> dump_flows(const std::vector<WireFlow>& flows) {
  Picked picked{&flows, {}};
  if (flows.empty()) return std::move(picked.matches);
  const Handle dump(nfct_open(CONNTRACK, 0));
  if (dump == nullptr) return failed("conntrack");
  nfct_callback_register(dump.get(), NFCT_T_ALL, pick, &picked);
  const std::uint32_t family = AF_INET;
  if (nfct_query(dump.get(), NFCT_Q_DUMP, &family) != 0) return failed("conntrack dump");
  return std::move(picked.matches);
}

}  // namespace

Result<std::vector<StaleFlow>> find_flows(const std::vector<WireFlow>& flows) {
  TRY(const std::vector<Match> matches, dump_flows(flows));
  std::vector<StaleFlow> found;
  for (const Match& match : matches) {
    const nf_conntrack* entry = match.entry.get();
    found.push_back({Ipv4{ntohl(nfct_get_attr_u32(entry, ATTR_ORIG_IPV4_SRC))},
                     ntohs(nfct_get_attr_u16(entry, ATTR_ORIG_PORT_SRC)),
                     Ipv4{ntohl(nfct_get_attr_u32(entry, ATTR_ORIG_IPV4_DST))}, match.flow});
  }
  return found;
}

Result<std::uint32_t> delete_flows(const std::vector<WireFlow>& flows) {
  TRY(const std::vector<Match> matches, dump_flows(flows));
  const Handle remove(nfct_open(CONNTRACK, 0));
  if (remove == nullptr) return failed("conntrack");
  std::uint32_t deleted = 0;
  for (const Match& match : matches) {
    if (nfct_query(remove.get(), NFCT_Q_DESTROY, match.entry.get()) == 0) {
      ++deleted;
    } else if (errno != ENOENT) {
      return failed("conntrack delete");
    }
  }
  return deleted;
}

}  // namespace launcher
