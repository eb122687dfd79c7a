#include "deploy/fleetctl/schema_shapes.h"

#include <initializer_list>
#include <utility>

namespace fleetctl {
namespace {

using ota::Json;

struct Field {
  const char* name;
  Json schema;
  bool always = true;
};

Json of_type(const char* type) { return Json::object({{"type", type}}); }
Json text() { return of_type("string"); }
Json number() { return of_type("integer"); }
Json flag() { return of_type("boolean"); }
Json list_of(Json items) {
  return Json::object({{"type", "array"}, {"items", std::move(items)}});
}

Json record(std::initializer_list<Field> fields) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const Field& field : fields) {
    properties.set(field.name, field.schema);
    if (field.always) required.push_back(field.name);
  }
  return Json::object({{"type", "object"},
                       {"properties", properties},
                       {"required", required},
                       {"additionalProperties", false}});
}

Json instance() {
  const Json spare = record(
      {{"instance", text()}, {"state", text()}, {"address", text()}, {"memory_bytes", number()}});
  return record({{"device", text()}, {"app", text()}, {"release", number()}, {"yanked", flag()},
                 {"slot", text()}, {"state", text()}, {"online", flag()}, {"healthy", flag()},
                 {"instance", text()}, {"address", text()}, {"monitor", text()},
                 {"up_ms", number()}, {"memory_bytes", number()},
                 {"memory_limit_bytes", number()}, {"cpu_permille", number()},
                 {"restarts", number()}, {"spare", spare, false}, {"took_over", flag()},
                 {"ports", list_of(text())}});
}

Json volume() {
  return record({{"device", text()}, {"online", flag()}, {"app", text()}, {"name", text()},
                 {"size_bytes", number()}, {"used_bytes", number()}, {"sync", text()},
                 {"keep", flag()}, {"left", flag()}, {"on_revert", text()},
                 {"snapshot_release", number()}});
}

Json plan() {
  const Json image = record(
      {{"image", text()}, {"sha256", text()}, {"size_bytes", number()}, {"summary", text()}});
  const Json refusal = record({{"device", text()}, {"why", text()}});
  const Json each =
      record({{"device", text()}, {"wave", number()}, {"runs", number()}, {"note", text()}});
  return record({{"app", text()}, {"release", number()}, {"previous_release", number()},
                 {"selector", text()}, {"devices", number()}, {"fitting", number()},
                 {"offline", number()}, {"images", list_of(image)},
                 {"refusals", list_of(refusal)}, {"changes", list_of(text())},
                 {"flows", text()}, {"each", list_of(each)}});
}

Json keys() {
  return record({{"keys", list_of(record({{"role", text()}, {"keyid", text()},
                                          {"expires", number()}, {"needs_care", flag()},
                                          {"here", flag()}, {"label", text()}}))}});
}

Json root_progress() {
  const Json count = record({{"have", number()}, {"want", number()}});
  return record({{"root", number()}, {"file", text()}, {"by_old_keys", count},
                 {"by_new_keys", count}, {"complete", flag()}});
}

Json image() {
  const Json device = record({{"name", text()}, {"kind", text()}});
  return record({{"file", text()}, {"summary", text()}, {"family", text()}, {"arch", text()},
                 {"platform", text()}, {"boot", text()}, {"abi_version", number()},
                 {"devices", list_of(device)}, {"language", text()}, {"obstacle", text()}});
}

Json built_images() {
  const Json image = record(
      {{"image", text()}, {"file", text()}, {"sha256", text()}, {"size_bytes", number()}});
  return record({{"app", text()}, {"images", list_of(image)}});
}

Json catalog() {
  const Json image = record(
      {{"image", text()}, {"file", text()}, {"summary", text()}, {"size_bytes", number()}});
  const Json app = record({{"name", text()}, {"app", text()}, {"description", text()},
                           {"manifest", text()}, {"images", list_of(image)}});
  return record({{"folder", text()}, {"apps", list_of(app)}});
}

}  // namespace

const std::map<std::string, Json>& own_shapes() {
  static const std::map<std::string, Json> kShapes = {
      {"instances", record({{"instances", list_of(instance())}})},
      {"volumes", record({{"volumes", list_of(volume())}})},
      {"plan", plan()},
      {"keys", keys()},
      {"root progress", root_progress()},
      {"image", image()},
      {"built images", built_images()},
      {"catalog", catalog()},
      {"copied app",
       record({{"name", text()}, {"app", text()}, {"files", list_of(text())}})},
      {"right manifests", record({{"right", list_of(text())}})},
      {"yanked", record({{"app", text()}, {"release", number()}, {"yanked", flag()},
                         {"signed", flag()}, {"running", number()}})},
      {"removed", record({{"removed", flag()}})},
      {"revoked", record({{"revoked", flag()}})},
  };
  return kShapes;
}

}  // namespace fleetctl
