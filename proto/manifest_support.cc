// What is not built yet, by name, and what a signed manifest holds that this build does not know.
#include <google/protobuf/unknown_field_set.h>

#include "proto/document.h"
#include "proto/manifest.h"
#include "proto/manifest_internal.h"

namespace proto {

using fleet::v1::AppManifest;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

using namespace manifest_detail;

Error unbuilt(std::string_view field) {
  return Error{Code::not_supported, "not supported yet: " + std::string(field),
               std::string(field)};
}

// A field and why it is refused, for one value of it.
Error unbuilt_value(std::string_view field, const std::string& value) {
  return Error{Code::not_supported, "not supported yet: " + std::string(field) + ": " + value,
               std::string(field)};
}

Status check_network_support(const AppManifest& manifest) {
  for (int i = 0; i < manifest.network_size(); ++i) {
    const auto& interface = manifest.network(i);
    const std::string field = indexed("network", i);
    if (interface.vlan() != 0) return unbuilt(field + ".vlan");
  }
  return Status();
}

// A field of AppManifest under its message: "health.deadline_ms" is written health.deadline.
std::string below(const std::string& path, const FieldDescriptor& field) {
  const std::string key = key_of(field);
  return path.empty() ? key : path + "." + key;
}

Error too_new(const std::string& what, const std::string& path) {
  return Error{Code::manifest_too_new,
               what + (path.empty() ? "" : " (" + path + ")") +
                   " is not known to this agent; update the agent first",
               path};
}

Status check_message(const Message& message, const std::string& path);

Status check_enum(const Message& message, const FieldDescriptor& field, int number,
                  const std::string& path) {
  if (field.enum_type()->FindValueByNumber(number) != nullptr) return Status();
  return too_new("value " + std::to_string(number) + " of " + message.GetDescriptor()->name() +
                     "." + field.name(),
                 path);
}

Status check_repeated(const Message& message, const FieldDescriptor& field,
                      const std::string& path) {
  const auto* reflection = message.GetReflection();
  const int size = reflection->FieldSize(message, &field);
  for (int i = 0; i < size; ++i) {
    const std::string element = path + "[" + std::to_string(i) + "]";
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      TRY_VOID(check_message(reflection->GetRepeatedMessage(message, &field, i), element));
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      const int number = reflection->GetRepeatedEnumValue(message, &field, i);
      TRY_VOID(check_enum(message, field, number, element));
    }
  }
  return Status();
}

Status check_message(const Message& message, const std::string& path) {
  const auto* reflection = message.GetReflection();
  const auto& unknown = reflection->GetUnknownFields(message);
  if (unknown.field_count() != 0) {
    return too_new("field " + std::to_string(unknown.field(0).number()) + " of " +
                       message.GetDescriptor()->name(),
                   path);
  }
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string name = below(path, *field);
    if (field->is_repeated()) {
      TRY_VOID(check_repeated(message, *field, name));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      TRY_VOID(check_message(reflection->GetMessage(message, field), name));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      TRY_VOID(check_enum(message, *field, reflection->GetEnumValue(message, field), name));
    }
  }
  return Status();
}

}  // namespace

Status check_supported(const AppManifest& manifest) {
  if (manifest.run() == fleet::v1::BARE_BOARD) return unbuilt_value("run", "bare");
  for (int i = 0; i < manifest.monitors_size(); ++i) {
    if (manifest.monitors(i) != fleet::v1::MONITOR_FIRECRACKER) continue;
    return unbuilt_value(indexed("monitors", i), word_of(manifest.monitors(i)));
  }
  for (int i = 0; i < manifest.devices_size(); ++i) {
    if (manifest.devices(i).as() == "console") continue;
    return unbuilt_value(indexed("devices", i) + ".as", manifest.devices(i).as());
  }
  return check_network_support(manifest);
}

Status check_known(const AppManifest& manifest) { return check_message(manifest, ""); }

}  // namespace proto
