#include "controller/serve.h"

#include <systemd/sd-daemon.h>

#include <boost/asio/io_context.hpp>
#include <utility>

#include "controller/api.h"
#include "controller/orphans.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::ClientCertificate;

constexpr std::int64_t kTickMs = 1000;
constexpr std::int64_t kRenewMs = 60000;
constexpr std::int64_t kHistorySaveMs = 1000;
constexpr std::int64_t kLinksEndMs = 5000;

// While the loop turns. A service manager that hears nothing for its WatchdogSec starts us again.
awaitable<void> feed_watchdog(proto::Clock& clock) {
  std::uint64_t patience_us = 0;
  if (sd_watchdog_enabled(0, &patience_us) <= 0) co_return;
  while (true) {
    sd_notify(0, "WATCHDOG=1");
    co_await proto::sleep_ms(clock, static_cast<std::int64_t>(patience_us / 2000));
  }
}

awaitable<void> run_until_signal(proto::TaskGroup& tasks, Sessions& sessions,
                                 proto::Clock& clock) {
  const int signal = co_await proto::wait_for_stop_signal();
  proto::log_info("controller.stopped", {{"signal", signal}});
  sd_notify(0, "STOPPING=1");
  tasks.close();
  // Links end by themselves when their channel does, and note it; the rest is cancelled.
  const proto::Deadline patience = proto::Deadline::after(clock, kLinksEndMs);
  while ((sessions.size() > 0 || sessions.is_behind()) && !patience.passed(clock)) {
    sessions.drop_all();
    co_await proto::sleep_ms(clock, 10);
  }
  tasks.cancel();
  co_await tasks.join();
}

Result<std::shared_ptr<proto::TlsContext>> make_tls(const DataDir& data, bool for_devices) {
  proto::TlsServerOptions options;
  options.certificate_pem = data.server_pem;
  options.key_pem = data.server_key_pem;
  options.ticket_keys = data.ticket_keys;
  if (for_devices) {
    options.client_ca_pem = data.ca_pem;
    // Optional for enrolment alone: every other route asks for a known certificate.
    options.client_certificate = ClientCertificate::optional;
    // An expired one is good for Renew alone (DESIGN 4).
    options.accept_expired_clients = true;
  }
  return proto::TlsContext::make_server(options);
}

// Devices cannot reach 0.0.0.0: then the name stands for the address.
Endpoint endpoint_of(const ServeOptions& options, const DataDir& data) {
  if (!options.device_address.empty()) return {options.device_address, data.host_name};
  const std::size_t colon = options.device_listen.rfind(':');
  const std::string host = options.device_listen.substr(0, colon);
  if (host.empty() || host == "0.0.0.0" || host == "[::]") {
    return {data.host_name + options.device_listen.substr(colon), data.host_name};
  }
  return {options.device_listen, data.host_name};
}

}  // namespace

awaitable<void> tick_loop(Fleet& fleet, proto::Clock& clock) {
  while (true) {
    co_await proto::sleep_ms(clock, kTickMs);
    const Status ticked = fleet.tick();
    if (!ticked) proto::log_error("rollouts.not_ticked", {{"why", ticked.error().what}});
  }
}

awaitable<void> renew_loop(Metadata& metadata, Metrics& metrics, proto::Clock& clock) {
  while (true) {
    const Result<bool> renewed = metadata.renew();
    if (!renewed) proto::log_error("metadata.not_renewed", {{"why", renewed.error().what}});
    if (!renewed || *renewed) metrics.count_renewal(renewed.has_value());
    co_await proto::sleep_ms(clock, kRenewMs);
  }
}

awaitable<void> history_loop(DeviceHistory& history, proto::Clock& clock) {
  while (true) {
    co_await proto::sleep_ms(clock, kHistorySaveMs);
    const Status saved = history.save_some();
    if (!saved) proto::log_error("history.not_saved", {{"why", saved.error().what}});
  }
}

awaitable<void> orphans_loop(Orphans& orphans, proto::Clock& clock) {
  while (true) {
    co_await proto::sleep_ms(clock, kOrphansLookMs);  // not at the start, which has enough to read
    const auto freed = orphans.look();
    if (!freed) proto::log_error("orphans.kept", {{"why", freed.error().what}});
    if (freed && *freed != 0) {
      proto::log_info("orphans.removed", {{"bytes", std::to_string(*freed)}});
    }
  }
}

Status serve(const ServeOptions& options) {
  TRY(DataDir data, open_data_dir(options.data_dir));
  TRY(const auto store, Store::open(data.database_path()));
  TRY(const auto console_disk, ota::RealDisk::open(options.data_dir + "/consoles"));
  TRY_VOID(data.disk->make_directory("flights"));
  TRY(const auto flight_disk, ota::RealDisk::open(options.data_dir + "/flights"));
  TRY_VOID(data.disk->make_directory("deltas"));
  TRY(const auto delta_disk, ota::RealDisk::open(options.data_dir + "/deltas"));
  TRY(const auto operator_tls, make_tls(data, false));
  TRY(const auto device_tls, make_tls(data, true));
  ota::Blobs blobs(*data.disk);
  TRY_VOID(blobs.prepare());

  boost::asio::io_context loop(1);
  proto::RealClock clock(loop);
  proto::TaskGroup tasks(loop);
  proto::TaskGroup signals(loop);
  proto::BlockingPool hashing("hashing");
  proto::BlockingPool flight_pool("flights");
  proto::BlockingPool delta_pool("deltas");
  Events events(*store, clock);
  Fleet fleet(*store, events, clock);
  TRY_VOID(fleet.recover());
  Consoles consoles(*console_disk, clock);
  Flights flights(*flight_disk, flight_pool, clock);
  const auto is_member = [&store](const std::string& device_id) {
    const auto device = store->member(device_id);
    return !device || (*device && !(*device)->revoked);
  };
  TRY_VOID(flights.open(is_member));
  Metadata metadata(*store, data.online_keys, clock);
  Enrolment enrolment(*store, fleet, data, endpoint_of(options, data), clock);
  Sessions sessions(loop, clock, *store, fleet, consoles, flights, enrolment);
  Deltas deltas(*store, blobs, *delta_disk, delta_pool, clock);
  TRY_VOID(deltas.open());
  sessions.deltas = &deltas;
  DeviceHistory history(clock, *store);
  sessions.history = &history;
  Pushes pushes(*store, fleet, metadata, blobs);
  Orphans orphans(*store, blobs, clock);
  Metrics metrics;
  sessions.metrics = &metrics;
  const Parts parts{*store,   events, fleet,  consoles, flights, metadata,       enrolment,
                    sessions, pushes, blobs,  hashing,  clock,   clock.now_ms(), metrics,
                    &deltas, &history};
  OperatorApi operator_api(parts);
  DeviceApi device_api(parts);

  ListenOptions operators{options.operator_listen, -1, 1000};
  if (sd_listen_fds(1) > 0) operators.inherited_socket = SD_LISTEN_FDS_START;
  TRY(const auto operator_server,
      HttpServer::listen(loop, clock, tasks, operator_tls, operator_api, operators));
  TRY(const auto device_server, HttpServer::listen(loop, clock, tasks, device_tls, device_api,
                                                   {options.device_listen, -1, 15000}));
  tasks.spawn("operators", operator_server->serve());
  tasks.spawn("devices", device_server->serve());
  tasks.spawn("heard", sessions.keep_heard());
  tasks.spawn("flights", sessions.store_flights());
  tasks.spawn("deltas", deltas.make_queued());
  tasks.spawn("consoles", sessions.tend_consoles());
  tasks.spawn("orphans", orphans_loop(orphans, clock));
  tasks.spawn("history", history_loop(history, clock));
  tasks.spawn("rollouts", tick_loop(fleet, clock));
  tasks.spawn("renewal", renew_loop(metadata, metrics, clock));
  tasks.spawn("watchdog", feed_watchdog(clock));
  signals.spawn("signals", run_until_signal(tasks, sessions, clock));
  proto::log_info("controller.started", {{"operators", operator_server->local_address()},
                                         {"devices", device_server->local_address()},
                                         {"version", FLEET_VERSION}});
  sd_notify(0, "READY=1");
  proto::run_loop(loop);
  consoles.save_some(kConsolesInMemory);
  return history.save_all();
}

}  // namespace controller
