// Devices, their groups and labels, and what they said last.
#include "controller/store_sql.h"

namespace controller {
namespace {

using soci::into;
using soci::use;

constexpr const char* kDeviceColumns =
    "SELECT id, name, public_key, enrolled_ms, certificate_until_ms, revoked, agent_version, "
    "address, facts_json, seen_ms, generation, generation_applied, report_sequence, "
    "audit_sequence, audit_hash, generation_told, ahead_ms, ahead_text, "
    "sealing_key FROM devices ";

// The columns as SOCI fills them, in the order of kDeviceColumns.
struct RawDevice {
  DeviceRow row;
  std::string facts, audit_hash;
  long long enrolled = 0, until = 0, revoked = 0, seen = 0, generation = 0, applied = 0,
            sequence = 0, audit_sequence = 0, told = 0, ahead = 0;

  /// All but the facts.
  DeviceRow take() {
    row.facts.Clear();
    row.enrolled_ms = enrolled;
    row.certificate_until_ms = until;
    row.revoked = revoked != 0;
    row.seen_ms = seen;
    row.generation = generation;
    row.generation_applied = applied;
    row.report_sequence = sequence;
    row.audit_head.set_sequence(static_cast<std::uint64_t>(audit_sequence));
    row.audit_head.set_hash(audit_hash);
    row.generation_told = told;
    row.ahead_ms = ahead;
    return row;
  }
};

void bind(Statement& statement, RawDevice& raw) {
  statement.bind(into(raw.row.id));
  statement.bind(into(raw.row.name));
  statement.bind(into(raw.row.public_key));
  statement.bind(into(raw.enrolled));
  statement.bind(into(raw.until));
  statement.bind(into(raw.revoked));
  statement.bind(into(raw.row.agent_version));
  statement.bind(into(raw.row.address));
  statement.bind(into(raw.facts));
  statement.bind(into(raw.seen));
  statement.bind(into(raw.generation));
  statement.bind(into(raw.applied));
  statement.bind(into(raw.sequence));
  statement.bind(into(raw.audit_sequence));
  statement.bind(into(raw.audit_hash));
  statement.bind(into(raw.told));
  statement.bind(into(raw.ahead));
  statement.bind(into(raw.row.ahead_text));
  statement.bind(into(raw.row.sealing_key));
}

// in     read_facts(row, json): how a row comes to its facts
template <typename ReadFacts>
std::vector<DeviceRow> select(Store::Session& session, const std::string& where,
                              const std::string* value, const ReadFacts& read_facts) {
  RawDevice raw;
  Statement statement(session, kDeviceColumns + where);
  bind(statement, raw);
  if (value != nullptr) statement.bind(use(*value));
  statement.start();
  std::vector<DeviceRow> rows;
  while (statement.fetch()) read_facts(rows.emplace_back(raw.take()), raw.facts);
  return rows;
}

std::optional<DeviceRow> first(std::vector<DeviceRow> rows) {
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

// Groups and labels of one device, or of all.
void add_memberships(Store::Session& session, std::map<std::string, Subject>& subjects,
                     const std::string& where) {
  std::string id;
  std::string name;
  std::string value;
  Statement groups(session, "SELECT device_id, group_name FROM device_groups " + where +
                                " ORDER BY device_id, group_name");
  groups.start(into(id), into(name));
  while (groups.fetch()) {
    const auto found = subjects.find(id);
    if (found != subjects.end()) found->second.groups.push_back(name);
  }
  Statement labels(session, "SELECT device_id, name, value FROM device_labels " + where);
  labels.start(into(id), into(name), into(value));
  while (labels.fetch()) {
    const auto found = subjects.find(id);
    if (found != subjects.end()) found->second.labels[name] = value;
  }
}

}  // namespace

std::optional<std::set<std::string>> Store::take_changed_devices() {
  return std::exchange(changed_devices_, std::set<std::string>());
}

Status Store::add_device(const DeviceRow& device) {
  const long long enrolled = device.enrolled_ms;
  const long long until = device.certificate_until_ms;
  if (changed_devices_) changed_devices_->insert(device.id);
  return guard("adding a device", [&] {
    const std::string facts = as_json(device.facts);
    session_->run("INSERT INTO devices (id, name, public_key, enrolled_ms, certificate_until_ms, "
                  "facts_json) VALUES (:i,:n,:k,:e,:u,:f)",
                  use(device.id), use(device.name), use(device.public_key), use(enrolled),
                  use(until), use(facts));
  });
}

Result<std::optional<DeviceRow>> Store::device(std::string_view id) {
  const std::string value(id);
  const auto facts = [this](DeviceRow& row, const std::string& json) { read_facts(row, json); };
  return guard("reading a device",
               [&] { return first(select(*session_, "WHERE id = :v", &value, facts)); });
}

Result<std::optional<MemberRow>> Store::member(std::string_view id) {
  const std::string value(id);
  return guard("reading a device", [&]() -> std::optional<MemberRow> {
    MemberRow row;
    long long revoked = 0;
    const bool found = session_->run("SELECT name, address, revoked FROM devices WHERE id = :i",
                                     use(value), into(row.name), into(row.address), into(revoked));
    if (!found) return std::nullopt;
    row.revoked = revoked != 0;
    return row;
  });
}

Result<std::optional<DeviceRow>> Store::device_by_name(std::string_view name) {
  const std::string value(name);
  const auto facts = [this](DeviceRow& row, const std::string& json) { read_facts(row, json); };
  return guard("reading a device",
               [&] { return first(select(*session_, "WHERE name = :v", &value, facts)); });
}

Result<std::vector<DeviceRow>> Store::devices(bool with_revoked) {
  const std::string where = with_revoked ? "ORDER BY name" : "WHERE revoked = 0 ORDER BY name";
  const auto facts = [this](DeviceRow& row, const std::string& json) { read_facts(row, json); };
  return guard("reading the devices",
               [&] { return select(*session_, where, nullptr, facts); });
}

Result<std::vector<DeviceRow>> Store::ahead_devices() {
  return guard("reading what is ahead", [&] {
    const auto facts = [this](DeviceRow& row, const std::string& json) { read_facts(row, json); };
    return select(*session_, "WHERE revoked = 0 AND ahead_ms > 0", nullptr, facts);
  });
}

Result<std::vector<Subject>> Store::subjects() {
  return guard("reading groups and labels", [&] {
    std::map<std::string, Subject> found;
    std::vector<std::string> order;
    Subject subject;
    Statement devices(*session_, "SELECT id, name FROM devices WHERE revoked = 0 ORDER BY name");
    devices.start(into(subject.id), into(subject.name));
    while (devices.fetch()) {
      found[subject.id] = Subject{subject.id, subject.name, {}, {}};
      order.push_back(subject.id);
    }
    add_memberships(*session_, found, "");
    std::vector<Subject> out;
    out.reserve(order.size());
    for (const std::string& id : order) out.push_back(std::move(found[id]));
    return out;
  });
}

Result<Subject> Store::subject(std::string_view id) {
  const std::string value(id);
  return guard("reading groups and labels", [&] {
    Subject out;
    out.id = value;
    session_->run("SELECT name FROM devices WHERE id = :i", use(value), into(out.name));
    std::string group;
    Statement groups(*session_,
                     "SELECT group_name FROM device_groups WHERE device_id = :i "
                     "ORDER BY group_name");
    groups.start(use(value), into(group));
    while (groups.fetch()) out.groups.push_back(group);
    std::string name;
    std::string text;
    Statement labels(*session_, "SELECT name, value FROM device_labels WHERE device_id = :i");
    labels.start(use(value), into(name), into(text));
    while (labels.fetch()) out.labels[name] = text;
    return out;
  });
}

Result<DeviceCounts> Store::count_devices(std::int64_t now_ms, std::int64_t ending_ms) {
  const long long hour = now_ms - 3'600'000;
  const long long day = now_ms - 86'400'000;
  const long long ending = ending_ms;
  return guard("counting the devices", [&] {
    long long all = 0;
    long long silent_hour = 0;
    long long silent_day = 0;
    long long certificates = 0;
    long long first = 0;
    long long ahead = 0;
    session_->run("SELECT COUNT(*), COALESCE(SUM(ahead_ms > 0), 0), COALESCE(SUM(seen_ms < :h), "
                  "0), COALESCE(SUM(seen_ms < :d), 0), COALESCE(SUM(certificate_until_ms < :e), "
                  "0), COALESCE(MIN(certificate_until_ms), 0) FROM devices WHERE revoked = 0",
                  use(hour), use(day), use(ending), into(all), into(ahead), into(silent_hour),
                  into(silent_day), into(certificates), into(first));
    return DeviceCounts{all, silent_hour, silent_day, certificates, first, ahead};
  });
}

// What is held is newer than the file, and as bytes a tenth of the work of its JSON.
void Store::read_facts(DeviceRow& row, const std::string& json) const {
  const auto held = facts_.find(row.id);
  if (held == facts_.end()) return read_json(json, row.facts);
  FLEET_ASSERT(row.facts.ParseFromString(held->second.bytes));
  row.seen_ms = held->second.seen_ms;
}

Status Store::set_facts(std::string_view id, const v1::Telemetry& facts, std::int64_t seen_ms) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  const long long seen = seen_ms;
  const Status written = guard("writing a device's facts", [&] {
    const std::string text = as_json(facts);
    session_->run("UPDATE devices SET facts_json = :f, seen_ms = :s WHERE id = :i", use(text),
                  use(seen), use(i));
  });
  if (!written || !hold_facts(id, facts, seen_ms)) {
    facts_.erase(i);
    return written;
  }
  facts_.at(i).written = true;
  if (session_->in_transaction) facts_of_transaction_.insert(i);
  return {};
}

bool Store::hold_facts(std::string_view id, const v1::Telemetry& facts, std::int64_t seen_ms) {
  if (facts.ByteSizeLong() > kFactsInMemoryBytes) return false;
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  HeldFacts& held = facts_[i];
  held.bytes = facts.SerializeAsString();
  held.seen_ms = seen_ms;
  held.written = false;
  return true;
}

Status Store::let_go_facts(std::string_view id, std::int64_t seen_ms) {
  const std::string i(id);
  const auto held = facts_.find(i);
  if (held != facts_.end() && !held->second.written) {
    v1::Telemetry facts;
    FLEET_ASSERT(facts.ParseFromString(held->second.bytes));
    TRY_VOID(set_facts(id, facts, seen_ms));
  } else {
    const long long seen = seen_ms;
    TRY_VOID(guard("writing when a device was seen", [&] {
      session_->run("UPDATE devices SET seen_ms = :s WHERE id = :i", use(seen), use(i));
    }));
  }
  if (changed_devices_) changed_devices_->insert(i);
  facts_.erase(i);
  return {};
}

Status Store::set_hello(std::string_view id, std::string_view agent_version,
                        std::string_view address, std::int64_t generation_applied) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  const std::string v(agent_version);
  const std::string a(address);
  const long long g = generation_applied;
  return guard("writing a Hello", [&] {
    session_->run("UPDATE devices SET agent_version = :v, address = :a, generation_applied = :g "
                  "WHERE id = :i",
                  use(v), use(a), use(g), use(i));
  });
}

Status Store::set_report_sequence(std::string_view id, std::int64_t sequence,
                                  std::int64_t generation_applied) {
  const std::string i(id);
  const long long s = sequence;
  const long long g = generation_applied;
  return guard("writing a report's number", [&] {
    session_->run("UPDATE devices SET report_sequence = :s, generation_applied = "
                  "MAX(generation_applied, :g) WHERE id = :i",
                  use(s), use(g), use(i));
  });
}

Status Store::set_certificate(std::string_view id, std::string_view public_key,
                              std::int64_t until_ms) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  const std::string k(public_key);
  const long long until = until_ms;
  return guard("writing a certificate", [&] {
    session_->run("UPDATE devices SET public_key = :k, certificate_until_ms = :u WHERE id = :i",
                  use(k), use(until), use(i));
  });
}

Status Store::revoke_device(std::string_view id) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  // The name is free again for another device; the row stays, so that the certificate is known.
  return guard("revoking a device", [&] {
    session_->run("UPDATE devices SET revoked = 1, name = name || '~' || id WHERE id = :i AND "
                  "revoked = 0",
                  use(i));
    session_->run("DELETE FROM desired WHERE device_id = :i", use(i));
    session_->run("DELETE FROM config_values WHERE device_id = :i", use(i));
    session_->run("DELETE FROM config_before WHERE device_id = :i", use(i));
  });
}

Status Store::add_group(std::string_view id, std::string_view group) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  const std::string g(group);
  return guard("adding to a group", [&] {
    session_->run("INSERT INTO device_groups (device_id, group_name) VALUES (:i,:g) ON CONFLICT "
                  "DO NOTHING",
                  use(i), use(g));
  });
}

Status Store::set_label(std::string_view id, std::string_view name, std::string_view value) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  const std::string n(name);
  const std::string v(value);
  return guard("setting a label", [&] {
    session_->run("INSERT INTO device_labels (device_id, name, value) VALUES (:i,:n,:v) ON "
                  "CONFLICT (device_id, name) DO UPDATE SET value = excluded.value",
                  use(i), use(n), use(v));
  });
}

Status Store::remove_label(std::string_view id, std::string_view name) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  const std::string n(name);
  return guard("removing a label", [&] {
    session_->run("DELETE FROM device_labels WHERE device_id = :i AND name = :n", use(i), use(n));
  });
}

}  // namespace controller
