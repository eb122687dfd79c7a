// Config: new values for an app's variables on some devices, checked for all of them before any is
// written, and the rollout that carries them; and what the values are. It sees no secret: what
// comes sealed goes on as it is.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "controller/fleet.h"
#include "controller/push.h"

namespace controller {

class Config {
 public:
  Config(Store& store, Fleet& fleet, Pushes& pushes)
      : store_(store), fleet_(fleet), pushes_(pushes) {}

  struct Changed {
    std::uint32_t devices = 0;
    std::uint32_t changed = 0;
    std::int64_t rollout = 0;  // 0: nothing runs there that it would change
  };
  /// errors not_found (no such app; the selector matches nothing: element "selector") | forbidden |
  ///        bad_argument (a name that no release declares, a value outside its type and limits, a
  ///        secret that is not sealed, or not for each device) | too_large
  /// after  survives power loss: all values are there, and the rollout, or nothing
  Result<Changed> change(const std::string& app, const v1::ConfigChange& request, const Asker& by,
                         std::vector<std::string>& nearest);

  /// What the app's variables are on a device: those of the release that is wanted there, else of
  /// the newest. errors not_found (no such app)
  Result<v1::DeviceConfig> show(const Subject& device, const std::string& app);

 private:
  /// One device, its values as they are and as they shall be.
  struct Target {
    Subject device;
    std::optional<v1::DesiredApp> wish;
    v1::AppManifest manifest;          // of the release that is wanted, else of the newest
    std::vector<ConfigRow> before;
    std::vector<ConfigRow> after;
  };
  Result<Target> target(const Subject& device, const std::string& app,
                        const v1::AppManifest& newest);
  /// in/out checked: releases that the values were held against already
  Status apply(const v1::ConfigChange& request, const v1::AppManifest& newest,
               const std::string& by, std::set<std::uint64_t>& checked, Target& target);
  Status write(const std::string& app, const Target& target, std::int64_t rollout);
  Status record(const std::string& app, const v1::ConfigChange& request, const Asker& by,
                std::size_t devices);
  Result<v1::AppManifest> newest(const std::string& app);

  Store& store_;
  Fleet& fleet_;
  Pushes& pushes_;
};

}  // namespace controller
