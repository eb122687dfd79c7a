// Conntrack: dump IPv4, pick what was translated from a published port to an old guest, delete it.
#include "agent/launcher/flows.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace launcher {
namespace {

using proto::Code;
using proto::Error;

struct HandleClose {
  void operator()(nfct_handle* handle) const { nfct_close(handle); }
};
struct EntryDestroy {
  void operator()(nf_conntrack* entry) const { nfct_destroy(entry); }
};
using Handle = std::unique_ptr<nfct_handle, HandleClose>;
using Entry = std::unique_ptr<nf_conntrack, EntryDestroy>;

struct Picked {
  const std::vector<WireFlow>* wanted;
  std::vector<Entry> entries;
};

bool matches(const nf_conntrack* entry, const WireFlow& flow) {
  // The original direction still names the host's port; the reply comes from the guest.
  return nfct_get_attr_u8(entry, ATTR_ORIG_L4PROTO) == flow.protocol &&
         ntohs(nfct_get_attr_u16(entry, ATTR_ORIG_PORT_DST)) == flow.host_port &&
         ntohl(nfct_get_attr_u32(entry, ATTR_REPL_IPV4_SRC)) == flow.guest_address &&
         ntohl(nfct_get_attr_u32(entry, ATTR_ORIG_IPV4_DST)) != flow.guest_address;
}

/// True while the guest owes an answer: more packets in than out. Without counters, never.
bool is_waiting(const nf_conntrack* entry) {
  return nfct_get_attr_u64(entry, ATTR_ORIG_COUNTER_PACKETS) >
         nfct_get_attr_u64(entry, ATTR_REPL_COUNTER_PACKETS);
}

int pick(nf_conntrack_msg_type, nf_conntrack* entry, void* data) {
  auto* picked = static_cast<Picked*>(data);
  const bool wanted = std::any_of(picked->wanted->begin(), picked->wanted->end(),
                                  [entry](const WireFlow& flow) { return matches(entry, flow); });
  if (!wanted) return NFCT_CB_CONTINUE;
  picked->entries.emplace_back(entry);
  return NFCT_CB_STOLEN;
}

Error failed(const char* what) {
  return Error{Code::launcher, std::string(what) + ": " + std::strerror(errno), ""};
}

proto::Status dump_flows(Picked& picked) {
  const Handle dump(nfct_open(CONNTRACK, 0));
  if (dump == nullptr) return failed("conntrack");
  nfct_callback_register(dump.get(), NFCT_T_ALL, pick, &picked);
  const std::uint32_t family = AF_INET;
  if (nfct_query(dump.get(), NFCT_Q_DUMP, &family) != 0) return failed("conntrack dump");
  return {};
}

}  // namespace

proto::Result<std::uint32_t> flush_flows(const std::vector<WireFlow>& flows) {
  if (flows.empty()) return std::uint32_t{0};
  const Handle remove(nfct_open(CONNTRACK, 0));
  if (remove == nullptr) return failed("conntrack");
  std::uint32_t deleted = 0;
  for (int round = 0; round <= kFlushPatienceMs; ++round) {
    const bool patient = round < kFlushPatienceMs;
    Picked picked{&flows, {}};
    TRY_VOID(dump_flows(picked));
    bool waiting = false;
    for (const Entry& entry : picked.entries) {
      if (patient && is_waiting(entry.get())) {
        waiting = true;
        continue;
      }
      if (nfct_query(remove.get(), NFCT_Q_DESTROY, entry.get()) == 0) {
        ++deleted;
      } else if (errno != ENOENT) {
        return failed("conntrack delete");
      }
    }
    if (!waiting) break;
    ::usleep(1000);
  }
  return deleted;
}

}  // namespace launcher
