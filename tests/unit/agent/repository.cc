#include "tests/unit/agent/repository.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <span>
#include <utility>

#include "agent/trust.h"
#include "ota/hash.h"

namespace tests {
namespace {

template <typename T>
T must(proto::Result<T> result) {
  if (!result) ADD_FAILURE() << result.error().what;
  return std::move(result).value();
}

fleet::v1::Arch this_arch() {
#if defined(__aarch64__)
  return fleet::v1::AARCH64;
#else
  return fleet::v1::X86_64;
#endif
}

}  // namespace

fleet::v1::AppManifest make_manifest(const std::string& app, std::uint64_t release) {
  fleet::v1::AppManifest out;
  out.set_version(1);
  out.set_name(app);
  out.set_release(release);
  fleet::v1::Image* image = out.add_images();
  image->set_arch(this_arch());
  image->set_platform(fleet::v1::VIRTIO);
  image->set_format(fleet::v1::UNIFLEET);
  out.set_run(fleet::v1::VM);
  out.set_memory_bytes(16 * proto::kMiB);
  out.set_cpus(1);
  out.set_log_rate_bytes(16 * proto::kKiB);
  fleet::v1::Interface* network = out.add_network();
  network->set_name("service");
  network->set_bridge("fleet0");
  network->set_address("auto");
  network->mutable_egress()->set_any(true);
  out.set_hostname(app);
  fleet::v1::PublishedPort* port = out.add_publish();
  port->set_host_port(53);
  port->set_guest_port(53);
  port->set_proto(fleet::v1::UDP);
  fleet::v1::Health* health = out.mutable_health();
  health->set_type(fleet::v1::HEALTH_DNS);
  health->set_query("www.example.test A");
  health->set_port(53);
  health->set_start_interval_ms(50);
  health->set_interval_ms(1000);
  health->set_timeout_ms(500);
  health->set_healthy_after(3);
  health->set_unhealthy_after(3);
  health->set_deadline_ms(10'000);
  fleet::v1::Restart* restart = out.mutable_restart();
  restart->set_policy(fleet::v1::ALWAYS);
  restart->set_backoff_ms(100);
  restart->set_backoff_max_ms(30'000);
  restart->set_crash_loop_count(5);
  restart->set_crash_loop_window_ms(600'000);
  fleet::v1::UpdatePolicy* update = out.mutable_update();
  update->set_tries(2);
  update->set_drain_ms(10'000);
  update->set_fallback_window_ms(24 * 3'600'000ULL);
  update->set_watch_ms(600'000);
  update->set_stop_grace_ms(2000);
  update->set_download("any");
  update->set_apply("any");
  return out;
}

Repository::Repository(std::int64_t now) : now_s(now) {
  ota::RootPlan plan;
  plan.root_keys = {root_key_.public_key()};
  plan.targets_keys = {targets_key_.public_key()};
  plan.snapshot_keys = {online_key_.public_key()};
  plan.timestamp_keys = {online_key_.public_key()};
  root_ = must(ota::make_root(plan, now_s));
  const ota::SigningKey* keys[] = {&root_key_};
  root_json_ = ota::sign(root_, keys);
  put_metadata("root", 1, root_json_);
  targets_ = ota::make_targets(now_s);
  publish();
}

void Repository::put_metadata(const std::string& role, std::int64_t version,
                              const std::string& bytes) {
  files[agent::kMetadataPath + ota::metadata_file_name(role, version)] = bytes;
}

void Repository::add(fleet::v1::AppManifest manifest, const std::string& image) {
  const std::string app = manifest.name();
  AppRole& role = apps_[app];
  if (role.role == nullptr) {
    const auto delegated = ota::delegate_app(targets_, app, role.key.public_key());
    ASSERT_TRUE(delegated.has_value()) << delegated.error().what;
    targets_ = ota::next_targets(targets_, now_s);
  }
  ota::ListedRelease listed;
  listed.number = static_cast<std::int64_t>(manifest.release());
  const ota::BlobRef blob{ota::sha256(image), image.size()};
  fleet::v1::Blob* kernel = manifest.mutable_images(0)->mutable_kernel();
  kernel->set_sha256(blob.digest.hex());
  kernel->set_size_bytes(blob.size_bytes);
  files[agent::kBlobsPath + blob.digest.hex()] = image;
  const std::string bytes = manifest.SerializeAsString();
  listed.manifest = {ota::sha256(bytes), bytes.size()};
  listed.blobs = {blob};
  files[agent::kBlobsPath + listed.manifest.digest.hex()] = bytes;
  auto next = must(ota::next_app_role(role.role.get(), app, listed, {}, now_s));
  role.role = std::make_unique<ota::Targets>(std::move(next));
  publish();
}

void Repository::yank(const std::string& app, std::int64_t release) {
  AppRole& role = apps_.at(app);
  const std::int64_t numbers[] = {release};
  auto next = must(ota::edit_app_role(*role.role, app, numbers, now_s));
  role.role = std::make_unique<ota::Targets>(std::move(next));
  publish();
}

void Repository::rotate_online_keys() {
  ota::SigningKey next = ota::SigningKey::generate();
  root_ = ota::next_root(root_, now_s);
  for (const char* role : {ota::Snapshot::kType, ota::Timestamp::kType}) {
    ASSERT_TRUE(ota::replace_key(root_, role, online_key_.keyid(), &next.public_key()));
  }
  online_key_ = std::move(next);
  const ota::SigningKey* keys[] = {&root_key_};
  put_metadata("root", root_.header.version, ota::sign(root_, keys));
  publish();
}

void Repository::publish() {
  const ota::SigningKey* targets_keys[] = {&targets_key_};
  const std::string targets = ota::sign(targets_, targets_keys);
  put_metadata("targets", targets_.header.version, targets);
  described_["targets.json"] = ota::describe(targets, targets_.header.version);
  for (const auto& [app, one] : apps_) {
    const ota::SigningKey* keys[] = {&one.key};
    const std::string bytes = ota::sign(*one.role, keys);
    const std::string role = ota::app_role_name(app);
    put_metadata(role, one.role->header.version, bytes);
    described_[role + ".json"] = ota::describe(bytes, one.role->header.version);
  }
  const ota::SigningKey* online[] = {&online_key_};
  const ota::Snapshot snapshot = ota::make_snapshot(snapshot_version_, described_, now_s);
  snapshot_version_ = snapshot.header.version;
  const std::string snapshot_bytes = ota::sign(snapshot, online);
  put_metadata("snapshot", snapshot_version_, snapshot_bytes);
  const ota::Timestamp timestamp = ota::make_timestamp(
      timestamp_version_, ota::describe(snapshot_bytes, snapshot_version_), now_s);
  timestamp_version_ = timestamp.header.version;
  files[std::string(agent::kMetadataPath) + "timestamp.json"] = ota::sign(timestamp, online);
}

namespace {

class FakeFetch final : public ota::Fetch {
 public:
  FakeFetch(Repository& repository, Wire& wire) : repository_(repository), wire_(wire) {}

  proto::Result<ota::FetchDone> fetch(const ota::FetchRequest& request,
                                      const proto::Fd& file) override {
    if (cancelled_) return proto::Error{proto::Code::cancelled, "cancelled", ""};
    wire_.paths.push_back(request.path);
    if (wire_.failures_left > 0) {
      --wire_.failures_left;
      return proto::Error{wire_.failure, "the wire is cut", ""};
    }
    const std::string& lost = wire_.lost_part;
    if (!lost.empty() && request.path.find(lost) != std::string::npos) {
      return proto::Error{proto::Code::unreachable, request.path + " is lost", ""};
    }
    const auto found = repository_.files.find(request.path);
    if (found == repository_.files.end()) {
      return proto::Error{proto::Code::not_found, request.path + ": 404", ""};
    }
    const std::string& bytes = found->second;
    if (request.max_bytes > 0 && bytes.size() > request.max_bytes) {
      return proto::Error{proto::Code::too_large, request.path + " is too large", ""};
    }
    std::size_t end = bytes.size();
    if (request.max_received_bytes > 0 && end - request.offset_bytes > request.max_received_bytes) {
      return proto::Error{proto::Code::budget, request.path + " is over the budget", ""};
    }
    const bool cut = wire_.cut_blobs_after > 0 && request.expected_bytes > 0 &&
                     request.offset_bytes + wire_.cut_blobs_after < end;
    if (cut) end = request.offset_bytes + wire_.cut_blobs_after;
    const std::size_t count = end - request.offset_bytes;
    const ssize_t written = ::pwrite(file.get(), bytes.data() + request.offset_bytes, count,
                                     static_cast<off_t>(request.offset_bytes));
    if (written < 0) return proto::Error{proto::Code::no_space, "disk full", ""};
    if (request.expected_bytes > 0) wire_.blob_bytes += count;
    if (cut) return proto::Error{proto::Code::closed, "cut short", ""};
    if (request.expected_bytes > 0 && bytes.size() != request.expected_bytes) {
      return proto::Error{proto::Code::bad_digest, "another length", ""};
    }
    return ota::FetchDone{bytes.size(), count};
  }
  proto::Status apply(const ota::DeltaFiles& files) override {
    if (cancelled_) return proto::Error{proto::Code::cancelled, "cancelled", ""};
    return ota::apply_delta(files);
  }
  void cancel() override { cancelled_ = true; }

 private:
  Repository& repository_;
  Wire& wire_;
  bool cancelled_ = false;
};

}  // namespace

std::unique_ptr<ota::Fetch> FakeFetchPort::open() {
  return std::make_unique<FakeFetch>(repository_, wire_);
}

}  // namespace tests
