// Values of variables: as they were set, and as they were before their newest change.
#include "controller/store_sql.h"
#include "ota/hash.h"

namespace controller {
namespace {

using soci::into;
using soci::use;

std::string stored(const ConfigRow& row) {
  if (!row.sealed) return row.value;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(row.value.data());
  return ota::to_hex(std::span(bytes, row.value.size()));
}

// Throws, behind guard(), on what is no hex.
std::string read_value(const std::string& text, bool sealed) {
  if (!sealed) return text;
  const auto bytes = ota::from_hex(text);
  if (!bytes) throw std::runtime_error("a sealed value is no hex");
  return std::string(bytes->begin(), bytes->end());
}

}  // namespace

Result<std::vector<ConfigRow>> Store::config(std::string_view id, std::string_view app) {
  const std::string i(id);
  const std::string a(app);
  return guard("reading values", [&] {
    ConfigRow row;
    std::string value;
    long long sealed = 0;
    long long set = 0;
    Statement rows(*session_,
                   "SELECT name, value, sealed, by_name, set_ms FROM config_values WHERE "
                   "device_id = :d AND app = :a ORDER BY name");
    rows.start(use(i), use(a), into(row.name), into(value), into(sealed), into(row.by), into(set));
    std::vector<ConfigRow> out;
    while (rows.fetch()) {
      row.sealed = sealed != 0;
      row.value = read_value(value, row.sealed);
      row.set_ms = set;
      out.push_back(row);
    }
    return out;
  });
}

Status Store::set_config(std::string_view id, std::string_view app, const ConfigRow& row) {
  const std::string i(id);
  const std::string a(app);
  const std::string value = stored(row);
  const long long sealed = row.sealed ? 1 : 0;
  const long long set = row.set_ms;
  return guard("writing a value", [&] {
    session_->run("INSERT OR REPLACE INTO config_values (device_id, app, name, value, sealed, "
                  "by_name, set_ms) VALUES (:d,:a,:n,:v,:s,:b,:m)",
                  use(i), use(a), use(row.name), use(value), use(sealed), use(row.by), use(set));
  });
}

Status Store::unset_config(std::string_view id, std::string_view app, std::string_view name) {
  const std::string i(id);
  const std::string a(app);
  const std::string n(name);
  return guard("forgetting a value", [&] {
    session_->run("DELETE FROM config_values WHERE device_id = :d AND app = :a AND name = :n",
                  use(i), use(a), use(n));
  });
}

Status Store::remember_config(std::string_view id, std::string_view app, std::string_view name,
                              std::int64_t rollout) {
  const std::string i(id);
  const std::string a(app);
  const std::string n(name);
  const long long number = rollout;
  return guard("remembering a value", [&] {
    session_->run("DELETE FROM config_before WHERE device_id = :d AND app = :a AND name = :n AND "
                  "settled = 1",
                  use(i), use(a), use(n));
    // One that never ran is no value to go back to: what was before it stays.
    session_->run("UPDATE config_before SET rollout = :r WHERE device_id = :d AND app = :a AND "
                  "name = :n",
                  use(number), use(i), use(a), use(n));
    session_->run("INSERT OR IGNORE INTO config_before (device_id, app, name, rollout, settled, "
                  "was_set, value, sealed, by_name, set_ms) SELECT device_id, app, name, :r, 0, "
                  "1, value, sealed, by_name, set_ms FROM config_values WHERE device_id = :d AND "
                  "app = :a AND name = :n",
                  use(number), use(i), use(a), use(n));
    session_->run("INSERT OR IGNORE INTO config_before (device_id, app, name, rollout, settled, "
                  "was_set, value, sealed, by_name, set_ms) VALUES (:d,:a,:n,:r,0,0,'',0,'',0)",
                  use(i), use(a), use(n), use(number));
  });
}

Status Store::restore_config(std::string_view id, std::int64_t rollout) {
  const std::string i(id);
  const long long number = rollout;
  return guard("going back to values", [&] {
    session_->run("DELETE FROM config_values WHERE device_id = :d AND (app, name) IN (SELECT app, "
                  "name FROM config_before WHERE device_id = :e AND rollout = :r)",
                  use(i), use(i), use(number));
    session_->run("INSERT INTO config_values (device_id, app, name, value, sealed, by_name, "
                  "set_ms) SELECT device_id, app, name, value, sealed, by_name, set_ms FROM "
                  "config_before WHERE device_id = :d AND rollout = :r AND was_set = 1",
                  use(i), use(number));
    session_->run("DELETE FROM config_before WHERE device_id = :d AND rollout = :r", use(i),
                  use(number));
  });
}

Status Store::settle_config(std::string_view id, std::string_view app) {
  const std::string i(id);
  const std::string a(app);
  return guard("settling values", [&] {
    session_->run("UPDATE config_before SET settled = 1 WHERE device_id = :d AND app = :a AND "
                  "settled = 0",
                  use(i), use(a));
  });
}

Status Store::set_sealing_key(std::string_view id, std::string_view key) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  const std::string k(key);
  return guard("writing a sealing key", [&] {
    session_->run("UPDATE devices SET sealing_key = :k WHERE id = :i", use(k), use(i));
  });
}

Result<std::string> Store::sealing_key(std::string_view id) {
  const std::string i(id);
  return guard("reading a sealing key", [&] {
    std::string key;
    session_->run("SELECT sealing_key FROM devices WHERE id = :i", use(i), into(key));
    return key;
  });
}

}  // namespace controller
