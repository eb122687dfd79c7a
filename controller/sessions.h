// Sessions: one for each device that is connected. What a device says goes to the fleet, what the
// fleet wants goes to the device. What was said is stored in batches and answered after (P5). What
// an idle device measures lives in memory, where readers find it: it is written when something that
// lasts is another, once in kFactsEvery_ms, and when the link ends.
#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "controller/console.h"
#include "controller/deltas.h"
#include "controller/device_history.h"
#include "controller/enrolment.h"
#include "controller/fleet.h"
#include "controller/flights.h"
#include "controller/metrics.h"
#include "proto/channel.h"

namespace controller {

inline constexpr std::size_t kHeardInBatch = 256;
inline constexpr std::size_t kSmallestBatch = 16;
/// A full batch that holds up the loop for longer is followed by one of half its size.
inline constexpr std::int64_t kBatch_ms = 20;
inline constexpr std::int64_t kHeardWait_ms = 10;
inline constexpr std::int64_t kFactsEvery_ms = 300'000;
/// Flight records that wait to be written, one per device; who comes later says it again.
inline constexpr std::size_t kFlightsWaiting = 256;
inline constexpr std::size_t kFlightsInBatch = 32;

class Sessions {
 public:
  Sessions(boost::asio::io_context& loop, proto::Clock& clock, Store& store, Fleet& fleet,
           Consoles& consoles, Flights& flights, Enrolment& enrolment);
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  /// Adds deltas to what is sent, if it is there; outlives this. Else devices fetch whole images.
  Deltas* deltas = nullptr;
  /// Keeps what devices measure, if it is there; outlives this.
  DeviceHistory* history = nullptr;
  /// Counts links and reports, if it is there; outlives this.
  Metrics* metrics = nullptr;

  /// Whether this certificate is of a device of the fleet. errors unauthenticated | forbidden
  Status may_link(const proto::PeerFacts& peer);
  /// One device's link, until it ends. A newer link of the same device ends the older.
  awaitable<void> serve(std::unique_ptr<proto::Channel> channel);
  /// Stores and answers what devices said; runs for as long as the controller.
  awaitable<void> keep_heard();
  /// The same for flight records.
  awaitable<void> store_flights();
  /// Renews subscriptions of consoles that are followed; runs for as long as the controller.
  awaitable<void> tend_consoles();
  /// Asks a device for its console now, for `ms`.
  void ask_console(const std::string& device_name, const std::string& app, std::int64_t ms);
  /// Ends the link of a device that was revoked.
  void drop(const std::string& device_id);
  void drop_all();
  std::size_t size() const { return sessions_.size(); }
  /// Something was heard that is not stored yet.
  bool is_behind() const { return !heard_.empty(); }

 private:
  struct Session;
  struct Told {};  // its Desired was sent
  struct Gone {};  // its link ended
  using Said = std::variant<v1::Hello, v1::Telemetry, v1::Report, Told, Gone>;
  struct Heard {
    std::string id;
    std::string name;
    Said said;
  };

  awaitable<void> send_loop(Session& session);
  awaitable<void> listen(Session& session);
  Status name(Session& session);
  static Status check_bounds(const v1::Hello& hello);
  Status greet(const Heard& from, const v1::Hello& hello);
  Status compare_audit(const Heard& from, const v1::AuditHead& head);
  Status take_sealing_key(const Heard& from, const std::string& key);
  void take_facts(Session& session, v1::Telemetry facts);
  awaitable<void> serve_expired(proto::Channel& channel);

  // sessions_heard.cc
  void hear(const Session& session, Said said);
  Status take(const Heard& heard);
  Status keep(const std::vector<Heard>& batch);
  awaitable<void> keep_each(std::vector<Heard> batch);
  void answer(const Heard& heard);
  void give_up(std::vector<Heard> batch, const Error& why);

  // sessions_flights.cc
  void take_flight(Session& session, v1::FlightRecord record);
  Status check_known(const v1::FlightRecord& record);
  void acknowledge(const ReceivedFlight& flight, const Status& taken);
  void tell_flights(const std::vector<ReceivedFlight>& kept);
  v1::Envelope renewed(const std::string& device_id, const v1::Renew& renew);
  Session* find(const std::string& device_id);
  Session* find_by_name(const std::string& name);

  boost::asio::io_context& loop_;
  proto::Clock& clock_;
  Store& store_;
  Fleet& fleet_;
  Consoles& consoles_;
  Flights& flights_;
  Enrolment& enrolment_;
  std::map<std::string, Session*> sessions_;  // borrowed from the serve() that runs it
  std::deque<Heard> heard_;
  std::size_t heard_at_once_ = kHeardInBatch / 4;
  proto::Notifier heard_came_;
  bool more_to_do_ = false;  // the fleet has devices to let in
  std::map<std::string, v1::FlightRecord> waiting_flights_;  // by device id
  proto::Notifier flight_came_;
};

}  // namespace controller
