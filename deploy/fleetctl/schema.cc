#include "deploy/fleetctl/schema.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "deploy/fleetctl/schema_shapes.h"
#include "deploy/fleetctl/text.h"
#include "proto/document.h"

namespace fleetctl {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using ota::Json;

// What a command prints: names of messages of fleet.v1, or of own_shapes(), "|" between.
struct Output {
  const char* command;
  const char* documents;
};
constexpr const char* kFollowed = "Event|Rollout";
constexpr const char* kKeys = "keys|root progress";
constexpr std::array kOutputs = {
    Output{"login", "Whoami"},
    Output{"whoami", "Whoami"},
    Output{"keys init", kKeys},
    Output{"keys delegate", kKeys},
    Output{"keys list", "keys"},
    Output{"keys refresh", kKeys},
    Output{"keys restore", "keys"},
    Output{"keys rotate", kKeys},
    Output{"keys revoke", kKeys},
    Output{"keys sign", kKeys},
    Output{"enroll-token", "EnrollToken|Bootstrap"},
    Output{"build", "built images"},
    Output{"catalog", "catalog"},
    Output{"catalog copy", "copied app"},
    Output{"inspect", "image"},
    Output{"manifest check", "right manifests"},
    Output{"push", "plan|Event|Rollout"},
    Output{"rollback", kFollowed},
    Output{"yank", "yanked|Event|Rollout"},
    Output{"revert", kFollowed},
    Output{"stop", kFollowed},
    Output{"start", kFollowed},
    Output{"restart", kFollowed},
    Output{"delete", kFollowed},
    Output{"rollout show", kFollowed},
    Output{"rollout pause", "Rollout"},
    Output{"rollout resume", "Rollout"},
    Output{"rollout abort", "Rollout"},
    Output{"rollout retry", kFollowed},
    Output{"config set", "ConfigAnswer|Event|Rollout"},
    Output{"config unset", "ConfigAnswer|Event|Rollout"},
    Output{"config list", "ConfigList"},
    Output{"rollouts", "RolloutList"},
    Output{"apps", "AppList"},
    Output{"releases", "ReleaseList"},
    Output{"devices", "DeviceList"},
    Output{"device show", "Device"},
    Output{"device label", "Device"},
    Output{"device accept", "AcceptResult"},
    Output{"device remove", "removed"},
    Output{"ps", "instances"},
    Output{"volumes list", "volumes"},
    Output{"status", "ServerStatus"},
    Output{"why", "Why"},
    Output{"logs", "LogList|LogEvent"},
    Output{"flights", "FlightList"},
    Output{"audit", "AuditPage"},
    Output{"audit verify", "AuditHead"},
    Output{"token create", "Token"},
    Output{"token list", "TokenList"},
    Output{"token revoke", "revoked"},
};
constexpr std::array<const char*, 4> kSilent = {"complete", "completion", "schema",
                                                "volumes create"};

Json of_type(const char* type) { return Json::object({{"type", type}}); }

Json reference(const std::string& name) {
  return Json::object({{"$ref", "#/$defs/" + name}});
}

Json matching(const char* pattern) {
  return Json::object({{"type", "string"}, {"pattern", pattern}});
}

// By the JSON mapping of proto/json.h: 64-bit numbers are strings, bytes base64, enums names.
Json value_schema(const FieldDescriptor& field, std::set<const Descriptor*>& open) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return of_type("integer");
    case FieldDescriptor::CPPTYPE_UINT32:
      return Json::object({{"type", "integer"}, {"minimum", 0}});
    case FieldDescriptor::CPPTYPE_INT64: return matching("^-?[0-9]+$");
    case FieldDescriptor::CPPTYPE_UINT64: return matching("^[0-9]+$");
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT: return of_type("number");
    case FieldDescriptor::CPPTYPE_BOOL: return of_type("boolean");
    case FieldDescriptor::CPPTYPE_ENUM: {
      Json names = Json::array();
      for (int i = 0; i < field.enum_type()->value_count(); ++i) {
        names.push_back(std::string(field.enum_type()->value(i)->name()));
      }
      return Json::object({{"type", "string"}, {"enum", names}});
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      open.insert(field.message_type());
      return reference(field.message_type()->name());
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.type() != FieldDescriptor::TYPE_BYTES) return of_type("string");
      return Json::object({{"type", "string"}, {"contentEncoding", "base64"}});
  }
  return Json::object();
}

Json message_schema(const Descriptor& message, std::set<const Descriptor*>& open) {
  Json properties = Json::object();
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    Json schema;
    if (field.is_map()) {
      schema = Json::object(
          {{"type", "object"},
           {"additionalProperties", value_schema(*field.message_type()->field(1), open)}});
    } else if (field.is_repeated()) {
      schema = Json::object({{"type", "array"}, {"items", value_schema(field, open)}});
    } else {
      schema = value_schema(field, open);
    }
    properties.set(std::string(field.name()), std::move(schema));
  }
  return Json::object({{"type", "object"},
                       {"properties", properties},
                       {"additionalProperties", false}});
}

void add_message(const Descriptor& message, Json& definitions) {
  std::set<const Descriptor*> done;
  std::set<const Descriptor*> open = {&message};
  while (!open.empty()) {
    const Descriptor* next = *open.begin();
    open.erase(open.begin());
    if (!done.insert(next).second) continue;
    definitions.set(std::string(next->name()), message_schema(*next, open));
  }
}

const Descriptor* message_named(const std::string& name) {
  return google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName("fleet.v1." +
                                                                                   name);
}

}  // namespace

proto::Result<Json> schema_of(const std::string& command) {
  const auto found = std::find_if(kOutputs.begin(), kOutputs.end(),
                                  [&command](const Output& one) { return one.command == command; });
  if (found == kOutputs.end()) {
    const std::string nearest = proto::nearest_word(command, commands_with_json());
    return proto::Error{proto::Code::not_found,
                        "no command '" + command + "' prints JSON" +
                            (nearest.empty() ? "" : "; nearest: " + nearest) +
                            "\nall that do:  fleetctl schema", "COMMAND"};
  }
  Json definitions = Json::object();
  Json any = Json::array();
  for (const std::string& name : split(found->documents, '|')) {
    const auto own = own_shapes().find(name);
    if (own != own_shapes().end()) {
      any.push_back(own->second);
      continue;
    }
    const Descriptor* message = message_named(name);
    FLEET_ASSERT(message != nullptr);
    add_message(*message, definitions);
    any.push_back(reference(name));
  }
  return Json::object({{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                       {"title", "fleetctl " + command + " --json"},
                       {"anyOf", any},
                       {"$defs", definitions}});
}

std::vector<std::string> commands_with_json() {
  std::vector<std::string> commands;
  for (const Output& output : kOutputs) commands.emplace_back(output.command);
  return commands;
}

std::vector<std::string> commands_without_json() { return {kSilent.begin(), kSilent.end()}; }

CommandResult show_schema(Program& program, const std::vector<std::string>& words) {
  if (!words.empty()) {
    TRY(const Json schema, schema_of(join(words, " ")));
    program.terminal.line(ota::pretty_json(schema));
    return ExitCode::ok;
  }
  Json all = Json::object();
  for (const std::string& command : commands_with_json()) {
    TRY(Json schema, schema_of(command));
    all.set(command, std::move(schema));
  }
  program.terminal.line(ota::pretty_json(all));
  return ExitCode::ok;
}

}  // namespace fleetctl
