#include "deploy/fleetctl/keys_sign.h"

#include <algorithm>
#include <span>

#include "deploy/fleetctl/text.h"
#include "ota/json.h"
#include "proto/limits.h"

namespace fleetctl {
namespace {

using proto::Code;

constexpr std::size_t kMaxKeyFileBytes = 16 * 1024;

proto::Result<std::string> add_signatures(std::string bytes,
                                          const std::vector<ota::SigningKey>& keys) {
  for (const ota::SigningKey& key : keys) {
    TRY(bytes, ota::add_signature(bytes, key));
  }
  return bytes;
}

std::string shorts(const std::vector<std::string>& ids) {
  std::vector<std::string> texts;
  for (const std::string& id : ids) texts.push_back(short_digest(id));
  return join(texts, ", ");
}

void show_progress(const Program& program, const RootDraft& draft, const std::string& file,
                   const std::string& next) {
  const auto count = [](const SignatureCount& each) {
    return ota::Json::object({{"have", each.have}, {"want", each.want}});
  };
  if (program.json) {
    program.terminal.line(ota::pretty_json(ota::Json::object(
        {{"root", draft.next.value.header.version}, {"file", file},
         {"by_old_keys", count(draft.by_old_keys())}, {"by_new_keys", count(draft.by_new_keys())},
         {"complete", draft.complete()}})));
    return;
  }
  program.terminal.line("Root " + std::to_string(draft.next.value.header.version) + " in " + file +
                        ": " + draft.progress() + ".");
  if (!draft.complete()) {
    program.terminal.line("  may sign   " + shorts(draft.unsigned_keyids()));
  }
  program.terminal.line("  next       " + next);
}

// The root that the draft must follow: the one that was named, else what this machine saw last.
proto::Result<ota::Signed<ota::Root>> trusted_root(const Program& program,
                                                   const KeysOptions& options) {
  std::string path = options.on_file;
  if (path.empty()) {
    TRY(const Connection connection, connect(program));
    path = connection.context.tuf_folder() + "/root.json";
  }
  TRY(const std::string bytes, read_small_file(path, proto::kMaxRootBytes));
  auto root = ota::parse_root(bytes);
  return root ? std::move(root) : root.error().with(path);
}

// The keys that were named as files, else those of the context. Only those that may sign.
proto::Result<std::vector<StoredKey>> signers(const Program& program, const KeysOptions& options,
                                              const RootDraft& draft) {
  std::vector<StoredKey> all;
  for (const std::string& path : options.key_files) {
    TRY(const std::string text, read_small_file(path, kMaxKeyFileBytes));
    auto half = ota::SigningKey::public_half(text);
    if (!half) return half.error().with("the key file " + path);
    all.push_back({"root", path, std::move(*half), path});
  }
  std::string where = join(options.key_files, ", ");
  if (options.key_files.empty()) {
    TRY(const Connection connection, connect(program));
    where = connection.context.keys_folder();
    TRY(all, KeyStore(where).list());
  }
  const std::vector<std::string> wanted = draft.unsigned_keyids();
  std::erase_if(all, [&](const StoredKey& key) {
    return std::find(wanted.begin(), wanted.end(), key.key.keyid()) == wanted.end();
  });
  if (!all.empty()) return all;
  return proto::Error{Code::not_found,
                      "no key in " + where + " may sign it, or each has signed; missing are " +
                          shorts(wanted), {}};
}

CommandResult publish_draft(Program& program, const std::string& bytes, const RootDraft& draft) {
  TRY(const Connection connection, connect(program));
  TRY_VOID(send_metadata(*connection.api, "root", bytes));
  TRY(const auto trust, Trust::open(connection.context, *connection.api));
  const proto::Status seen = trust->refresh();
  if (seen && program.json) return keys_list(program);
  program.terminal.line("Root " + std::to_string(draft.next.value.header.version) + " of " +
                        connection.host() + " is in force.");
  // One of two stolen online keys was replaced, say: the root counts all the same.
  if (!seen) program.terminal.note(seen.error().what);
  return ExitCode::ok;
}

}  // namespace

proto::Status check_second_copy(const std::string& command, const KeysOptions& options) {
  if (!options.second_copy.empty()) return {};
  return proto::Error{Code::bad_argument,
                      "keys " + command + " needs --second-copy DIR: a lost root key cannot be "
                      "made again, and with it every device would have to be enrolled anew\n"
                      "name a folder on another disk, best one that is kept elsewhere", {}};
}

proto::Status send_metadata(Api& api, const std::string& role, const std::string& json) {
  fleet::v1::MetadataUpload upload;
  upload.set_role(role);
  upload.set_json(json);
  return api.upload_metadata(upload);
}

proto::Result<ota::PublicKey> read_online_key(const std::string& json, const std::string& role) {
  auto parsed = ota::parse_json(json);
  if (!parsed) return parsed.error().with("the controller's " + role + " key");
  return ota::PublicKey::from_json(*parsed);
}

std::vector<std::string> keyids_of(const Trust& trust, const std::string& role) {
  if (role.starts_with("apps.")) {
    const ota::DelegatedRole* line = trust.delegation(role.substr(5));
    return line == nullptr ? std::vector<std::string>() : line->keys.keyids;
  }
  const auto& roles = trust.root().value.roles;
  const auto found = roles.find(role);
  return found == roles.end() ? std::vector<std::string>() : found->second.keyids;
}

proto::Result<std::vector<ota::SigningKey>> open_keys(const KeyStore& keys,
                                                      const std::vector<std::string>& keyids,
                                                      const ota::Secret& passphrase) {
  TRY(const std::vector<StoredKey> all, keys.list());
  std::vector<ota::SigningKey> opened;
  for (const StoredKey& stored : all) {
    if (std::find(keyids.begin(), keyids.end(), stored.key.keyid()) == keyids.end()) continue;
    TRY(ota::SigningKey key, open_key(stored, passphrase));
    opened.push_back(std::move(key));
  }
  return opened;
}

CommandResult deliver_root(Program& program, const Connection& connection, Trust& trust,
                           const ota::Root& next, const ota::Secret& passphrase,
                           const std::string& out) {
  const ota::Signed<ota::Root>& trusted = trust.root();
  std::string bytes = ota::sign(next, {});
  TRY(const RootDraft empty, read_root_draft(bytes, trusted.value));
  TRY(const auto keys, open_keys(KeyStore(connection.context.keys_folder()),
                                 empty.unsigned_keyids(), passphrase));
  TRY(bytes, add_signatures(std::move(bytes), keys));
  TRY(const RootDraft draft, read_root_draft(bytes, trusted.value));
  if (draft.complete()) return publish_draft(program, bytes, draft);
  const std::string version = std::to_string(next.header.version);
  const std::string file = out.empty() ? "root-" + version + ".json" : out;
  const std::string before = file + ".follows";
  TRY_VOID(write_private_file(before, trusted.raw));
  TRY_VOID(write_private_file(file, bytes));
  show_progress(program, draft, file,
                "where another key is:  fleetctl keys sign " + file + " --on " + before);
  return ExitCode::ok;
}

CommandResult keys_sign(Program& program, const KeysOptions& options) {
  TRY(std::string bytes, read_small_file(options.file, proto::kMaxRootBytes));
  TRY(const auto trusted, trusted_root(program, options));
  auto draft = read_root_draft(bytes, trusted.value);
  if (!draft) return draft.error().with(options.file);
  if (options.publish && draft->complete()) return publish_draft(program, bytes, *draft);
  TRY(const std::vector<StoredKey> stored, signers(program, options, *draft));
  program.terminal.note("Root " + std::to_string(draft->next.value.header.version) + " changes:");
  for (const std::string& line : draft->changes()) program.terminal.note("  " + line);
  std::vector<ota::SigningKey> keys;
  for (const StoredKey& each : stored) {
    TRY(const ota::Secret passphrase,
        passphrase_for(passphrase_source(options.passphrase_file),
                       "To sign it with key " + describe(each) + ": passphrase:"));
    TRY(ota::SigningKey key, open_key(each, passphrase));
    keys.push_back(std::move(key));
  }
  TRY(bytes, add_signatures(std::move(bytes), keys));
  TRY(const RootDraft signed_draft, read_root_draft(bytes, trusted.value));
  TRY_VOID(write_private_file(options.file, bytes));
  if (options.publish && signed_draft.complete()) {
    return publish_draft(program, bytes, signed_draft);
  }
  show_progress(program, signed_draft, options.file,
                signed_draft.complete()
                    ? "with a network:  fleetctl keys sign " + options.file + " --publish"
                    : "where another key is:  fleetctl keys sign " + options.file);
  return ExitCode::ok;
}

}  // namespace fleetctl
