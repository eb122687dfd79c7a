// A controller without network: all its parts on a directory of its own, and an operator who holds
// the signing keys. In a World its clock moves when a test says so.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/data_dir.h"
#include "controller/enrolment.h"
#include "controller/events.h"
#include "controller/fleet.h"
#include "controller/metadata.h"
#include "controller/push.h"
#include "controller/store.h"
#include "ota/blobs.h"
#include "tests/unit/ota/temp_dir.h"
#include "tests/unit/proto/manual_clock.h"

namespace controller {

/// The parts and the operator, on a clock of somebody else.
struct Headquarters {
  /// `clock` outlives it and is not asked here, so that a derived one may own it.
  explicit Headquarters(proto::Clock& clock) : time(clock) {}
  /// Makes the data directory and starts.
  void found();
  void start();
  void stop();
  /// Closes everything and opens it again, as after kill -9.
  void restart();

  // The operator.
  /// Sends roles that were signed, and tells devices of news.
  Status upload(const v1::MetadataUpload& upload);
  /// What an operator who looked now would hold, for a controller that is restored later.
  v1::MetadataUpload seen();
  /// A key as GET /v1/online-keys says it.
  static ota::PublicKey key_of(const std::string& json);
  void set_up_trust();
  /// Uploads image and manifest of the next release of dns, signs its role, and gives the request.
  v1::PushRequest next_push(const std::string& selector, const std::string& image = "image");
  v1::UpdatePolicy next_update;    // what its manifest says of windows
  v1::RolloutPolicy next_rollout;  // and of waves
  std::map<std::string, v1::Var> next_vars;  // and what it declares
  /// The same of that manifest, which names one image.
  v1::PushRequest next_push(const std::string& selector, const std::string& image,
                            v1::AppManifest manifest);
  Result<rollout::Rollout> push(const v1::PushRequest& request, const std::string& key = "");
  Result<rollout::Rollout> order(v1::OrderKind kind, const std::string& selector);
  /// `fleetctl device label`; no value removes it.
  Status label(const std::string& device_id, const std::string& key, const std::string& value);

  // Devices.
  /// Enrols a device in group edge, with a token of its own. out: its id
  std::string enroll(const std::string& name, const std::string& group = "edge");
  v1::EnrollToken token(std::uint32_t uses = 1, const std::string& group = "edge");
  void online(const std::string& name);
  void offline(const std::string& name);
  /// The newest wish of the device for dns.
  std::optional<v1::DesiredApp> wish(const std::string& name);
  std::int64_t generation(const std::string& name);
  struct Attempt {
    std::string id;
    std::uint64_t release = 0;
  };
  /// Reports a state of the newest wish, or of an older one; `live` is what runs after it.
  Status report(const std::string& name, v1::DeviceState state, std::uint64_t live,
                const std::optional<Attempt>& of = std::nullopt);
  std::string id_of(const std::string& name);
  rollout::Rollout rollout(std::int64_t number);
  v1::DeviceState state(std::int64_t number, const std::string& name);

  TempDir directory;
  proto::Clock& time;
  std::string database;              // "": the file in `directory`
  ota::Disk* blob_disk = nullptr;    // null: `directory`
  ota::SigningKey root_key = ota::SigningKey::generate();
  ota::SigningKey targets_key = ota::SigningKey::generate();
  ota::SigningKey app_key = ota::SigningKey::generate();
  ota::Root root;                    // the newest of each that was signed
  ota::Targets targets;
  std::optional<ota::Targets> role;
  std::uint64_t sequence = 0;
  std::vector<std::string> nearest;  // of the last refused selector

  std::optional<DataDir> data;
  std::unique_ptr<Store> store;
  std::unique_ptr<ota::Blobs> blobs;
  std::unique_ptr<Events> events;
  std::unique_ptr<Fleet> fleet;
  std::unique_ptr<Metadata> metadata;
  std::unique_ptr<Enrolment> enrolment;
  std::unique_ptr<Pushes> pushes;
};

struct OwnClock {
  proto_test::ManualClock clock;
};

struct World : OwnClock, Headquarters {
  World() : Headquarters(clock) { found(); }
};

}  // namespace controller
