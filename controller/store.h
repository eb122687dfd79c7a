// The store: all that the controller must not forget, in one SQLite file (WAL, synchronous=FULL)
// behind SOCI. The only SQL of the controller is in store*.cc.
// Every function runs on the loop's thread at once: a transaction here is small (a few rows, one
// fsync: under 5 ms on a plain SSD, device reports come in batches), and with no other writer and
// no co_await between reading and writing there is nothing to lock and nothing to re-check.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/rollout.h"
#include "controller/selector.h"
#include "fleet/v1/api.pb.h"
#include "proto/result.h"

namespace controller {

using proto::Error;
using proto::Result;
using proto::Status;
namespace v1 = fleet::v1;

/// Events older than the newest so many are forgotten, a few at a time.
inline constexpr std::int64_t kEventsKept = 20000;
/// Facts of a device that are larger are read from the file each time.
inline constexpr std::size_t kFactsInMemoryBytes = 8 * 1024;

struct ApiToken {
  std::string name;
  std::string role;
  std::vector<std::string> groups{};  // none: the whole fleet
  std::int64_t created_ms = 0;
  std::int64_t expires_ms = 0;        // 0: never
  std::string by{};
};

struct EnrollTokenRow {
  std::string id;
  std::string hash;
  std::string group;
  std::map<std::string, std::string> labels;
  std::int64_t uses = 1;
  std::int64_t expires_ms = 0;
  std::string by;
  std::int64_t created_ms = 0;
};

struct DeviceRow {
  std::string id;
  std::string name;
  std::string public_key;  // SHA-256 of the certificate's key, hex
  std::int64_t enrolled_ms = 0;
  std::int64_t certificate_until_ms = 0;
  bool revoked = false;
  std::string agent_version;
  std::string address;
  v1::Telemetry facts;     // what it said last
  std::int64_t seen_ms = 0;
  std::int64_t generation = 0;
  std::int64_t generation_applied = 0;
  std::int64_t report_sequence = 0;
  v1::AuditHead audit_head{};  // that it said it holds
  std::int64_t generation_told = 0;  // the highest that was really given to it
  std::int64_t ahead_ms = 0;         // since when it is ahead of this controller; 0: it is not
  std::string ahead_text;
  std::string sealing_key;           // X25519, hex; empty: it told none yet
};

/// What each request of a device asks for: its row without the facts.
struct MemberRow {
  std::string name;
  std::string address;
  bool revoked = false;
};

/// What a device's next generation is at least, and whether it is there to hear it.
struct NextGeneration {
  std::int64_t least = 0;
  bool told = false;
};

struct ReleaseRow {
  std::string app;
  std::int64_t number = 0;
  std::int64_t created_ms = 0;
  std::string by;
  std::string key_id;
  std::string manifest_sha256;
  std::int64_t size_bytes = 0;
  v1::AppManifest manifest;
};

/// One value of one app's variable on one device, as it was set.
struct ConfigRow {
  std::string name;
  std::string value;     // of a secret: sealed to the device, as bytes
  bool sealed = false;
  std::string by;
  std::int64_t set_ms = 0;
};

struct EventRow {
  v1::Event event;
  std::int64_t rollout = 0;
};

struct EventFilter {
  std::int64_t rollout = 0;  // 0: all
  std::string app;
  std::string device;
};

/// How many devices a rollout has, and how many of them are of some groups.
struct RolloutReach {
  std::int64_t devices = 0;
  std::int64_t own = 0;
};

/// For metrics: what one question of the store counts, whatever the size of the fleet.
struct DeviceCounts {
  std::int64_t devices = 0;
  std::int64_t silent_hour = 0;  // not heard for an hour
  std::int64_t silent_day = 0;
  std::int64_t certificates_ending = 0;
  std::int64_t first_certificate_ms = 0;
  std::int64_t ahead = 0;        // of this controller
};

struct IdempotentPush {
  std::string request_sha256;
  std::int64_t rollout = 0;
};

/// The rows of one file. Neither copied nor moved.
/// errors of every function: no_space | io | internal (what is stored cannot be read)
class Store {
 public:
  /// Opens or makes the file and takes the missing schema steps, in one transaction.
  /// errors not_supported (made by a newer controller)
  static Result<std::unique_ptr<Store>> open(const std::string& path);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// All that is written until commit() is kept, or nothing. Not nested.
  class Transaction {
   public:
    explicit Transaction(Store& store);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    /// after  survives power loss
    Status commit();

   private:
    Store& store_;
    Status begun_;
    bool open_ = false;
  };

  Result<std::int64_t> schema_version();

  // store_tokens.cc: what operators log in with.
  Status add_api_token(std::string_view hash, const ApiToken& token);
  Result<std::optional<ApiToken>> api_token(std::string_view hash);
  /// By name.
  Result<std::vector<ApiToken>> api_tokens();
  Status remove_api_token(std::string_view name);

  // store.cc: settings and enrolment tokens.
  Status set_setting(std::string_view name, std::string_view value);
  Result<std::optional<std::string>> setting(std::string_view name);
  Status add_enroll_token(const EnrollTokenRow& token);
  Result<std::optional<EnrollTokenRow>> enroll_token(std::string_view hash);
  /// The device that a use of this token made for this key, and how many uses there were.
  Result<std::optional<std::string>> enroll_use(std::string_view token_id,
                                                std::string_view public_key);
  Result<std::int64_t> enroll_use_count(std::string_view token_id);
  Status add_enroll_use(std::string_view token_id, std::string_view public_key,
                        std::string_view device_id);
  Result<std::optional<IdempotentPush>> idempotent_push(std::string_view key);
  Status add_idempotent_push(std::string_view key, const IdempotentPush& push,
                             std::int64_t now_ms);

  // store_devices.cc
  Status add_device(const DeviceRow& device);
  Result<std::optional<DeviceRow>> device(std::string_view id);
  Result<std::optional<MemberRow>> member(std::string_view id);
  Result<std::optional<DeviceRow>> device_by_name(std::string_view name);
  /// By name. Revoked ones are left out unless asked for.
  Result<std::vector<DeviceRow>> devices(bool with_revoked = false);
  /// What selectors look at, of the devices that are not revoked, by name.
  Result<std::vector<Subject>> subjects();
  Result<Subject> subject(std::string_view id);
  /// in     ending_ms: a certificate that ends before it counts as ending
  Result<DeviceCounts> count_devices(std::int64_t now_ms, std::int64_t ending_ms);
  Status set_facts(std::string_view id, const v1::Telemetry& facts, std::int64_t seen_ms);
  /// Newer facts that are not worth a write: readers see them until the device is let go.
  /// out    false: they are too large for it, set them
  bool hold_facts(std::string_view id, const v1::Telemetry& facts, std::int64_t seen_ms);
  /// Writes what is held of a device that went offline, and holds it no more.
  Status let_go_facts(std::string_view id, std::int64_t seen_ms);
  Status set_hello(std::string_view id, std::string_view agent_version, std::string_view address,
                   std::int64_t generation_applied);
  Status set_report_sequence(std::string_view id, std::int64_t sequence,
                             std::int64_t generation_applied);
  Status set_certificate(std::string_view id, std::string_view public_key, std::int64_t until_ms);
  Status revoke_device(std::string_view id);
  Status add_group(std::string_view id, std::string_view group);
  Status set_label(std::string_view id, std::string_view name, std::string_view value);
  Status remove_label(std::string_view id, std::string_view name);
  /// Raises the device's generation and gives it: one more, and at least `least`.
  Result<std::int64_t> next_generation(std::string_view id, NextGeneration next);
  Result<std::int64_t> generation(std::string_view id);
  /// The highest that was really given to it; 0 for a device that is not there.
  Result<std::int64_t> generation_told(std::string_view id);
  Result<std::vector<DeviceRow>> ahead_devices();
  Result<std::vector<v1::DesiredApp>> desired(std::string_view id);
  /// Of all devices, by id.
  Result<std::map<std::string, std::vector<v1::DesiredApp>>> all_desired();
  Result<std::optional<v1::DesiredApp>> desired_app(std::string_view id, std::string_view app);
  Status set_desired(std::string_view id, const v1::DesiredApp& desired);
  /// Whether the device is still to say what became of that very wish; of a new one it is not.
  Status set_awaited(std::string_view id, std::string_view app, std::string_view attempt,
                     bool awaited);
  Result<bool> is_awaited(std::string_view id, std::string_view app);
  Status remove_desired(std::string_view id, std::string_view app);

  // store_ahead.cc
  /// Writes ahead_ms and ahead_text.
  Status set_ahead(const DeviceRow& device);
  /// The device is there: its generation is about to be sent to it.
  Status set_told(std::string_view id);

  /// Devices that were written since it was asked last; nothing: any may have been.
  std::optional<std::set<std::string>> take_changed_devices();

  // store_config.cc
  /// By name.
  Result<std::vector<ConfigRow>> config(std::string_view id, std::string_view app);
  Status set_config(std::string_view id, std::string_view app, const ConfigRow& row);
  Status unset_config(std::string_view id, std::string_view app, std::string_view name);
  /// Before a change that this rollout carries (0: none): what the value is now can come back.
  Status remember_config(std::string_view id, std::string_view app, std::string_view name,
                         std::int64_t rollout);
  /// What that rollout changed there is as it was before.
  Status restore_config(std::string_view id, std::int64_t rollout);
  /// The app is healthy there with the values as they are: the next change goes back to these.
  Status settle_config(std::string_view id, std::string_view app);
  Status set_sealing_key(std::string_view id, std::string_view key);
  /// 64 hex digits; "": the device has told none yet.
  Result<std::string> sealing_key(std::string_view id);

  // store_releases.cc
  Status add_metadata(std::string_view role, std::int64_t version, std::string_view text);
  /// The newest version, or the one asked for.
  Result<std::optional<std::string>> metadata(std::string_view role);
  Result<std::optional<std::string>> metadata(std::string_view role, std::int64_t version);
  Result<std::vector<std::string>> metadata_roles();
  /// Forgets the versions of a role that are older than its newest `kept`.
  Status trim_metadata(std::string_view role, std::int64_t kept);
  Status add_release(const ReleaseRow& release);
  /// Newest first.
  Result<std::vector<ReleaseRow>> releases(std::string_view app);
  Result<std::optional<ReleaseRow>> newest_release(std::string_view app);
  Result<std::optional<ReleaseRow>> release(std::string_view app, std::int64_t number);
  Result<std::vector<std::string>> apps();
  /// Digests, in hex, of all that releases consist of: manifests, images, files. Reads them all,
  /// some 30 us for each release.
  Result<std::set<std::string>> released_blobs();

  // store_rollouts.cc
  Result<std::int64_t> next_rollout_number();
  Status add_rollout(const rollout::Rollout& rollout);
  Status set_rollout(const rollout::Rollout& rollout);
  Result<std::optional<rollout::Rollout>> rollout(std::int64_t number);
  /// Newest first.
  Result<std::vector<rollout::Rollout>> rollouts(std::int64_t limit);
  Result<std::vector<rollout::Rollout>> rollouts_of(std::string_view app, v1::RolloutState state);
  /// Newest first, of any state.
  Result<std::vector<rollout::Rollout>> rollouts_of_app(std::string_view app, std::int64_t limit);
  /// Under way: running, paused or reverting.
  Result<std::vector<rollout::Rollout>> running_rollouts();
  /// Numbers and apps of those that a device may join (running, paused, succeeded), newest first.
  Result<std::vector<std::pair<std::int64_t, std::string>>> standing_rollouts(std::int64_t limit);
  /// How many there ever were in each state.
  Result<std::map<v1::RolloutState, std::int64_t>> count_rollouts();
  Status add_rollout_device(std::int64_t number, std::string_view app,
                            const rollout::Device& device);
  Status set_rollout_device(std::int64_t number, const rollout::Device& device);
  Status remove_rollout_device(std::int64_t number, std::string_view id);
  Result<std::vector<rollout::Device>> rollout_devices(std::int64_t number);
  /// Those that were reverted, failed or are held.
  Result<std::vector<rollout::Device>> bad_rollout_devices(std::int64_t number);
  Result<std::optional<rollout::Device>> rollout_device(std::int64_t number, std::string_view id);
  Result<RolloutReach> rollout_reach(std::int64_t number, const std::vector<std::string>& groups);
  /// Which rollout a report's attempt belongs to: its number, 0 when none.
  Result<std::int64_t> rollout_of_attempt(std::string_view id, std::string_view attempt);
  /// Numbers of the rollouts that still want something of the device.
  Result<std::vector<std::int64_t>> open_rollouts_of(std::string_view id);
  /// (rollout, device) pairs whose deadline is over.
  Result<std::vector<std::pair<std::int64_t, std::string>>> due(std::int64_t now_ms);
  // store_waves.cc
  struct Waiting {
    std::string id;
    std::string value;  // of the label; "" for none
  };
  /// Online, not let in yet, of that wave or an earlier one, in the order of their turns.
  /// in     limit: so many of them at most; -1: all
  Result<std::vector<Waiting>> waiting_devices(std::int64_t number, std::int64_t wave,
                                               std::string_view label, std::int64_t limit);
  /// Let in by a push or rollback of any app, and not ended; those on their way back, too.
  Result<std::vector<Waiting>> devices_under_way(std::string_view label);
  /// Numbers of rollouts that may let in one of the online devices that wait.
  Result<std::vector<std::int64_t>> rollouts_with_waiting();
  /// Numbers of rollouts that hold a device for online that they want something of.
  Result<std::vector<std::int64_t>> rollouts_with_online();
  /// Of those that say what is to run, which new values do not. 0: it is in none of that app.
  Result<std::int64_t> newest_rollout_of(std::string_view id, std::string_view app);
  Result<std::int64_t> last_event_id();
  Status add_event(const EventRow& row);
  /// With id above `after`, oldest first, at most `limit`.
  Result<std::vector<EventRow>> events_after(std::int64_t after, const EventFilter& filter,
                                             std::int64_t limit);
  /// The newest `limit`, oldest of them first.
  Result<std::vector<EventRow>> recent_events(const EventFilter& filter, std::int64_t limit);
  /// The id of the oldest event that is kept; 0 when there is none.
  Result<std::int64_t> oldest_event_id();

  // store_audit.cc
  /// Inside a transaction: the entry belongs to the change that it tells.
  Status add_audit(const v1::AuditEntry& entry);
  /// sequence 0: the log is empty
  Result<v1::AuditHead> audit_head();
  struct AuditQuestion {
    std::int64_t before = std::numeric_limits<std::int64_t>::max();  // only sequences below
    std::int64_t limit = 1000;
    std::string who, action, object;  // "": any
  };
  /// Newest first.
  Result<std::vector<v1::AuditEntry>> audit(const AuditQuestion& question);
  Status set_device_audit(std::string_view id, const v1::AuditHead& head);
  Result<v1::AuditHead> device_audit(std::string_view id);
  /// Names of the devices whose head is not of this log, unless a person took it for known.
  Result<std::vector<std::string>> audit_strangers();
  Result<bool> is_audit_stranger(std::string_view id);
  Status accept_audit_strangers();

  // store_measured.cc
  /// Inside a transaction. in  span: at_ms is where it begins; takes the place of what is there
  Status add_measured(std::string_view id, const v1::HistorySample& span);
  /// Of these spans those that are there, oldest first.
  Result<std::vector<v1::HistorySample>> measured(std::string_view id,
                                                  const std::vector<std::int64_t>& spans);
  /// Spans that begin before, and of the others the oldest while there are more than `most` rows.
  Status forget_measured(std::int64_t before_ms, std::int64_t most);

  struct Session;
  Session& session() { return *session_; }

 private:
  explicit Store(std::unique_ptr<Session> session);
  Status sync_log();
  Status migrate();
  /// Writes the rollouts of this transaction: at its end, and before a question about them all.
  Status write_rollouts();
  Status write_rollout(const rollout::Rollout& rollout);
  void read_facts(DeviceRow& row, const std::string& json) const;
  void keep_facts(const std::string& id, const v1::Telemetry& facts, std::int64_t seen_ms);
  void forget_transaction();
  void keep_working(std::int64_t number, const rollout::Device& device);

  /// What a device that is online said last, as bytes: a tenth of what the message takes.
  struct HeldFacts {
    std::string bytes;
    std::int64_t seen_ms = 0;
    bool written = false;
  };
  struct WorkingRollout {
    rollout::Rollout value;
    bool changed = false;
  };

  std::unique_ptr<Session> session_;
  std::optional<std::set<std::string>> changed_devices_;
  std::map<std::string, HeldFacts, std::less<>> facts_;      // by device id
  std::set<std::string, std::less<>> facts_of_transaction_;  // written in it: gone if it fails
  // Each device of a batch moves its rollout's counts: they are read and written once for all.
  std::map<std::int64_t, WorkingRollout> working_;
  // A device that is let in or reports is looked at several times in one: its row is read once.
  std::map<std::pair<std::int64_t, std::string>, rollout::Device> working_devices_;
  std::optional<std::int64_t> last_event_;
};

}  // namespace controller
