#include "tests/unit/controller/world.h"

#include <span>

#include "proto/manifest.h"

namespace controller {
namespace {

constexpr const char* kManifest =
    "version: 1\n"
    "applications:\n"
    "- name: dns\n"
    "  image: dns.img\n"
    "  memory: 16M\n"
    "  health: {type: process}\n";

ota::BlobRef ref_of(const std::string& bytes) { return {ota::sha256(bytes), bytes.size()}; }

}  // namespace

void Headquarters::found() {
  const std::string path = directory / "controller";
  const Status made = init_data_dir(path, {"fleet.example.net"}, time.wall_ms());
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().what);
  start();
}

void Headquarters::restart() {
  stop();
  start();
}

void Headquarters::stop() {
  pushes.reset();
  enrolment.reset();
  metadata.reset();
  fleet.reset();
  events.reset();
  blobs.reset();
  store.reset();
}

void Headquarters::start() {
  auto opened = open_data_dir(directory / "controller");
  FLEET_ASSERT(opened.has_value());
  data.emplace(std::move(*opened));
  auto opened_store = Store::open(database.empty() ? data->database_path() : database);
  FLEET_ASSERT(opened_store.has_value());
  store = std::move(*opened_store);
  blobs = std::make_unique<ota::Blobs>(blob_disk != nullptr ? *blob_disk : *data->disk);
  FLEET_ASSERT(blobs->prepare().has_value());
  events = std::make_unique<Events>(*store, time);
  fleet = std::make_unique<Fleet>(*store, *events, time);
  metadata = std::make_unique<Metadata>(*store, data->online_keys, time);
  enrolment = std::make_unique<Enrolment>(*store, *fleet, *data,
                                          Endpoint{"192.0.2.1:8444", data->host_name}, time);
  pushes = std::make_unique<Pushes>(*store, *fleet, *metadata, *blobs);
  FLEET_ASSERT(fleet->recover().has_value());
}

Status Headquarters::upload(const v1::MetadataUpload& upload) {
  const auto tell = [this](const News& news) { return fleet->announce(news, "ana"); };
  TRY_VOID(metadata->upload(upload, tell));
  fleet->committed();
  return {};
}

v1::MetadataUpload Headquarters::seen() {
  const auto text = [this](const std::string& name) {
    const auto found = store->metadata(name);
    FLEET_ASSERT(found.has_value() && found->has_value());
    return **found;
  };
  v1::MetadataUpload upload;
  upload.set_restored(true);
  upload.set_role("targets");
  upload.set_json(text("targets"));
  for (const char* name : {"apps.dns", "snapshot", "timestamp"}) {
    v1::MetadataUpload& one = *upload.add_together();
    one.set_role(name);
    one.set_json(text(name));
  }
  return upload;
}

ota::PublicKey Headquarters::key_of(const std::string& json) {
  const auto parsed = ota::parse_json(json);
  FLEET_ASSERT(parsed.has_value());
  const auto key = ota::PublicKey::from_json(*parsed);
  FLEET_ASSERT(key.has_value());
  return *key;
}

void Headquarters::set_up_trust() {
  const std::int64_t now_s = time.wall_ms() / 1000;
  ota::RootPlan plan;
  plan.root_keys = {root_key.public_key()};
  plan.targets_keys = {targets_key.public_key()};
  plan.snapshot_keys = {key_of(data->online_keys.to_api().snapshot())};
  plan.timestamp_keys = {key_of(data->online_keys.to_api().timestamp())};
  const auto made = ota::make_root(plan, now_s);
  FLEET_ASSERT(made.has_value());
  root = *made;
  const ota::SigningKey* const root_keys[] = {&root_key};
  v1::MetadataUpload upload;
  upload.set_role("root");
  upload.set_json(ota::sign(root, root_keys));
  const Status root_taken = this->upload(upload);
  EXPECT_TRUE(root_taken.has_value()) << (root_taken ? "" : root_taken.error().what);

  targets = ota::make_targets(now_s);
  FLEET_ASSERT(ota::delegate_app(targets, "dns", app_key.public_key()).has_value());
  const ota::SigningKey* const targets_keys[] = {&targets_key};
  upload.set_role("targets");
  upload.set_json(ota::sign(targets, targets_keys));
  const Status targets_taken = this->upload(upload);
  EXPECT_TRUE(targets_taken.has_value()) << (targets_taken ? "" : targets_taken.error().what);
}

v1::PushRequest Headquarters::next_push(const std::string& selector, const std::string& image) {
  const auto file = proto::parse_manifest(kManifest, "manifest.yml", ".");
  EXPECT_TRUE(file.has_value()) << (file ? "" : file.error().what);
  v1::AppManifest manifest = file->applications.front().manifest;
  manifest.mutable_update()->MergeFrom(next_update);
  *manifest.mutable_rollout() = next_rollout;
  manifest.mutable_vars()->insert(next_vars.begin(), next_vars.end());
  v1::Image* entry = manifest.add_images();
  entry->set_arch(v1::X86_64);
  entry->set_platform(v1::VIRTIO);
  entry->set_format(v1::UNIFLEET);
  return next_push(selector, image, std::move(manifest));
}

v1::PushRequest Headquarters::next_push(const std::string& selector, const std::string& image,
                                        v1::AppManifest manifest) {
  const auto highest = ota::highest_release(role ? &*role : nullptr, "dns");
  FLEET_ASSERT(highest.has_value());
  const std::int64_t number = *highest + 1;
  manifest.set_release(static_cast<std::uint64_t>(number));
  v1::Blob* kernel = manifest.mutable_images(0)->mutable_kernel();
  kernel->set_sha256(ota::sha256(image).hex());
  kernel->set_size_bytes(image.size());
  const std::string bytes = manifest.SerializeAsString();
  FLEET_ASSERT(blobs->put(ref_of(image), std::as_bytes(std::span(image))).has_value());
  FLEET_ASSERT(blobs->put(ref_of(bytes), std::as_bytes(std::span(bytes))).has_value());

  const ota::ListedRelease added{number, ref_of(bytes), {ref_of(image)}, false};
  auto next = ota::next_app_role(role ? &*role : nullptr, "dns", added, {},
                                 time.wall_ms() / 1000);
  EXPECT_TRUE(next.has_value()) << (next ? "" : next.error().what);
  const ota::SigningKey* const keys[] = {&app_key};
  v1::PushRequest request;
  request.set_app("dns");
  request.set_release(static_cast<std::uint64_t>(number));
  request.set_selector(selector);
  request.set_strategy(v1::ALL);
  request.set_app_metadata(ota::sign(*next, keys));
  role = std::move(*next);
  return request;
}

Result<rollout::Rollout> Headquarters::push(const v1::PushRequest& request,
                                            const std::string& key) {
  return pushes->accept_push(request, "ana", key, request.SerializeAsString(), nearest);
}

Result<rollout::Rollout> Headquarters::order(v1::OrderKind kind, const std::string& selector) {
  v1::OrderRequest request;
  request.set_app("dns");
  request.set_selector(selector);
  request.set_kind(kind);
  return pushes->accept_order(request, "ana", nearest);
}

Status Headquarters::label(const std::string& device_id, const std::string& key,
                           const std::string& value) {
  Store::Transaction transaction(*store);
  TRY_VOID(value.empty() ? store->remove_label(device_id, key)
                         : store->set_label(device_id, key, value));
  TRY(const Subject subject, store->subject(device_id));
  TRY_VOID(fleet->relabelled(subject));
  TRY_VOID(transaction.commit());
  fleet->committed();
  return {};
}

v1::EnrollToken Headquarters::token(std::uint32_t uses, const std::string& group) {
  v1::EnrollTokenRequest request;
  request.set_group(group);
  request.set_uses(uses);
  const auto made = enrolment->make_token(request, "ana");
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().what);
  return made ? *made : v1::EnrollToken();
}

std::string Headquarters::enroll(const std::string& name, const std::string& group) {
  const auto key = proto::PrivateKey::generate();
  v1::EnrollRequest request;
  request.set_token(token(1, group).bootstrap().token());
  request.set_csr_der(*proto::make_csr(*key, "device"));
  request.set_name(name);
  const auto reply = enrolment->enroll(request);
  EXPECT_TRUE(reply.has_value()) << (reply ? "" : reply.error().what);
  return reply ? reply->device_id() : "";
}

std::string Headquarters::id_of(const std::string& name) {
  const auto row = store->device_by_name(name);
  EXPECT_TRUE(row.has_value() && row->has_value()) << name;
  return (*row)->id;
}

void Headquarters::online(const std::string& name) {
  const std::string id = id_of(name);
  EXPECT_TRUE(fleet->came_online(id, name).has_value());
  EXPECT_TRUE(fleet->desired_sent(id).has_value());
}

void Headquarters::offline(const std::string& name) {
  EXPECT_TRUE(fleet->went_offline(id_of(name), name).has_value());
}

std::optional<v1::DesiredApp> Headquarters::wish(const std::string& name) {
  const auto found = store->desired_app(id_of(name), "dns");
  EXPECT_TRUE(found.has_value());
  return *found;
}

std::int64_t Headquarters::generation(const std::string& name) {
  const auto row = store->device_by_name(name);
  return (*row)->generation;
}

Status Headquarters::report(const std::string& name, v1::DeviceState state, std::uint64_t live,
                            const std::optional<Attempt>& of) {
  const std::string id = id_of(name);
  // As a session does: what changed was sent before the device can answer it.
  TRY_VOID(fleet->desired_sent(id));
  const auto wanted = wish(name);
  DeviceReport entry;
  entry.device_id = id;
  entry.report.set_sequence(++sequence);
  entry.report.set_app("dns");
  const Attempt newest = wanted ? Attempt{wanted->attempt(), wanted->release()} : Attempt{};
  entry.report.set_attempt(of.value_or(newest).id);
  entry.report.set_release(of.value_or(newest).release);
  entry.report.set_state(state);
  entry.report.mutable_status()->set_app("dns");
  entry.report.mutable_status()->set_live_release(live);
  const DeviceReport reports[] = {entry};
  return fleet->take_reports(reports);
}

rollout::Rollout Headquarters::rollout(std::int64_t number) {
  const auto found = store->rollout(number);
  FLEET_ASSERT(found.has_value() && found->has_value());
  return **found;
}

v1::DeviceState Headquarters::state(std::int64_t number, const std::string& name) {
  const auto found = store->rollout_device(number, id_of(name));
  FLEET_ASSERT(found.has_value() && found->has_value());
  return (*found)->row.state();
}

}  // namespace controller
