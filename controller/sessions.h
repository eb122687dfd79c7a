// Sessions: the controller's end of every device's link (DESIGN 6). Hello becomes stored facts and is
// answered by Desired; reports step the rollouts, in batches, and are acknowledged once stored.
// It never decides about a rollout, and never trusts a length or a text that a device sent.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/console.h"
#include "controller/enrolment.h"
#include "controller/fleet.h"
#include "proto/async.h"
#include "proto/channel.h"

namespace controller {

inline constexpr std::size_t kReportBatch = 256;
inline constexpr std::int64_t kReportBatchMs = 10;  // P5: batches of 256 or 10 ms
inline constexpr std::int64_t kSilenceMs = 30'000;  // a device that says nothing for so long is gone
inline constexpr std::int64_t kHelloMs = 15'000;

class Session;

class Sessions {
 public:
  /// All outlive it.
  Sessions(boost::asio::io_context& loop, proto::Clock& clock, Store& store, Fleet& fleet,
           Consoles& consoles, Enrolment& enrolment);
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  /// Serves one link until it ends. The caller checked the certificate; the row is checked here.
  proto::awaitable<void> serve(std::unique_ptr<proto::Channel> channel);
  /// Writes reports in batches, until cancelled. Once.
  proto::awaitable<void> write_reports();

  /// Ends the link of a device at once: it was revoked, or its row is gone.
  void drop(const std::string& device_id);
  void drop_all();
  /// What a connected device said last; null when it is not connected.
  const v1::Telemetry* facts(const std::string& device_id) const;
  std::int64_t seen_ms(const std::string& device_id) const;

  /// Asks these devices for an app's console until then (Unix ms). Those offline are left out.
  void subscribe(const std::set<std::string>& device_ids, const std::string& app,
                 std::int64_t until_ms);
  std::size_t size() const { return sessions_.size(); }

 private:
  friend class Session;
  struct Pending {
    std::string device_id;
    v1::Report report;
  };

  proto::awaitable<void> serve_expired(proto::Channel& channel, std::string device_id);
  void nudge(const std::set<std::string>& device_ids);
  void flush(std::vector<Pending> batch);
  Status store_batch(std::vector<Pending>& batch);
  Status store_report(Work& work, Session& session, const v1::Report& report);
  void queue_report(const std::string& device_id, v1::Report report);
  Session* find(const std::string& device_id) const;
  Status went_away(Session& session);

  boost::asio::io_context& loop_;
  proto::Clock& clock_;
  Store& store_;
  Fleet& fleet_;
  Consoles& consoles_;
  Enrolment& enrolment_;
  std::map<std::string, Session*> sessions_;  // each is on its serve()'s frame
  std::vector<Pending> pending_;
  proto::Notifier reports_came_;
};

/// Cuts what a device may send at will to what is kept: texts, lists.
void bound_report(v1::Report& report);

}  // namespace controller
