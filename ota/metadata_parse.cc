// Metadata from bytes: every member's kind and bounds are checked, members that we do not know are
// kept, because they are signed.
#include <algorithm>
#include <limits>
#include <set>

#include "ota/metadata.h"

namespace ota {
namespace {

constexpr std::int64_t kMaxInteger = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kMaxRoleNameBytes = 190;  // with ".json" a name that Disk takes

Error bad(const std::string& where, const std::string& what) {
  return Error{Code::bad_metadata, where + ": " + what, ""};
}

/// Reads the members of one object by name, and at the end says which were not asked for.
/// Borrows the object.
class Members {
 public:
  static Result<Members> open(const Json& value, std::string where) {
    if (!value.is_object()) {
      return bad(where, std::string("an object is wanted, not ") + value.kind_name());
    }
    return Members(value, std::move(where));
  }

  const std::string& where() const { return where_; }
  std::string place(std::string_view name) const { return where_ + "." + std::string(name); }

  const Json* optional(std::string_view name) {
    known_.push_back(name);
    return object_->find(name);
  }

  Result<const Json*> required(std::string_view name) {
    const Json* value = optional(name);
    if (value == nullptr) return bad(where_, "no member `" + std::string(name) + "`");
    return value;
  }

  Result<std::int64_t> integer(std::string_view name, std::int64_t least) {
    TRY(const Json* value, required(name));
    if (!value->is_integer()) {
      return bad(place(name), std::string("an integer is wanted, not ") + value->kind_name());
    }
    if (value->as_integer() < least) {
      return bad(place(name), "at least " + std::to_string(least) + " is wanted, not " +
                                  std::to_string(value->as_integer()));
    }
    return value->as_integer();
  }

  Result<std::string> text(std::string_view name) {
    TRY(const Json* value, required(name));
    if (!value->is_string()) {
      return bad(place(name), std::string("a string is wanted, not ") + value->kind_name());
    }
    return value->as_string();
  }

  Result<bool> boolean(std::string_view name) {
    TRY(const Json* value, required(name));
    if (!value->is_bool()) {
      return bad(place(name), std::string("true or false is wanted, not ") + value->kind_name());
    }
    return value->as_bool();
  }

  Result<const Json::Array*> list(std::string_view name) {
    TRY(const Json* value, required(name));
    if (!value->is_array()) {
      return bad(place(name), std::string("a list is wanted, not ") + value->kind_name());
    }
    return &value->as_array();
  }

  Result<const Json::Object*> map(std::string_view name) {
    TRY(const Json* value, required(name));
    if (!value->is_object()) {
      return bad(place(name), std::string("an object is wanted, not ") + value->kind_name());
    }
    return &value->as_object();
  }

  Result<std::vector<std::string>> texts(std::string_view name) {
    TRY(const Json::Array* items, list(name));
    std::vector<std::string> texts;
    for (const Json& item : *items) {
      if (!item.is_string()) {
        return bad(place(name), std::string("strings are wanted, not ") + item.kind_name());
      }
      texts.push_back(item.as_string());
    }
    return texts;
  }

  /// The members that nobody asked for, as an object; null if there are none.
  Json unknown() const {
    Json::Object rest;
    for (const Json::Member& member : object_->as_object()) {
      if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
      rest.push_back(member);
    }
    return rest.empty() ? Json() : Json::object(std::move(rest));
  }

 private:
  Members(const Json& object, std::string where) : object_(&object), where_(std::move(where)) {}

  const Json* object_;
  std::string where_;
  std::vector<std::string_view> known_;
};

Result<Hashes> read_hashes(const Json& value, const std::string& where) {
  TRY(Members members, Members::open(value, where));
  Hashes hashes;
  if (members.optional("sha256") != nullptr) {
    TRY(const std::string text, members.text("sha256"));
    const auto digest = Sha256::from_hex(text);
    if (!digest) return bad(members.place("sha256"), digest.error().what);
    hashes.sha256 = *digest;
  }
  if (members.optional("sha512") != nullptr) {
    TRY(const std::string text, members.text("sha512"));
    const auto digest = Sha512::from_hex(text);
    if (!digest) return bad(members.place("sha512"), digest.error().what);
    hashes.sha512 = *digest;
  }
  if (!hashes.sha256 && !hashes.sha512) return bad(where, "sha256 or sha512 is wanted");
  hashes.unknown = members.unknown();
  return hashes;
}

Result<MetaFile> read_meta_file(const Json& value, const std::string& where) {
  TRY(Members members, Members::open(value, where));
  MetaFile file;
  TRY(file.version, members.integer("version", 1));
  if (members.optional("length") != nullptr) {
    TRY(file.length_bytes, members.integer("length", 0));
  }
  if (const Json* hashes = members.optional("hashes")) {
    TRY(file.hashes, read_hashes(*hashes, members.place("hashes")));
  }
  file.unknown = members.unknown();
  return file;
}

Result<TargetFile> read_target(const Json& value, const std::string& where) {
  TRY(Members members, Members::open(value, where));
  TargetFile file;
  TRY(file.length_bytes, members.integer("length", 0));
  TRY(const Json* hashes, members.required("hashes"));
  TRY(file.hashes, read_hashes(*hashes, members.place("hashes")));
  if (const Json* custom = members.optional("custom")) {
    if (!custom->is_object()) return bad(members.place("custom"), "an object is wanted");
    file.custom = *custom;
  }
  file.unknown = members.unknown();
  return file;
}

Result<std::map<std::string, PublicKey>> read_keys(Members& members) {
  TRY(const Json::Object* objects, members.map("keys"));
  std::map<std::string, PublicKey> keys;
  for (const Json::Member& member : *objects) {
    auto key = PublicKey::from_json(member.value);
    if (!key) return key.error().with(members.place("keys"));
    // TUF 1.0 section 4.2: a client must check this. Otherwise one key could count under two ids.
    if (key->keyid() != member.key) {
      return bad(members.place("keys"), "the key under id " + member.key.substr(0, 80) +
                                            " has the id " + key->keyid());
    }
    keys.emplace(member.key, std::move(key).value());
  }
  return keys;
}

// keyids and threshold of a role; the other members stay for the caller.
Result<RoleKeys> read_role_keys(Members& members) {
  RoleKeys role;
  TRY(role.keyids, members.texts("keyids"));
  TRY(role.threshold, members.integer("threshold", 1));
  const std::set<std::string> unique(role.keyids.begin(), role.keyids.end());
  if (unique.size() != role.keyids.size()) return bad(members.place("keyids"), "an id comes twice");
  return role;
}

bool is_top_level(std::string_view role) {
  return role == Root::kType || role == Timestamp::kType || role == Snapshot::kType ||
         role == Targets::kType;
}

Status check_role_name(std::string_view name, const std::string& where) {
  const bool printable = std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (name.empty() || !printable || percent_encode(name).size() > kMaxRoleNameBytes) {
    return bad(where, "a role's name has printable bytes, 1 to " +
                          std::to_string(kMaxRoleNameBytes) + " when percent-encoded");
  }
  if (is_top_level(name)) return bad(where, std::string(name) + " cannot be delegated");
  return {};
}

Result<DelegatedRole> read_delegated_role(const Json& value, const std::string& where) {
  TRY(Members members, Members::open(value, where));
  DelegatedRole role;
  TRY(role.name, members.text("name"));
  TRY_VOID(check_role_name(role.name, members.place("name")));
  TRY(role.keys, read_role_keys(members));
  TRY(role.terminating, members.boolean("terminating"));
  const bool by_path = members.optional("paths") != nullptr;
  const bool by_digest = members.optional("path_hash_prefixes") != nullptr;
  if (by_path == by_digest) return bad(where, "either `paths` or `path_hash_prefixes` is wanted");
  if (by_path) {
    TRY(role.paths, members.texts("paths"));
  } else {
    TRY(role.path_hash_prefixes, members.texts("path_hash_prefixes"));
  }
  role.keys.unknown = members.unknown();
  return role;
}

Result<Delegations> read_delegations(const Json& value, const std::string& where) {
  TRY(Members members, Members::open(value, where));
  if (members.optional("succinct_roles") != nullptr) {
    return Error{Code::not_supported, where + ": succinct_roles are not supported yet", ""};
  }
  Delegations delegations;
  TRY(delegations.keys, read_keys(members));
  TRY(const Json::Array* roles, members.list("roles"));
  std::set<std::string> names;
  for (const Json& item : *roles) {
    TRY(DelegatedRole role, read_delegated_role(item, members.place("roles")));
    if (!names.insert(role.name).second) {
      return bad(members.place("roles"), "the role " + role.name + " comes twice");
    }
    delegations.roles.push_back(std::move(role));
  }
  delegations.unknown = members.unknown();
  return delegations;
}

// The form that all four types share, and the date and version in it.
Result<Header> read_header(Members& members, const char* type) {
  TRY(const std::string found, members.text("_type"));
  if (found != type) {
    return bad(members.place("_type"),
               std::string(type) + " is wanted, not " + found.substr(0, 80));
  }
  TRY(const std::string spec, members.text("spec_version"));
  if (spec != "1" && spec.rfind("1.", 0) != 0) {
    return Error{Code::not_supported,
                 members.place("spec_version") + ": only TUF 1.x is supported, not " +
                     spec.substr(0, 40),
                 ""};
  }
  Header header;
  TRY(header.version, members.integer("version", 1));
  // The next version must be a number too.
  if (header.version == kMaxInteger) return bad(members.place("version"), "too large");
  TRY(const std::string expires, members.text("expires"));
  const auto time = parse_time(expires);
  if (!time) return bad(members.place("expires"), time.error().what);
  header.expires = *time;
  return header;
}

Result<std::optional<std::int64_t>> read_issued(Members& members) {
  if (members.optional("x-issued") == nullptr) return std::optional<std::int64_t>();
  TRY(const std::int64_t issued, members.integer("x-issued", 0));
  return std::optional<std::int64_t>(issued);
}

Result<Root> read_value(const Json& value, const Root*) {
  TRY(Members members, Members::open(value, Root::kType));
  Root root;
  TRY(root.header, read_header(members, Root::kType));
  TRY(root.consistent_snapshot, members.boolean("consistent_snapshot"));
  TRY(root.keys, read_keys(members));
  TRY(const Json::Object* roles, members.map("roles"));
  for (const Json::Member& member : *roles) {
    TRY(Members role_members, Members::open(member.value, "root.roles." + member.key));
    TRY(RoleKeys role, read_role_keys(role_members));
    role.unknown = role_members.unknown();
    root.roles.emplace(member.key, std::move(role));
  }
  for (const char* name : {Root::kType, Timestamp::kType, Snapshot::kType, Targets::kType}) {
    if (root.roles.count(name) == 0) return bad("root.roles", std::string("no role ") + name);
  }
  root.header.unknown = members.unknown();
  return root;
}

Result<Timestamp> read_value(const Json& value, const Timestamp*) {
  TRY(Members members, Members::open(value, Timestamp::kType));
  Timestamp timestamp;
  TRY(timestamp.header, read_header(members, Timestamp::kType));
  TRY(const Json::Object* meta, members.map("meta"));
  if (meta->size() != 1 || meta->front().key != "snapshot.json") {
    return bad("timestamp.meta", "exactly snapshot.json is wanted");
  }
  TRY(timestamp.snapshot, read_meta_file(meta->front().value, "timestamp.meta.snapshot.json"));
  TRY(timestamp.issued, read_issued(members));
  timestamp.header.unknown = members.unknown();
  return timestamp;
}

Result<Snapshot> read_value(const Json& value, const Snapshot*) {
  TRY(Members members, Members::open(value, Snapshot::kType));
  Snapshot snapshot;
  TRY(snapshot.header, read_header(members, Snapshot::kType));
  TRY(const Json::Object* meta, members.map("meta"));
  for (const Json::Member& member : *meta) {
    TRY(MetaFile file, read_meta_file(member.value, "snapshot.meta." + member.key.substr(0, 80)));
    snapshot.meta.emplace(member.key, std::move(file));
  }
  if (snapshot.meta.count("targets.json") == 0) return bad("snapshot.meta", "no targets.json");
  TRY(snapshot.issued, read_issued(members));
  snapshot.header.unknown = members.unknown();
  return snapshot;
}

Result<Targets> read_value(const Json& value, const Targets*) {
  TRY(Members members, Members::open(value, Targets::kType));
  Targets targets;
  TRY(targets.header, read_header(members, Targets::kType));
  TRY(const Json::Object* files, members.map("targets"));
  for (const Json::Member& member : *files) {
    TRY_VOID(check_target_path(member.key));
    TRY(TargetFile file, read_target(member.value, "targets.targets[" + member.key + "]"));
    targets.targets.emplace(member.key, std::move(file));
  }
  if (const Json* delegations = members.optional("delegations")) {
    TRY(targets.delegations, read_delegations(*delegations, "targets.delegations"));
  }
  targets.header.unknown = members.unknown();
  return targets;
}

Result<std::vector<Signature>> read_signatures(Members& members) {
  TRY(const Json::Array* items, members.list("signatures"));
  std::vector<Signature> signatures;
  std::set<std::string> seen;
  for (const Json& item : *items) {
    TRY(Members fields, Members::open(item, "signatures"));
    Signature signature;
    TRY(signature.keyid, fields.text("keyid"));
    TRY(signature.sig_hex, fields.text("sig"));
    if (!seen.insert(signature.keyid).second) {
      return bad("signatures", "two signatures of the key " + signature.keyid.substr(0, 80));
    }
    signatures.push_back(std::move(signature));
  }
  return signatures;
}

template <typename T>
Result<Signed<T>> parse(std::string_view bytes) {
  auto document = parse_json(bytes);
  if (!document) return document.error().with(T::kType);
  TRY(Members members, Members::open(*document, T::kType));
  TRY(const Json* signed_part, members.required("signed"));
  TRY(std::vector<Signature> signatures, read_signatures(members));
  TRY(T value, read_value(*signed_part, static_cast<const T*>(nullptr)));
  return Signed<T>{std::move(value), std::move(signatures), canonical_json(*signed_part),
                   std::string(bytes)};
}

}  // namespace

Result<Signed<Root>> parse_root(std::string_view bytes) { return parse<Root>(bytes); }
Result<Signed<Timestamp>> parse_timestamp(std::string_view bytes) {
  return parse<Timestamp>(bytes);
}
Result<Signed<Snapshot>> parse_snapshot(std::string_view bytes) { return parse<Snapshot>(bytes); }
Result<Signed<Targets>> parse_targets(std::string_view bytes) { return parse<Targets>(bytes); }

}  // namespace ota
