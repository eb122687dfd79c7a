#include "deploy/fleetctl/diff.h"

#include <algorithm>
#include <map>
#include <set>

#include "deploy/fleetctl/text.h"
#include "proto/document.h"
#include "proto/manifest.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::AppManifest;
using fleet::v1::Blob;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::size_t kLabelColumns = 19;

std::string blob_value(const Blob& blob) {
  return "sha256:" + short_digest(blob.sha256()) + "  " +
         proto::format_size_bytes(blob.size_bytes());
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return visible(out + "\"");
}

// A number in the unit that its field's name ends with.
std::string number_value(const FieldDescriptor& field, std::uint64_t value) {
  const std::string& name = field.name();
  if (name.ends_with("_ms")) return proto::format_duration_ms(value);
  if (name.ends_with("_rate_bytes")) return proto::format_size_short(value) + "/s";
  if (name.ends_with("_bytes")) return proto::format_size_bytes(value);
  if (name.ends_with("_percent")) return std::to_string(value) + "%";
  return std::to_string(value);
}

std::string scalar(const Message& message, const FieldDescriptor& field) {
  const Reflection& look = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: return visible(look.GetString(message, &field));
    case FieldDescriptor::CPPTYPE_ENUM: return proto::word_of(*look.GetEnum(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL: return look.GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_UINT32:
      return number_value(field, look.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return number_value(field, look.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_INT64: return std::to_string(look.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_INT32: return std::to_string(look.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_MESSAGE: break;  // the schema has no floats; messages recurse
  }
  return "?";
}

// A list of scalars: ["a","b"], enums and numbers bare.
std::string list_value(const Message& message, const FieldDescriptor& field) {
  const Reflection& look = *message.GetReflection();
  std::vector<std::string> parts;
  for (int i = 0; i < look.FieldSize(message, &field); ++i) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      parts.push_back(quoted(look.GetRepeatedString(message, &field, i)));
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      parts.push_back(proto::word_of(*look.GetRepeatedEnum(message, &field, i)));
    }
  }
  return "[" + join(parts, ",") + "]";
}

void add_message(const Message& message, const std::string& prefix, std::vector<Attribute>& out);

// The name that labels an entry of a repeated message: its name, path or key, else its place.
std::string entry_name(const Message& entry, int index) {
  for (const char* key : {"name", "path", "key"}) {
    const FieldDescriptor* field = entry.GetDescriptor()->FindFieldByName(key);
    if (field == nullptr || field->is_repeated()) continue;
    const std::string name = visible(entry.GetReflection()->GetString(entry, field));
    if (!name.empty()) return name;
  }
  return std::to_string(index);
}

void add_entries(const Message& message, const FieldDescriptor& field, const std::string& label,
                 std::vector<Attribute>& out) {
  const Reflection& look = *message.GetReflection();
  for (int i = 0; i < look.FieldSize(message, &field); ++i) {
    const Message& entry = look.GetRepeatedMessage(message, &field, i);
    const std::string name = label + "." + entry_name(entry, i);
    if (!field.is_map()) {
      add_message(entry, name, out);
      continue;
    }
    const FieldDescriptor& value = *entry.GetDescriptor()->map_value();
    if (value.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      add_message(entry.GetReflection()->GetMessage(entry, &value), name, out);
    } else {
      out.push_back({name, scalar(entry, value)});
    }
  }
}

// What has a spelling of its own. out: whether the field was one of these.
bool add_special(const Message& message, const FieldDescriptor& field, const std::string& label,
                 std::vector<Attribute>& out) {
  const std::string& full = field.full_name();
  if (full == "fleet.v1.AppManifest.version" || full == "fleet.v1.AppManifest.release" ||
      full == "fleet.v1.AppManifest.name" || full == "fleet.v1.Interface.name" ||
      full == "fleet.v1.Volume.name" || full == "fleet.v1.HostDevice.name") {
    return true;  // no attribute of a release, or the label already
  }
  if (full == "fleet.v1.AppManifest.memory_bytes") {
    const auto& manifest = dynamic_cast<const AppManifest&>(message);
    const bool twice = proto::standing_memory_bytes(manifest) > manifest.memory_bytes();
    out.push_back({label, scalar(message, field) + (twice ? ", twice: with its warm spare" : "")});
    return true;
  }
  if (full == "fleet.v1.AppManifest.images") {
    for (const auto& image : dynamic_cast<const AppManifest&>(message).images()) {
      const std::string key = label + "." + image_key(image);
      out.push_back({key, blob_value(image.kernel())});
      if (image.has_initrd()) out.push_back({key + ".initrd", blob_value(image.initrd())});
      if (image.has_disk()) out.push_back({key + ".disk", blob_value(image.disk())});
    }
    return true;
  }
  if (full == "fleet.v1.AppManifest.files") {
    for (const auto& file : dynamic_cast<const AppManifest&>(message).files()) {
      out.push_back({label + "." + visible(file.path()),
                     blob_value(file.content()) + (file.template_() ? "  template" : "")});
    }
    return true;
  }
  if (full == "fleet.v1.AppManifest.publish") {
    std::vector<std::string> ports;
    for (const auto& port : dynamic_cast<const AppManifest&>(message).publish()) {
      ports.push_back(quoted(proto::format_published_port(port)));
    }
    if (!ports.empty()) out.push_back({label, "[" + join(ports, ",") + "]"});
    return true;
  }
  if (full == "fleet.v1.Interface.egress") {
    const auto& egress = dynamic_cast<const fleet::v1::Interface&>(message).egress();
    const std::vector<std::string> allow(egress.allow().begin(), egress.allow().end());
    out.push_back({label, egress.any() ? "[any]" : visible("[" + join(allow, ",") + "]")});
    return true;
  }
  return false;
}

void add_message(const Message& message, const std::string& prefix, std::vector<Attribute>& out) {
  const Reflection& look = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  look.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string label = (prefix.empty() ? "" : prefix + ".") + proto::key_of(*field);
    if (add_special(message, *field, label, out)) continue;
    if (field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      add_entries(message, *field, label, out);
    } else if (field->is_repeated()) {
      out.push_back({label, list_value(message, *field)});
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      add_message(look.GetMessage(message, field), label, out);
    } else {
      out.push_back({label, scalar(message, *field)});
    }
  }
}

std::string line_of(char sign, const Attribute& attribute, std::size_t width) {
  return std::string("  ") + sign + " " + pad(attribute.label, width + 2) + attribute.value;
}

// Labels of both, in the order of `after`, with those that went where they were.
std::vector<std::string> labels_of(const std::vector<Attribute>& before,
                                   const std::vector<Attribute>& after) {
  std::vector<std::string> labels;
  for (const Attribute& attribute : after) labels.push_back(attribute.label);
  std::size_t at = 0;
  for (const Attribute& attribute : before) {
    const auto found = std::find(labels.begin(), labels.end(), attribute.label);
    if (found != labels.end()) {
      at = static_cast<std::size_t>(found - labels.begin()) + 1;
    } else {
      labels.insert(labels.begin() + static_cast<std::ptrdiff_t>(at++), attribute.label);
    }
  }
  return labels;
}

}  // namespace

std::string image_key(const fleet::v1::Image& image) {
  return proto::word_of(image.arch()) + "/" + proto::word_of(image.platform());
}

std::vector<Blob> blobs_of(const AppManifest& manifest) {
  std::map<std::string, Blob> blobs;
  const auto add = [&blobs](const Blob& blob) {
    if (!blob.sha256().empty()) blobs.emplace(blob.sha256(), blob);
  };
  for (const auto& image : manifest.images()) {
    add(image.kernel());
    add(image.initrd());
    add(image.disk());
  }
  for (const auto& file : manifest.files()) add(file.content());
  std::vector<Blob> out;
  for (auto& [digest, blob] : blobs) out.push_back(blob);
  return out;
}

std::vector<Attribute> attributes_of(const AppManifest& manifest) {
  std::vector<Attribute> out;
  add_message(manifest, "", out);
  return out;
}

std::vector<std::string> diff_lines(const AppManifest& before, const AppManifest& after) {
  std::map<std::string, std::string> old_values;
  std::map<std::string, std::string> new_values;
  const std::vector<Attribute> old_list = attributes_of(before);
  const std::vector<Attribute> new_list = attributes_of(after);
  for (const Attribute& attribute : old_list) old_values[attribute.label] = attribute.value;
  for (const Attribute& attribute : new_list) new_values[attribute.label] = attribute.value;
  std::set<std::string> known;
  for (const Blob& blob : blobs_of(before)) known.insert(blob.sha256());
  std::map<std::string, std::string> fetch_notes;
  for (const auto& image : after.images()) {
    if (known.contains(image.kernel().sha256())) continue;
    fetch_notes["images." + image_key(image)] =
        "   (" + proto::format_size_bytes(image.kernel().size_bytes()) + " to fetch)";
  }

  struct Change {
    char sign;
    Attribute attribute;
  };
  std::vector<Change> changes;
  bool changed = false;
  for (const std::string& label : labels_of(old_list, new_list)) {
    const bool was = old_values.contains(label);
    const bool is = new_values.contains(label);
    if (was && is && old_values[label] == new_values[label]) {
      if (label == "memory") changes.push_back({' ', {label, new_values[label]}});
      continue;
    }
    changed = true;
    if (was) changes.push_back({'-', {label, old_values[label]}});
    if (is) changes.push_back({'+', {label, new_values[label] + fetch_notes[label]}});
  }
  if (!changed) return {};
  std::size_t width = kLabelColumns;
  for (const Change& change : changes) {
    width = std::max(width, display_width(change.attribute.label));
  }
  std::vector<std::string> lines;
  for (const Change& change : changes)
    lines.push_back(line_of(change.sign, change.attribute, width));
  return lines;
}

std::uint64_t new_bytes(const AppManifest& before, const AppManifest& after) {
  std::set<std::string> known;
  for (const Blob& blob : blobs_of(before)) known.insert(blob.sha256());
  std::uint64_t sum = 0;
  for (const Blob& blob : blobs_of(after)) {
    if (!known.contains(blob.sha256())) sum += blob.size_bytes();
  }
  return sum;
}

}  // namespace fleetctl
