// The signing keys of one context: sealed files of mode 600, "<role>--<label>--<8 of the id>.key".
// A secret half is in memory only while something is signed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "deploy/fleetctl/home.h"
#include "ota/keys.h"
#include "proto/result.h"

namespace fleetctl {

/// A key file, told by its public half.
struct StoredKey {
  std::string role;   // "root", "targets", "apps.dns"
  std::string label;  // the machine that made it: "ana-laptop"
  ota::PublicKey key;
  std::string path;
};

/// Where a passphrase comes from: a file, else the terminal.
struct PassphraseSource {
  std::string file;  // --passphrase-file or FLEET_PASSPHRASE_FILE; "" = ask
};

/// errors as ask_secret and read_secret_file
proto::Result<ota::Secret> passphrase_for(const PassphraseSource& source, std::string_view prompt);
/// Asks twice when it comes from the terminal. errors also bad_argument (differ, or under 8 bytes)
proto::Result<ota::Secret> new_passphrase(const PassphraseSource& source);

class KeyStore {
 public:
  /// in     folder: exists, 0700
  explicit KeyStore(std::string folder) : folder_(std::move(folder)) {}

  /// All keys, by role. A file that is no key is an error that names it. errors bad_argument | io
  proto::Result<std::vector<StoredKey>> list() const;
  /// The key of a role whose id is one of `keyids`.
  /// errors not_found, which says whose key is wanted and where keys are looked for
  proto::Result<StoredKey> find(std::string_view role,
                                const std::vector<std::string>& keyids) const;

  /// Seals the key and writes it, also as a second copy when `second_copy` is not "". Each file is
  /// read back and opened before this returns.
  /// errors already_exists | io | no_space | bad_argument (the second copy is in the same folder)
  proto::Result<StoredKey> save(const ota::SigningKey& key, std::string_view role,
                                const ota::Secret& passphrase,
                                const std::string& second_copy) const;

  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
};

/// Opens a sealed key. errors unauthenticated "wrong passphrase for KEY"
proto::Result<ota::SigningKey> open_key(const StoredKey& key, const ota::Secret& passphrase);

/// "apps/dns (ana-laptop, 7f3a91c2)": a role is shown as its path.
std::string describe(const StoredKey& key);
/// "apps.dns" -> "apps/dns"
std::string shown_role(std::string_view role);

}  // namespace fleetctl
