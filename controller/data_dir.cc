#include "controller/data_dir.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "controller/audit.h"
#include "controller/store.h"
#include "ota/hash.h"

namespace controller {
namespace {

using proto::Code;
using proto::PrivateKey;

// Written last: a folder without it was never finished, and is made again.
constexpr const char* kDone = "host-name";
constexpr std::size_t kMaxFile = 64 * 1024;
constexpr std::size_t kTicketKeyBytes = 32;

Status write(ota::Disk& disk, const char* name, std::string_view text) {
  return disk.replace_file(name, std::as_bytes(std::span(text.data(), text.size())));
}

Result<std::string> read(ota::Disk& disk, const char* name) {
  TRY(const auto bytes, disk.read_file(name, kMaxFile));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Status make_identity(ota::Disk& disk, const std::vector<std::string>& names,
                     std::int64_t wall_ms) {
  TRY(const PrivateKey ca_key, PrivateKey::generate());
  TRY(const std::string ca_pem,
      proto::make_ca(ca_key, "unifleet-ca", {wall_ms, kCaDays}));
  TRY(const PrivateKey server_key, PrivateKey::generate());
  TRY(const std::string server_pem,
      proto::issue_server_certificate({ca_pem, ca_key}, server_key, names,
                                      {wall_ms, kServerDays}));
  TRY_VOID(write(disk, "ca.key", ca_key.to_pem()));
  TRY_VOID(write(disk, "ca.pem", ca_pem));
  TRY_VOID(write(disk, "server.key", server_key.to_pem()));
  return write(disk, "server.pem", server_pem);
}

Status make_keys(ota::Disk& disk) {
  TRY_VOID(OnlineKeys::make(disk));
  ota::Secret ticket(kTicketKeyBytes);
  ota::random_bytes(std::span(ticket.data(), ticket.size()));
  return write(disk, "ticket.key", ticket.view());
}

Status make_token(ota::Disk& disk, const std::string& database, std::int64_t wall_ms) {
  TRY(const auto store, Store::open(database));
  std::string token = ota::random_token();
  TRY_VOID(write(disk, "admin.token", token + "\n"));
  Store::Transaction transaction(*store);
  const Status added =
      store->add_api_token(ota::hash_token(token).hex(), {"admin", "admin", {}, wall_ms});
  ota::wipe(token);
  TRY_VOID(added);
  TRY_VOID(append_audit(*store, wall_ms,
                        {"fleet-controller init", "token.created", "admin", "role admin"}));
  return transaction.commit();
}

}  // namespace

Status init_data_dir(const std::string& path, std::vector<std::string> names,
                     std::int64_t wall_ms) {
  if (std::find(names.begin(), names.end(), "localhost") == names.end()) {
    names.emplace_back("localhost");
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{Code::io, path + ": " + std::strerror(errno), path};
  }
  if (::chmod(path.c_str(), 0700) != 0) {
    return Error{Code::io, path + ": " + std::strerror(errno), path};
  }
  TRY(const auto disk, ota::RealDisk::open(path));
  if (read(*disk, kDone)) {
    return Error{Code::already_exists,
                 path + " holds a controller already; start it with: fleet-controller serve"
                        " --data-dir " + path, path};
  }
  TRY_VOID(make_identity(*disk, names, wall_ms));
  TRY_VOID(make_keys(*disk));
  TRY_VOID(disk->make_directory("consoles"));
  TRY_VOID(make_token(*disk, path + "/controller.db", wall_ms));
  return write(*disk, kDone, names.front());
}

Result<DataDir> open_data_dir(const std::string& path) {
  auto disk = ota::RealDisk::open(path);
  auto host_name = disk ? read(**disk, kDone) : Result<std::string>(disk.error());
  if (!host_name) {
    return Error{Code::not_found,
                 path + " holds no controller; make one with: fleet-controller init --data-dir " +
                     path + " --hostname NAME", path};
  }
  TRY(std::string ca_pem, read(**disk, "ca.pem"));
  TRY(const std::string ca_key_pem, read(**disk, "ca.key"));
  TRY(PrivateKey ca_key, PrivateKey::from_pem(ca_key_pem));
  TRY(std::string server_pem, read(**disk, "server.pem"));
  TRY(std::string server_key_pem, read(**disk, "server.key"));
  TRY(std::string ticket, read(**disk, "ticket.key"));
  TRY(OnlineKeys online_keys, OnlineKeys::open(**disk));
  return DataDir{path,
                 std::move(*disk),
                 std::move(ca_pem),
                 std::move(ca_key),
                 std::move(server_pem),
                 std::move(server_key_pem),
                 {std::move(ticket)},
                 std::move(*host_name),
                 std::move(online_keys)};
}

}  // namespace controller
