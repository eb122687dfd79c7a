// Metadata to bytes: the `signed` objects, and the files around them.
#include <algorithm>

#include "ota/metadata.h"

namespace ota {
namespace {

constexpr const char* kSpecVersion = "1.0.31";

void add_unknown(Json& object, const Json& unknown) {
  if (!unknown.is_object()) return;
  for (const Json::Member& member : unknown.as_object()) object.set(member.key, member.value);
}

Json texts(const std::vector<std::string>& items) {
  Json list = Json::array();
  for (const std::string& item : items) list.push_back(item);
  return list;
}

Json start(const char* type, const Header& header) {
  Json object = Json::object();
  object.set("_type", type);
  object.set("spec_version", kSpecVersion);
  object.set("version", header.version);
  object.set("expires", format_time(header.expires));
  return object;
}

Json hashes_json(const Hashes& hashes) {
  Json object = Json::object();
  if (hashes.sha256) object.set("sha256", hashes.sha256->hex());
  if (hashes.sha512) object.set("sha512", hashes.sha512->hex());
  add_unknown(object, hashes.unknown);
  return object;
}

Json meta_json(const MetaFile& file) {
  Json object = Json::object();
  object.set("version", file.version);
  if (file.length_bytes) object.set("length", *file.length_bytes);
  if (file.hashes) object.set("hashes", hashes_json(*file.hashes));
  add_unknown(object, file.unknown);
  return object;
}

Json keys_json(const std::map<std::string, PublicKey>& keys) {
  Json object = Json::object();
  for (const auto& [keyid, key] : keys) object.set(keyid, key.to_json());
  return object;
}

Json delegations_json(const Delegations& delegations) {
  Json roles = Json::array();
  for (const DelegatedRole& role : delegations.roles) {
    Json object = Json::object();
    object.set("name", role.name);
    object.set("keyids", texts(role.keys.keyids));
    object.set("threshold", role.keys.threshold);
    if (role.path_hash_prefixes.empty()) {
      object.set("paths", texts(role.paths));
    } else {
      object.set("path_hash_prefixes", texts(role.path_hash_prefixes));
    }
    object.set("terminating", role.terminating);
    add_unknown(object, role.keys.unknown);
    roles.push_back(std::move(object));
  }
  Json object = Json::object();
  object.set("keys", keys_json(delegations.keys));
  object.set("roles", std::move(roles));
  add_unknown(object, delegations.unknown);
  return object;
}

Json signature_json(const Signature& signature) {
  Json object = Json::object();
  object.set("keyid", signature.keyid);
  object.set("sig", signature.sig_hex);
  return object;
}

}  // namespace

Json to_json(const Root& value) {
  Json object = start(Root::kType, value.header);
  object.set("consistent_snapshot", value.consistent_snapshot);
  object.set("keys", keys_json(value.keys));
  Json roles = Json::object();
  for (const auto& [name, role] : value.roles) {
    Json keys = Json::object();
    keys.set("keyids", texts(role.keyids));
    keys.set("threshold", role.threshold);
    add_unknown(keys, role.unknown);
    roles.set(name, std::move(keys));
  }
  object.set("roles", std::move(roles));
  add_unknown(object, value.header.unknown);
  return object;
}

Json to_json(const Timestamp& value) {
  Json object = start(Timestamp::kType, value.header);
  Json meta = Json::object();
  meta.set("snapshot.json", meta_json(value.snapshot));
  object.set("meta", std::move(meta));
  if (value.issued) object.set("x-issued", *value.issued);
  add_unknown(object, value.header.unknown);
  return object;
}

Json to_json(const Snapshot& value) {
  Json object = start(Snapshot::kType, value.header);
  Json::Object meta;
  for (const auto& [name, file] : value.meta) meta.push_back({name, meta_json(file)});
  object.set("meta", Json::object(std::move(meta)));
  if (value.issued) object.set("x-issued", *value.issued);
  add_unknown(object, value.header.unknown);
  return object;
}

Json to_json(const TargetFile& value) {
  Json object = Json::object();
  object.set("length", value.length_bytes);
  object.set("hashes", hashes_json(value.hashes));
  if (value.custom.is_object()) object.set("custom", value.custom);
  add_unknown(object, value.unknown);
  return object;
}

Json to_json(const Targets& value) {
  Json object = start(Targets::kType, value.header);
  Json::Object targets;
  for (const auto& [path, file] : value.targets) targets.push_back({path, to_json(file)});
  object.set("targets", Json::object(std::move(targets)));
  if (value.delegations) object.set("delegations", delegations_json(*value.delegations));
  add_unknown(object, value.header.unknown);
  return object;
}

std::string sign_metadata(const Json& signed_part, std::span<const SigningKey* const> keys) {
  const std::string canonical = canonical_json(signed_part);
  Json signatures = Json::array();
  for (const SigningKey* key : keys) {
    FLEET_ASSERT(key != nullptr);
    signatures.push_back(signature_json(key->sign(canonical)));
  }
  Json file = Json::object();
  file.set("signatures", std::move(signatures));
  file.set("signed", signed_part);
  return pretty_json(file);
}

Result<std::string> add_signature(std::string_view bytes, const SigningKey& key) {
  TRY(Json file, parse_json(bytes));
  const Json* signed_part = file.find("signed");
  const Json* old = file.find("signatures");
  if (signed_part == nullptr || old == nullptr || !old->is_array()) {
    return Error{Code::bad_metadata, "no metadata file: `signed` or `signatures` is missing", ""};
  }
  Json signatures = Json::array();
  for (const Json& signature : old->as_array()) {
    const Json* keyid = signature.find("keyid");
    if (keyid != nullptr && *keyid == Json(key.keyid())) continue;
    signatures.push_back(signature);
  }
  signatures.push_back(signature_json(key.sign(canonical_json(*signed_part))));
  file.set("signatures", std::move(signatures));
  return pretty_json(file);
}

}  // namespace ota
