#include "deploy/fleetctl/trust.h"

#include <chrono>
#include <utility>

#include "deploy/fleetctl/keystore.h"
#include "proto/limits.h"

namespace fleetctl {
namespace {

using proto::Code;

// What an operator should think of a refusal, and do.
proto::Error explained(const proto::Error& error, const std::string& host) {
  switch (error.code) {
    case Code::rollback:
      return proto::Error{error.code,
                          host + " serves older metadata than this machine has seen; nothing is "
                          "signed on top of it: " + error.what + "\nwas the controller restored "
                          "from a backup? give it what this machine has seen:\n"
                          "  fleetctl keys restore\n"
                          "was it taken over? new online keys let everybody begin anew:\n"
                          "  fleetctl keys rotate snapshot timestamp", error.element};
    case Code::bad_signature:
    case Code::bad_digest:
    case Code::bad_metadata:
      return error.with(host + " serves metadata that does not verify; nothing is signed on top "
                        "of it");
    case Code::expired:
      return error.with(host + " serves expired metadata; check the clocks here and there, then "
                        "`fleetctl keys refresh`");
    default:
      return error;
  }
}

}  // namespace

std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch()).count();
}

Trust::Trust(std::unique_ptr<ota::RealDisk> disk, Api& api)
    : disk_(std::move(disk)), store_(*disk_, ""), source_(api),
      updater_(std::make_unique<ota::Updater>(source_, store_)) {}

proto::Result<std::unique_ptr<Trust>> Trust::open(const Context& context, Api& api) {
  TRY_VOID(make_folders(context.tuf_folder()));
  TRY(auto disk, ota::RealDisk::open(context.tuf_folder()));
  return std::unique_ptr<Trust>(new Trust(std::move(disk), api));
}

bool Trust::has_root() { return root_bytes().has_value(); }

proto::Result<std::string> Trust::root_bytes() {
  return store_.read("root.json", proto::kMaxRootBytes);
}

proto::Result<std::string> Trust::seen(std::string_view role) {
  auto bytes = store_.read(ota::metadata_file_name(role), proto::kMaxTargetsBytes);
  if (!bytes && bytes.error().code == Code::not_found) return std::string();
  return bytes;
}

proto::Status Trust::bootstrap(std::string_view root_bytes) {
  return updater_->bootstrap(root_bytes);
}

// Somebody else may have made the keys since the login.
proto::Status Trust::take_first_root() {
  if (has_root()) return {};
  auto first = source_.fetch("1.root.json", proto::kMaxRootBytes);
  if (!first && first.error().code == Code::not_found) {
    return proto::Error{Code::not_found,
                        "this controller has no trust root yet\n"
                        "make the signing keys:  fleetctl keys init --second-copy DIR", {}};
  }
  if (!first) return first.error();
  return updater_->bootstrap(*first);
}

proto::Status Trust::refresh() {
  TRY_VOID(take_first_root());
  const proto::Status status = updater_->refresh(now_.value_or(now_s()));
  return status ? status : proto::Status(explained(status.error(), host_of(source_.base_url())));
}

proto::Status Trust::remember(std::string_view app) {
  TRY_VOID(refresh());
  const auto role = app_role(app);
  return role ? proto::Status() : proto::Status(role.error());
}

proto::Status Trust::refresh_root() {
  TRY_VOID(take_first_root());
  const proto::Status status = updater_->refresh_root(now_s());
  return status ? status : proto::Status(explained(status.error(), host_of(source_.base_url())));
}

const ota::DelegatedRole* Trust::delegation(std::string_view app) const {
  const ota::Signed<ota::Targets>* targets = trusted().targets();
  if (targets == nullptr || !targets->value.delegations) return nullptr;
  const std::string name = ota::app_role_name(app);
  for (const ota::DelegatedRole& role : targets->value.delegations->roles) {
    if (role.name == name) return &role;
  }
  return nullptr;
}

proto::Result<const ota::Signed<ota::Targets>*> Trust::app_role(std::string_view app) {
  if (delegation(app) == nullptr) {
    return proto::Error{Code::not_signed,
                        "the app " + std::string(app) + " has no signing key yet; nothing was "
                        "signed or uploaded\nmake one:  fleetctl keys delegate " +
                            std::string(app), std::string(app)};
  }
  const std::string name = ota::app_role_name(app);
  auto role = updater_->load_role(name);
  // Delegated, but nothing published for it yet: the snapshot does not name it.
  if (!role && role.error().code == Code::not_signed) {
    const ota::Signed<ota::Targets>* none = nullptr;
    return none;
  }
  if (!role) return explained(role.error(), host_of(source_.base_url()));
  return role;
}

}  // namespace fleetctl
