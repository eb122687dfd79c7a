// How slots.cc and slots_recover.cc read and write records. Nobody else includes it.
#pragma once

#include "ota/slots.h"

namespace ota {

/// Writes all records of the app in place of what is there. errors no_space | io
Status write_slots(Transaction& transaction, const AppSlots& slots);

/// The names of all apps that have a row, slots or not.
Result<std::vector<std::string>> all_apps(Database& database);

}  // namespace ota
