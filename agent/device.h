// Device: what all apps of one device share: ports, stores, network, the monitors that were proved.
// A bag of references with the few verbs that concern more than one app. It decides nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/admit.h"
#include "agent/network.h"
#include "agent/ports.h"
#include "agent/secrets.h"
#include "agent/snapshots.h"
#include "agent/state.h"
#include "agent/trust.h"
#include "agent/volumes.h"
#include "ota/blobs.h"
#include "proto/async.h"

namespace agent {

/// How many updates run at once; the rest wait. Two, so that one slow download stops no other app.
inline constexpr int kUpdatesAtOnce = 2;

class Device {
 public:
  Device(Ports& ports, State& state, std::int64_t build_time_s);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  Ports& ports;
  State& state;
  ota::Blobs blobs;
  Volumes volumes;
  Snapshots snapshots;
  Trust trust;
  LauncherInfo launcher;
  std::unique_ptr<Network> network;        // after the launcher answered
  std::vector<MonitorChoice> monitors;     // after the probe, best first
  MetadataFacts metadata;                  // versions and dates of what is stored
  std::optional<proto::Error> metadata_why;  // the last look at the metadata brought nothing
  std::optional<Secrets> secrets;          // none: no secret can be opened here
  bool ready = false;                      // launcher and monitors are known: guests may start
  bool stopping = false;
  bool link_up = false;
  std::int64_t link_since_ms = 0;          // monotonic: when the link that is up began to be made
  std::int64_t link_lost_ms;               // monotonic: when one was up last, if none is
  std::size_t unadopted = 0;               // apps that have not yet found what runs of them
  bool store_untidy = true;                // blobs may lie there that no record names any more
  proto::Notifier outbox_changed;          // the link waits on it
  proto::Notifier flights_changed;         // and on it, with flight records
  /// Console bytes of an ended trial, for the controller; set by the link.
  std::function<void(fleet::v1::LogChunk)> send_log;
  /// Ends the link, so that it is made anew; set by the link.
  std::function<void()> renew_link;

  /// Whether a link to the controller is up, or was within the last `within_ms`. A start of the
  /// agent counts as one: what it goes on with came by a link, and the next takes its time.
  bool had_link(std::uint64_t within_ms) const;

  /// Unix seconds by DESIGN 4.
  std::int64_t now_s();
  /// Takes what a refresh taught: versions, yanks and the time floor, which are stored. True when
  /// the floor went down, so that what expired by the old one may be asked again.
  /// errors no_space | io
  proto::Result<bool> learn(const MetadataFacts& facts);
  /// Reads what earlier looks taught, after a start. errors io
  proto::Status remember();
  /// Whether this device knows the release as yanked.
  bool is_yanked(std::string_view app, std::uint64_t release) const;
  fleet::v1::Inventory inventory();

  /// Brings the launcher's published ports and bypasses to what `network` says, and flushes flows
  /// of old ones. errors as switch_ports, Launcher::bypass; then it must be called again
  proto::Status publish();
  /// The launcher was restarted: nothing is published there, and no bypass is known.
  void forget_published() { published_.clear(), bypasses_.reset(); }

  /// Waits for a turn to update. False when stopping, or when `given_up` says so.
  proto::awaitable<bool> take_turn(std::function<bool()> given_up);
  void end_turn();

  /// An update has begun that will say what it holds: what an earlier try left of it may be on the
  /// disk.
  void expect_hold(const std::string& app) { held_.emplace(app, std::nullopt); }
  /// Blobs on their way in, which no record pins yet.
  void hold(const std::string& app, std::vector<ota::BlobRef> of) { held_[app] = std::move(of); }
  void let_go(const std::string& app) { held_.erase(app); }
  /// Removes blobs that nothing names, but only once every update has said what it holds: the last
  /// one to end finds them. errors io
  proto::awaitable<proto::Status> collect_blobs();
  /// The same at once, for who needs the room: others may have to fetch again what they had begun.
  proto::awaitable<proto::Status> make_room();

 private:
  proto::Status learn_yanks(const Yanked& told);

  std::int64_t build_time_s_;
  Yanked yanked_;
  std::vector<PublishedPort> published_;
  std::optional<std::vector<BridgePair>> bypasses_;  // as told last
  std::map<std::string, std::optional<std::vector<ota::BlobRef>>> held_;
  int turns_ = 0;
  proto::Notifier turn_ended_;
};

}  // namespace agent
