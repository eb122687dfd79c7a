// App: one app on this device at run time: what is wanted, its slots, its guests, and the verbs
// that the update (agent/update) and the supervision (agent/supervise) are made of. It never
// decides when to use them; every move of a slot goes with its report.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/device.h"
#include "agent/health_judge.h"
#include "agent/probe_runner.h"
#include "agent/restart_judge.h"
#include "fleet/v1/link.pb.h"
#include "ota/slots.h"

namespace agent {

/// One monitor process that the launcher holds for this app.
struct Guest {
  std::string id;
  ota::SlotName slot = ota::SlotName::a;
  std::uint64_t release = 0;
  std::string attempt;
  std::string monitor;           // label of the choice: "qemu/tcg"
  Ipv4 address;                  // 0 = none of the managed bridge
  std::uint64_t started_ms = 0;  // CLOCK_BOOTTIME
  Instance last;                 // as last listed
  bool lost = false;             // the launcher does not know it any more
  std::uint64_t console_offset = 0;  // how far a console probe has read
  std::string console_line;          // the line begun there
  bool line_seen = false;
  std::vector<std::string> periodic;   // files of its volumes that Agent syncs
  bool as_spare = false;               // it was started as one
  bool forwards = false;               // frames, between two bridges: two of it would be a loop
  std::uint64_t took_over_ms = 0;      // CLOCK_BOOTTIME: a spare that became the live one

  bool ended() const { return lost || last.state == InstanceState::exited; }
};

/// What a guest is called at the launcher, so that a new agent knows it again.
struct GuestTag {
  std::string app;
  ota::SlotName slot = ota::SlotName::a;
  std::uint64_t release = 0;
  std::string attempt;
  std::string monitor;
  bool spare = false;
};
std::string write_tag(const GuestTag& tag);
std::optional<GuestTag> read_tag(std::string_view text);

/// What goes into a report beside the app's state.
struct ReportDraft {
  fleet::v1::DeviceState state = fleet::v1::DEVICE_STATE_UNSPECIFIED;
  std::uint64_t release = 0;
  fleet::v1::Reason why;
  std::string detail;
  std::optional<fleet::v1::FlightRecord> flight;  // kept in the report's transaction
  std::vector<fleet::v1::StepTime> steps;
  std::uint64_t fetched_bytes = 0;
  fleet::v1::DesiredApp wish;    // whose attempt it is
  bool ends_wish = false;        // that wish is done, whatever came of it
  bool reopens_wish = false;     // the newest wish had found done what this takes back
  std::optional<std::string> uplink = {};  // AppRow::uplink from now on
};

/// An old instance that still serves its TCP connections.
struct Leaving {
  Guest guest;
  std::int64_t stop_at_ms = 0;   // monotonic
  bool stop_sent = false;
  std::uint32_t stop_grace_ms = 2000;
};

/// What its volumes took from the disk when that was looked at last.
struct VolumeFacts {
  std::vector<fleet::v1::VolumeStatus> volumes;
  std::string attempt;           // of the live release then
  std::optional<std::int64_t> measured_ms;  // monotonic; none: never
};

/// The warm spare of the live guest (agent/spare): at most one, and when there shall be one.
struct Spare {
  std::optional<Guest> guest;
  bool ready = false;             // it has started and waits
  std::uint64_t cpu_ms = 0;       // as last looked at
  std::int64_t looked_ms = 0;     // monotonic
  std::int64_t start_at_ms = 0;   // monotonic: not started before
  std::optional<RestartJudge> ends;  // its own, which are no restarts of the app
};

/// How a guest comes up: with its ports, without them, or without them as the spare.
enum class StartAs { serving, ports_down, spare };

class App {
 public:
  App(Device& device, std::string name);
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  Device& device;
  const std::string name;
  proto::Notifier changed;             // a wish, a guest or the end of the agent
  fleet::v1::DesiredApp wish;          // the newest; empty app name: nothing is wanted
  std::uint64_t generation = 0;
  ota::AppSlots slots;                 // as committed
  AppRow row;                          // as committed
  std::optional<fleet::v1::AppManifest> manifest;  // of the live slot
  std::optional<Guest> live;
  std::optional<Guest> trial;
  Spare spare;
  std::vector<Leaving> leaving;
  std::optional<std::set<std::string>> snapshots;  // tags of its copies; none: not looked at yet
  VolumeFacts volume_facts;
  std::optional<HealthJudge> judge;    // of the live guest
  std::optional<RestartJudge> restarts;
  std::optional<fleet::v1::DeviceState> busy;      // while an update is under way
  ota::Fetch* fetch = nullptr;         // the running download, to cancel it
  bool hold_live = false;              // stop-start: the live guest stays down during the trial
  bool hold_ports = false;             // going back: ports stay where they are until it is healthy
  std::int64_t restart_at_ms = 0;      // monotonic: the live guest is not started before
  std::int64_t next_probe_ms = 0;      // monotonic, of the live guest
  bool leave_ended = false;            // its restart policy says so
  std::int64_t uplink_since_ms = 0;    // monotonic: its link to the controller is awaited since
  ProbeRunner live_probe;

  bool wish_done() const { return row.wish_done == wish_key(wish); }
  /// True when `key` is no longer what is wanted.
  bool superseded(const std::string& key) const { return wish_key(wish) != key; }
  /// A draft about the wish as it is now.
  ReportDraft draft(fleet::v1::DeviceState state, std::uint64_t release) const;
  /// True while a window of the wished release is closed here: the controller says so, and says
  /// when it opens.
  bool held() const;
  /// True unless the operator said stop or remove.
  bool wanted_running() const;
  /// A new wish; ends a download of an older one. An empty one: what runs is left as it is, what is
  /// under way ends.
  void set_wish(const fleet::v1::DesiredApp& newest, std::uint64_t of_generation);

  /// Reads slots and row. errors io
  proto::Status load();
  /// The manifest of a record, from the store, hashed. errors not_found | bad_digest | io
  proto::awaitable<proto::Result<fleet::v1::AppManifest>> read_manifest(ota::ReleaseRecord record);
  /// Reads the live slot's manifest and starts its judges anew; nothing live: none.
  proto::awaitable<proto::Status> load_live();

  /// Moves slots and row and writes report and flight record, in one transaction.
  /// errors the verb's | no_space | io: then nothing changed
  using Verb = std::function<proto::Result<ota::AppSlots>(ota::Transaction&)>;
  proto::Status move(const Verb& verb, const ReportDraft& draft);
  /// Only a report.
  proto::Status report(const ReportDraft& draft);
  /// The last report once more, with more known than when it was committed, if it was not sent yet.
  proto::Status amend(const ReportDraft& draft);

  /// Starts a guest from verified bytes: every blob is hashed again and the hashed descriptor is
  /// what the monitor gets. errors not_found | bad_digest (bytes) | no_monitor | no_space (address)
  /// | as Launcher::start
  proto::awaitable<proto::Result<Guest>> start(ota::SlotName slot, ota::ReleaseRecord record,
                                               fleet::v1::AppManifest of, StartAs as);
  /// Asks the launcher for all that runs and notes ends. errors launcher | timeout
  proto::Status refresh();
  void log_made(const std::vector<std::string>& volumes) const;
  /// Files of its guests' volumes that are to be synced now and then.
  void add_periodic(std::set<std::string>& files) const;
  /// Measures the volumes of the live release, if that is due.
  proto::awaitable<void> measure_volumes();
  /// Volumes that go with the app: those of the slots' manifests, the live one's word first.
  proto::awaitable<std::vector<std::string>> unkept_volumes();
  /// Whether that instance is a guest of this app, in any role.
  bool holds(std::string_view id) const;
  /// Forgets an ended guest at launcher and network.
  void forget(const Guest& guest);
  /// Hands a guest over to be stopped in `drain_ms`. One that forwards ends that at once.
  void leave(Guest guest, std::uint64_t drain_ms);
  /// Stops what is due to stop, forgets what ended. Called from every loop.
  void tend_leaving();
  /// Closes the published ports, then stops the live guest, if there is one.
  proto::awaitable<void> stop_live();
  /// Stops a guest and waits for its end, at most grace + 5 s.
  proto::awaitable<void> stop_now(Guest guest);
  /// Stops all that leave, drained or not, and waits as long; false if one is still there.
  proto::awaitable<bool> stop_leaving();

  /// Begins a probe of the guest by the manifest's health; the result is in the runner, at once or
  /// later (then `changed` is notified).
  void begin_probe(ProbeRunner& runner, Guest& guest, const fleet::v1::AppManifest& of);
  /// The last console bytes, at most `max_bytes`; "" if they cannot be had.
  std::string console(const Guest& guest, std::size_t max_bytes);
  /// Why it ended, or (still running) why it is judged so by `code` and `text`; without outcome.
  fleet::v1::FlightRecord flight(const Guest& guest, proto::Code code, std::string_view text,
                                 const HealthJudge* of);
  /// Keeps the record of a fault that no report tells.
  void keep_flight(fleet::v1::FlightRecord record, fleet::v1::FlightOutcome outcome);
  /// Sends the console of an ended trial to the controller, as far as there is a link.
  void send_console(const Guest& guest);

  /// Ports follow the live guest; without one that runs they are closed, and what the app has for
  /// that case joins its bridges. What the kernel refuses is told to the log, and tick() tries
  /// again until it is so.
  void publish_live();
  /// The live guest has its ports up, also where an agent was killed before it led them there.
  void raise_live();

  fleet::v1::AppStatus status() const;
  std::uint64_t up_ms(const Guest& guest) const;
  /// Since its start, or since it took over.
  std::uint64_t serving_ms(const Guest& guest) const;
  std::uint32_t stop_grace_ms() const;

 private:
  void fill_volumes(const ota::AppSlots& of, fleet::v1::AppStatus& out) const;
  void fill_instance(const Guest& guest, fleet::v1::InstanceStatus& out) const;
  fleet::v1::AppStatus status_of(const ota::AppSlots& of, fleet::v1::DeviceState state) const;
  fleet::v1::Report to_report(const ReportDraft& draft, const ota::AppSlots& after) const;
  void scan_console(Guest& guest, const std::string& wanted);
  proto::awaitable<void> wait_left(std::string id);  // "": all of them
  void note(Guest& guest, const std::vector<Instance>& listed);

  std::uint64_t last_sequence_ = 0;
};

}  // namespace agent
