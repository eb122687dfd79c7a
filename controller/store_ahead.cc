// Devices that obeyed a newer word than this controller gave them.
#include "controller/store_sql.h"

namespace controller {

using soci::into;
using soci::use;

Status Store::set_ahead(const DeviceRow& device) {
  if (changed_devices_) changed_devices_->insert(device.id);
  const long long since = device.ahead_ms;
  return guard("writing what is ahead", [&] {
    session_->run("UPDATE devices SET ahead_ms = :m, ahead_text = :t WHERE id = :i", use(since),
                  use(device.ahead_text), use(device.id));
  });
}

Result<std::int64_t> Store::generation_told(std::string_view id) {
  const std::string i(id);
  return guard("reading what a device was told", [&]() -> std::int64_t {
    long long told = 0;
    session_->run("SELECT generation_told FROM devices WHERE id = :i", use(i), into(told));
    return told;
  });
}

Status Store::set_told(std::string_view id) {
  const std::string i(id);
  return guard("writing what a device is told", [&] {
    session_->run("UPDATE devices SET generation_told = generation WHERE id = :i", use(i));
  });
}

}  // namespace controller
