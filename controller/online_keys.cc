#include "controller/online_keys.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "ota/json.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::array kRoles = {ota::Snapshot::kType, ota::Timestamp::kType};
constexpr std::size_t kMaxKeyFile = 16 * 1024;

std::string file_of(std::string_view role) { return std::string(role) + ".key"; }
std::string next_file_of(std::string_view role) { return std::string(role) + ".next.key"; }

Status write(ota::Disk& disk, const std::string& name, const ota::SigningKey& key) {
  const ota::Secret text = key.to_plain_file();
  return disk.replace_file(name, std::as_bytes(std::span(text.data(), text.size())));
}

Result<ota::SigningKey> read(ota::Disk& disk, const std::string& name) {
  TRY(const auto bytes, disk.read_file(name, kMaxKeyFile));
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto key = ota::SigningKey::open(text, ota::Secret());
  return key ? std::move(key) : key.error().with(name);
}

std::string public_half(const ota::SigningKey& key) {
  return ota::canonical_json(key.public_key().to_json());
}

}  // namespace

Status OnlineKeys::make(ota::Disk& disk) {
  for (const char* role : kRoles) {
    TRY_VOID(write(disk, file_of(role), ota::SigningKey::generate()));
  }
  return {};
}

Result<OnlineKeys> OnlineKeys::open(ota::Disk& disk) {
  OnlineKeys keys(disk);
  for (const char* role : kRoles) {
    TRY(ota::SigningKey current, read(disk, file_of(role)));
    Pair pair{std::move(current), {}};
    auto next = read(disk, next_file_of(role));
    if (!next && next.error().code != Code::not_found) return next.error();
    if (next && next->keyid() == pair.current.keyid()) {
      // A stop while it took its place: it has.
      TRY_VOID(disk.remove(next_file_of(role)));
    } else if (next) {
      pair.next = std::move(*next);
    }
    keys.pairs_.emplace(role, std::move(pair));
  }
  return keys;
}

const ota::SigningKey* OnlineKeys::named_by(const ota::Root& root, std::string_view role) const {
  const auto named = root.roles.find(std::string(role));
  const auto pair = pairs_.find(role);
  if (pair == pairs_.end() || named == root.roles.end() || named->second.threshold != 1) {
    return nullptr;
  }
  const auto names = [&named](const ota::SigningKey& key) {
    const auto& ids = named->second.keyids;
    return std::find(ids.begin(), ids.end(), key.keyid()) != ids.end();
  };
  if (names(pair->second.current)) return &pair->second.current;
  return pair->second.next && names(*pair->second.next) ? &*pair->second.next : nullptr;
}

Status OnlineKeys::make_next(std::string_view role) {
  const auto pair = pairs_.find(role);
  if (pair == pairs_.end()) {
    return Error{Code::bad_argument,
                 std::string(role) + ": the controller has keys for snapshot and timestamp alone",
                 std::string(role)};
  }
  if (pair->second.next) return {};
  ota::SigningKey key = ota::SigningKey::generate();
  TRY_VOID(write(*disk_, next_file_of(role), key));
  pair->second.next = std::move(key);
  proto::log_info("key.made", {{"role", role}, {"key", pair->second.next->keyid()}});
  return {};
}

Status OnlineKeys::settle(const ota::Root& root) {
  for (auto& [role, pair] : pairs_) {
    if (!pair.next || named_by(root, role) != &*pair.next) continue;
    TRY_VOID(write(*disk_, file_of(role), *pair.next));
    TRY_VOID(disk_->remove(next_file_of(role)));
    proto::log_info("key.switched", {{"role", role},
                                     {"from", pair.current.keyid()},
                                     {"to", pair.next->keyid()}});
    pair.current = std::move(*pair.next);
    pair.next.reset();
  }
  return {};
}

fleet::v1::OnlineKeys OnlineKeys::to_api() const {
  fleet::v1::OnlineKeys keys;
  const Pair& snapshot = pairs_.find(ota::Snapshot::kType)->second;
  const Pair& timestamp = pairs_.find(ota::Timestamp::kType)->second;
  keys.set_snapshot(public_half(snapshot.current));
  keys.set_timestamp(public_half(timestamp.current));
  if (snapshot.next) keys.set_next_snapshot(public_half(*snapshot.next));
  if (timestamp.next) keys.set_next_timestamp(public_half(*timestamp.next));
  return keys;
}

}  // namespace controller
