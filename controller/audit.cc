#include "controller/audit.h"

#include <algorithm>
#include <utility>

#include "ota/audit_chain.h"
#include "proto/log.h"
#include "proto/utf8.h"

namespace controller {
namespace {

// At most so many bytes, whole characters, none of them a control character.
std::string bounded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(proto::utf8_length(text), 1);
    if (out.size() + length > kMaxAuditDetail) break;
    const auto first = static_cast<unsigned char>(text.front());
    const bool plain = proto::utf8_length(text) > 0 && first >= 0x20 && first != 0x7f;
    out += plain ? text.substr(0, length) : std::string_view(" ");
    text.remove_prefix(length);
  }
  return out;
}

// Without the port, which says nothing tomorrow.
std::string host_of(const std::string& address) {
  if (address.starts_with('[')) return address.substr(1, address.find(']') - 1);
  return address.substr(0, address.find(':') == address.rfind(':') ? address.find(':')
                                                                     : std::string::npos);
}

}  // namespace

Status append_audit(Store& store, std::int64_t wall_ms, const Change& change) {
  TRY(const v1::AuditHead head, store.audit_head());
  v1::AuditEntry entry;
  entry.set_sequence(head.sequence() + 1);
  entry.set_at_ms(static_cast<std::uint64_t>(std::max<std::int64_t>(wall_ms, 0)));
  entry.set_who(bounded(change.who));
  entry.set_from(bounded(host_of(change.from)));
  entry.set_action(change.action);
  entry.set_object(bounded(change.object));
  entry.set_detail(bounded(change.detail));
  entry.set_hash(ota::audit_hash(
      head.sequence() == 0 ? ota::kAuditStart : std::string_view(head.hash()), entry));
  return store.add_audit(entry);
}

Status Audit::record(Change change) {
  if (change.from.empty()) {
    const auto found = from_.find(change.who);
    if (found != from_.end()) change.from = found->second;
  }
  return append_audit(store_, clock_.wall_ms(), change);
}

void Audit::refused(const std::string& address) {
  ++refused_count_;
  refused_from_ = address;
  const Status told = tend();
  if (!told) proto::log_error("audit.not_written", {{"why", told.error().what}});
}

Status Audit::tend() {
  if (refused_count_ == 0 || clock_.now_ms() - told_ms_ < kRefusedEveryMs) return {};
  Store::Transaction transaction(store_);
  TRY_VOID(record({"", "login.refused", "",
                   std::to_string(refused_count_) +
                       (refused_count_ == 1 ? " request" : " requests") +
                       " without a token that is known here", refused_from_}));
  TRY_VOID(transaction.commit());
  proto::log_warning("login.refused", {{"requests", refused_count_}, {"from", refused_from_}});
  refused_count_ = 0;
  told_ms_ = clock_.now_ms();
  return {};
}

}  // namespace controller
