// The audit log, which is only added to, and what devices keep of its head.
#include "controller/store_sql.h"

namespace controller {
namespace {

using soci::into;
using soci::use;

// The devices whose head is not in the log and was not taken for known.
constexpr const char* kStrange =
    "FROM devices LEFT JOIN audit ON audit.sequence = devices.audit_sequence "
    "WHERE devices.revoked = 0 AND devices.audit_sequence > 0 "
    "AND devices.audit_accepted <> devices.audit_hash "
    "AND (audit.hash IS NULL OR audit.hash <> devices.audit_hash)";

}  // namespace

Status Store::add_audit(const v1::AuditEntry& entry) {
  FLEET_ASSERT(session_->in_transaction);
  const auto sequence = static_cast<long long>(entry.sequence());
  const auto at = static_cast<long long>(entry.at_ms());
  return guard("adding to the audit log", [&] {
    session_->run("INSERT INTO audit (sequence, at_ms, who, from_address, action, object, detail, "
                  "hash) VALUES (:s,:t,:w,:f,:a,:o,:d,:h)",
                  use(sequence), use(at), use(entry.who()), use(entry.from()), use(entry.action()),
                  use(entry.object()), use(entry.detail()), use(entry.hash()));
  });
}

Result<v1::AuditHead> Store::audit_head() {
  return guard("reading the audit log's end", [&] {
    v1::AuditHead head;
    long long sequence = 0;
    std::string hash;
    const bool found = session_->run("SELECT sequence, hash FROM audit "
                                     "ORDER BY sequence DESC LIMIT 1",
                                     into(sequence), into(hash));
    if (!found) return head;
    head.set_sequence(static_cast<std::uint64_t>(sequence));
    head.set_hash(hash);
    return head;
  });
}

Result<std::vector<v1::AuditEntry>> Store::audit(const AuditQuestion& question) {
  const long long before = question.before;
  const long long most = question.limit;
  return guard("reading the audit log", [&] {
    long long sequence = 0;
    long long at = 0;
    std::string who, from, action, object, detail, hash;
    // Each filter has its index: a question costs what it finds, however long the log is.
    const std::pair<const char*, const std::string&> filters[] = {
        {"who", question.who}, {"action", question.action}, {"object", question.object}};
    std::string where = "sequence < :b";
    for (const auto& [column, value] : filters) {
      if (!value.empty()) where += std::string(" AND ") + column + " = :" + column;
    }
    Statement statement(*session_,
                        "SELECT sequence, at_ms, who, from_address, action, object, detail, hash "
                        "FROM audit WHERE " + where + " ORDER BY sequence DESC LIMIT :l");
    statement.bind(use(before));
    for (const auto& [column, value] : filters) {
      if (!value.empty()) statement.bind(use(value));
    }
    statement.bind(use(most), into(sequence), into(at));
    for (std::string* const text : {&who, &from, &action, &object, &detail, &hash}) {
      statement.bind(into(*text));
    }
    statement.start();
    std::vector<v1::AuditEntry> entries;
    while (statement.fetch()) {
      v1::AuditEntry& entry = entries.emplace_back();
      entry.set_sequence(static_cast<std::uint64_t>(sequence));
      entry.set_at_ms(static_cast<std::uint64_t>(at));
      entry.set_who(who);
      entry.set_from(from);
      entry.set_action(action);
      entry.set_object(object);
      entry.set_detail(detail);
      entry.set_hash(hash);
    }
    return entries;
  });
}

Status Store::set_device_audit(std::string_view id, const v1::AuditHead& head) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  const auto sequence = static_cast<long long>(head.sequence());
  const std::string& hash = head.hash();
  return guard("writing a device's audit head", [&] {
    session_->run("UPDATE devices SET audit_sequence = :s, audit_hash = :h WHERE id = :i",
                  use(sequence), use(hash), use(i));
  });
}

Result<v1::AuditHead> Store::device_audit(std::string_view id) {
  const std::string i(id);
  return guard("reading a device's audit head", [&] {
    v1::AuditHead head;
    long long sequence = 0;
    std::string hash;
    session_->run("SELECT audit_sequence, audit_hash FROM devices WHERE id = :i", use(i),
                  into(sequence), into(hash));
    head.set_sequence(static_cast<std::uint64_t>(sequence));
    head.set_hash(hash);
    return head;
  });
}

Result<std::vector<std::string>> Store::audit_strangers() {
  return guard("comparing audit heads", [&] {
    std::string name;
    Statement statement(*session_, std::string("SELECT devices.name ") + kStrange +
                                       " ORDER BY devices.name");
    statement.start(into(name));
    std::vector<std::string> names;
    while (statement.fetch()) names.push_back(name);
    return names;
  });
}

Result<bool> Store::is_audit_stranger(std::string_view id) {
  const std::string i(id);
  return guard("comparing an audit head", [&] {
    long long count = 0;
    session_->run(std::string("SELECT COUNT(*) ") + kStrange + " AND devices.id = :i", use(i),
                  into(count));
    return count > 0;
  });
}

Status Store::accept_audit_strangers() {
  changed_devices_.reset();
  return guard("taking audit heads for known", [&] {
    session_->run(std::string("UPDATE devices SET audit_accepted = audit_hash WHERE id IN "
                              "(SELECT devices.id ") + kStrange + ")");
  });
}

}  // namespace controller
