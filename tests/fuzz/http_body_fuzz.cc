// Bodies of the operators' and the devices' requests, behind the routes that take one: whatever
// comes is answered, what is wrong with a code, and nothing is the controller's own fault.
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>

#include "tests/unit/controller/api_world.h"

namespace {

struct Target {
  const char* method;
  const char* path;
};

// A corpus file's first byte picks one: appended only.
constexpr Target kTargets[] = {
    {"POST", "/v1/pushes"},       {"POST", "/v1/orders"},
    {"POST", "/v1/metadata"},     {"POST", "/v1/enroll-tokens"},
    {"PATCH", "/v1/devices/edge-1"}, {"POST", "/device/v1/enroll"},
};

controller::ApiWorld& world() {
  static controller::ApiWorld* const one = [] {
    auto* made = new controller::ApiWorld;
    made->world.set_up_trust();
    made->world.enroll("edge-1");
    return made;
  }();
  return *one;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Target& target = kTargets[data[0] % std::size(kTargets)];
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool of_device = std::string(target.path).starts_with("/device/");
  controller::Request request =
      controller::ApiWorld::request(target.method, target.path, of_device ? "" : "admin", body);
  const controller::Response response =
      of_device ? world().ask_as_device(std::move(request)) : world().ask(std::move(request));
  FLEET_ASSERT(response.status >= 200 && response.status < 500);
  const bool refused = response.status >= 400;
  FLEET_ASSERT(!refused || response.body.find("\"code\"") != std::string::npos);
  return 0;
}
