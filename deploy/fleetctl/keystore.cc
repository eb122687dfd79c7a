#include "deploy/fleetctl/keystore.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "deploy/fleetctl/terminal.h"
#include "deploy/fleetctl/text.h"

namespace fleetctl {
namespace {

namespace fs = std::filesystem;
using proto::Code;

constexpr std::size_t kMaxKeyFileBytes = 16 * 1024;
constexpr std::size_t kMinPassphraseBytes = 8;
constexpr std::string_view kEnding = ".key";
constexpr std::string_view kBetween = "--";

// The machine's name as a part of a file name.
std::string machine_label() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "machine";
  std::string label;
  for (const char c : std::string(name.data()).substr(0, 40)) {
    label += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  }
  // Two dashes part the fields of a file name.
  for (std::size_t at = label.find("--"); at != std::string::npos; at = label.find("--")) {
    label.erase(at, 1);
  }
  return label.empty() ? "machine" : label;
}

// Role and label of "<role>--<label>--<id>.key"; empty when it is no such name.
std::pair<std::string, std::string> parts_of(std::string_view name) {
  const std::size_t first = name.find(kBetween);
  const std::size_t last = name.rfind(kBetween);
  if (first == std::string_view::npos || last <= first + 1) return {};
  return {std::string(name.substr(0, first)),
          std::string(name.substr(first + 2, last - first - 2))};
}

// Writes one copy and proves that it can be opened.
proto::Status write_copy(const std::string& path, const std::string& sealed,
                         const ota::Secret& passphrase, const std::string& keyid) {
  std::error_code error;
  if (fs::exists(path, error)) {
    return proto::Error{Code::already_exists, "the key file " + path + " is there already", {}};
  }
  TRY_VOID(write_private_file(path, sealed));
  TRY(const std::string back, read_small_file(path, kMaxKeyFileBytes));
  const auto opened = ota::SigningKey::open(back, passphrase);
  if (!opened || opened->keyid() != keyid) {
    return proto::Error{Code::io, "the key file " + path + " cannot be opened after writing it; "
                        "the disk is not to be trusted", {}};
  }
  return {};
}

}  // namespace

std::string shown_role(std::string_view role) {
  std::string shown(role);
  if (shown.starts_with("apps.")) shown[4] = '/';
  return shown;
}

std::string describe(const StoredKey& key) {
  return shown_role(key.role) + " (" + key.label + ", " + short_digest(key.key.keyid()) + ")";
}

proto::Result<ota::Secret> passphrase_for(const PassphraseSource& source,
                                          std::string_view prompt) {
  if (!source.file.empty()) return read_secret_file(source.file, "the passphrase");
  return ask_secret(prompt);
}

proto::Result<ota::Secret> new_passphrase(const PassphraseSource& source) {
  TRY(ota::Secret first, passphrase_for(source, "New passphrase for the signing keys:"));
  if (first.size() < kMinPassphraseBytes) {
    return proto::Error{Code::bad_argument, "the passphrase is too short; at least 8 characters",
                        {}};
  }
  if (!source.file.empty()) return first;
  TRY(const ota::Secret second, ask_secret("The same again:"));
  if (first.view() != second.view()) {
    return proto::Error{Code::bad_argument, "the two passphrases differ; nothing was made", {}};
  }
  return first;
}

proto::Result<std::vector<StoredKey>> KeyStore::list() const {
  std::vector<StoredKey> keys;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(kEnding)) continue;
    const auto [role, label] = parts_of(name);
    if (role.empty()) continue;
    TRY(const std::string text, read_small_file(entry.path().string(), kMaxKeyFileBytes));
    auto half = ota::SigningKey::public_half(text);
    if (!half) return half.error().with("the key file " + entry.path().string());
    keys.push_back({role, label, std::move(*half), entry.path().string()});
  }
  std::sort(keys.begin(), keys.end(),
            [](const StoredKey& a, const StoredKey& b) { return a.path < b.path; });
  return keys;
}

proto::Result<StoredKey> KeyStore::find(std::string_view role,
                                        const std::vector<std::string>& keyids) const {
  TRY(const std::vector<StoredKey> keys, list());
  for (const StoredKey& key : keys) {
    const bool wanted = std::find(keyids.begin(), keyids.end(), key.key.keyid()) != keyids.end();
    if (key.role == role && wanted) return key;
  }
  std::vector<std::string> ids;
  for (const std::string& id : keyids) ids.push_back(short_digest(id));
  return proto::Error{Code::not_found,
                      "no key for " + shown_role(role) + " is on this machine; key " +
                          join(ids, " or ") + " may sign it\nput its file into " + folder_ +
                          (role.starts_with("apps.") ? ", or let who holds the targets key "
                                                       "delegate the app to a key of yours"
                                                     : ""), {}};
}

proto::Result<StoredKey> KeyStore::save(const ota::SigningKey& key, std::string_view role,
                                        const ota::Secret& passphrase,
                                        const std::string& second_copy) const {
  const std::string label = machine_label();
  const std::string name = std::string(role) + std::string(kBetween) + label +
                           std::string(kBetween) + short_digest(key.keyid()) +
                           std::string(kEnding);
  TRY(const std::string sealed, key.seal(passphrase));
  if (!second_copy.empty()) {
    TRY_VOID(make_folders(second_copy));
    std::error_code error;
    if (fs::equivalent(second_copy, folder_, error)) {
      return proto::Error{Code::bad_argument,
                          "--second-copy " + second_copy + " is where the first copy is; name a "
                          "folder on another disk, best one that is kept elsewhere", {}};
    }
    TRY_VOID(write_copy(second_copy + "/" + name, sealed, passphrase, key.keyid()));
  }
  TRY_VOID(write_copy(folder_ + "/" + name, sealed, passphrase, key.keyid()));
  return StoredKey{std::string(role), label, key.public_key(), folder_ + "/" + name};
}

proto::Result<ota::SigningKey> open_key(const StoredKey& key, const ota::Secret& passphrase) {
  TRY(const std::string text, read_small_file(key.path, kMaxKeyFileBytes));
  auto opened = ota::SigningKey::open(text, passphrase);
  if (!opened && opened.error().code == Code::unauthenticated) {
    return proto::Error{Code::unauthenticated,
                        "wrong passphrase for the key " + describe(key) + "; nothing was signed",
                        {}};
  }
  return opened;
}

}  // namespace fleetctl
