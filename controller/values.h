// Values: what the variables of a release are on a device. Set by an operator, else from a label,
// else the manifest's default. What it finds the device judges once more, by what was signed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/store.h"

namespace controller {

/// Declared variables by name.
using Vars = std::map<std::string, v1::Var>;

/// What releases declare. A release never changes, so it is read from the store once.
class DeclaredVars {
 public:
  explicit DeclaredVars(Store& store) : store_(store) {}
  /// Of a release that is unknown here, as after an old backup, those of the newest that is known.
  /// Empty for release 0. Good until the next call.
  Result<const Vars*> of(const std::string& app, std::uint64_t release);

 private:
  Store& store_;
  std::map<std::pair<std::string, std::uint64_t>, Vars> known_;
  Vars guessed_;
};

/// The manifest of the app's newest release that is not yanked; none: there is none.
Result<std::optional<v1::AppManifest>> newest_manifest(Store& store, const std::string& app);

/// Puts the device's values into what is wanted of it, in place of others: those that were set or
/// come from a label and that the release declares. Defaults are in the manifest.
void put_values(const Vars& vars, const Subject& device, const std::vector<ConfigRow>& set,
                v1::DesiredApp& desired);

/// The same for people, defaults included, by name; and what was set that the release does not
/// declare. No secret's value is in it.
std::vector<v1::ConfigValue> show_values(const Vars& vars, const Subject& device,
                                         const std::vector<ConfigRow>& set);

/// Bytes of all values of one app on a device, as they travel.
std::size_t size_of(const v1::DesiredApp& desired);

}  // namespace controller
