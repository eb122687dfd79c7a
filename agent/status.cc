#include "agent/status.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

#include "agent/fault.h"
#include "agent/flight_log.h"
#include "ota/metadata.h"
#include "proto/document.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/units.h"

namespace agent {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxStatusBytes = 4 * proto::kMiB;

Error socket_error(const std::string& path, int number) {
  return Error{Code::unreachable, path + ": " + std::strerror(number), ""};
}

std::string app_line(const fleet::v1::AppStatus& app) {
  std::string out = "  " + app.app();
  if (app.live_release() > 0) {
    out += " " + std::to_string(app.live_release()) + "  slot " + app.live_slot();
    const fleet::v1::SlotStatus& live = app.live_slot() == "A" ? app.a() : app.b();
    if (live.yanked()) out += "  yanked";
  }
  out += "  " + proto::word_of(app.state());
  const fleet::v1::InstanceStatus& guest = app.instance();
  if (!guest.id().empty()) {
    out += "  up " + proto::format_elapsed_ms(guest.up_ms()) + "  " + guest.monitor() + "  " +
           guest.address() + "  " + proto::format_size_bytes(guest.memory_bytes());
    if (guest.restarts() > 0) out += "  " + std::to_string(guest.restarts()) + " restarts";
    if (guest.took_over()) out += "  took over as the spare";
  }
  for (const std::string& port : app.ports()) out += "  " + port;
  if (app.stopped()) out += "  stopped by the operator";
  out += "\n";
  if (app.has_spare()) {
    const fleet::v1::InstanceStatus& spare = app.spare();
    out += "    spare " + spare.id() + "  " + (spare.healthy() ? "ready" : "booting") + "  up " +
           proto::format_elapsed_ms(spare.up_ms()) + "  " + spare.address() + "  " +
           proto::format_size_bytes(spare.memory_bytes()) + "\n";
  }
  return out;
}

Status add_flights(State& state, fleet::v1::Device& out) {
  TRY(const std::uint64_t count, FlightLog::count(state.database()));
  out.set_flights(static_cast<std::uint32_t>(count));
  TRY(auto newest, FlightLog::newest(state.database()));
  if (newest) *out.mutable_newest_flight() = std::move(*newest);
  return {};
}

// What signed metadata it holds, and why it takes nothing new.
std::string trust_line(const fleet::v1::MetadataStatus& held) {
  if (held.root_version() == 0) return "";
  std::string out = "trust     root " + std::to_string(held.root_version());
  if (held.timestamp_version() != 0) {
    out += ", timestamp " + std::to_string(held.timestamp_version()) + " good until " +
           ota::format_time(static_cast<std::int64_t>(held.fresh_until_ms() / 1000));
  }
  if (held.has_why()) out += "; the last look brought nothing: " + held.why().text();
  return out + "\n";
}

std::string flights_line(const fleet::v1::Device& device) {
  if (device.flights() == 0) return "";
  const fleet::v1::FlightRecord& newest = device.newest_flight();
  std::string out = "flights   " + std::to_string(device.flights()) + " kept, the newest of " +
                    newest.app() + " " + std::to_string(newest.release()) + ": " +
                    visible(newest.why().text(), kTailLineBytes) + " (fault " +
                    newest.why().fingerprint();
  if (newest.count() > 1) out += ", " + std::to_string(newest.count()) + " times in a row";
  return out + ")\n";
}

// What comes sealed tells nobody anything, and is long.
void add_desired(const fleet::v1::DesiredApp& app, fleet::v1::Device& out) {
  fleet::v1::DesiredApp& shown = *out.add_desired();
  shown = app;
  shown.clear_sealed();
}

}  // namespace

fleet::v1::Device describe_device(Agent& agent, const Identity& identity) {
  fleet::v1::Device out;
  out.set_id(identity.device_id);
  out.set_name(identity.name);
  out.set_online(agent.device().link_up);
  *out.mutable_inventory() = agent.device().inventory();
  for (fleet::v1::AppStatus& app : agent.apps()) *out.add_apps() = std::move(app);
  auto desired = agent.device().state.desired();
  if (desired) {
    for (const fleet::v1::DesiredApp& app : desired->apps()) add_desired(app, out);
  }
  if (agent.device().secrets) out.set_sealing_key(agent.device().secrets->public_hex());
  out.set_agent_version(FLEET_VERSION);
  out.set_generation(agent.generation());
  out.set_generation_applied(agent.generation());
  out.set_certificate_until_ms(
      static_cast<std::uint64_t>(agent.device().ports.credentials.valid_until_ms()));
  const auto audit = agent.device().state.audit_head();
  if (audit) *out.mutable_audit_head() = *audit;
  const Status told = add_flights(agent.device().state, out);
  if (!told) proto::log_error("flights.unreadable", {{"why", told.error().what}});
  return out;
}

proto::awaitable<Status> serve_status(asio::io_context& loop, Agent& agent,
                                      const Identity& identity, std::string socket_path) {
  ::unlink(socket_path.c_str());
  boost::system::error_code error;
  stream_protocol::acceptor acceptor(loop);
  acceptor.open(stream_protocol(), error);
  if (!error) acceptor.bind(stream_protocol::endpoint(socket_path), error);
  if (!error) acceptor.listen(4, error);
  if (error) co_return Error{Code::io, socket_path + ": " + error.message(), ""};
  ::chmod(socket_path.c_str(), S_IRUSR | S_IWUSR);
  while (true) {
    stream_protocol::socket peer(loop);
    const auto [refused] = co_await acceptor.async_accept(peer, kAwait);
    if (refused == asio::error::operation_aborted) co_return Status();
    if (refused) {
      co_await proto::sleep_ms(agent.device().ports.clock, 100);
      continue;
    }
    const fleet::v1::Device device = describe_device(agent, identity);
    const auto json = proto::to_json(device, {true, true});
    if (!json) continue;
    // A reader who does not read is left behind by the kernel's buffer at the latest here.
    const int size = static_cast<int>(json->size()) + 4096;
    peer.set_option(asio::socket_base::send_buffer_size(size), error);
    peer.non_blocking(true, error);
    const std::size_t sent = peer.write_some(asio::buffer(*json), error);
    if (sent < json->size()) {
      proto::log_warning("status.cut_short", {{"bytes", sent}});
    }
  }
}

Result<fleet::v1::Device> ask_status(const std::string& state_dir) {
  const std::string path = state_dir + "/" + kStatusSocket;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{Code::bad_argument, path + " is too long for a socket", ""};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const proto::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return socket_error(path, errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return socket_error(path, errno);
  }
  timeval limit{5, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::string text;
  char buffer[16384];
  while (text.size() < kMaxStatusBytes) {
    const ssize_t size = ::read(socket.get(), buffer, sizeof buffer);
    if (size < 0) return socket_error(path, errno);
    if (size == 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
  }
  return proto::from_json<fleet::v1::Device>(text);
}

Result<fleet::v1::Device> stored_status(const std::string& state_dir, const Identity& identity) {
  TRY(const auto state, State::open(state_dir + "/agent.db"));
  fleet::v1::Device out;
  out.set_id(identity.device_id);
  out.set_name(identity.name);
  TRY(const auto desired, state->desired());
  out.set_generation(desired.generation());
  for (const fleet::v1::DesiredApp& app : desired.apps()) add_desired(app, out);
  TRY(const auto slots, ota::Slots::read_all(state->database()));
  for (const ota::AppSlots& one : slots) {
    fleet::v1::AppStatus* app = out.add_apps();
    app->set_app(one.app);
    app->set_highest_confirmed(one.highest_confirmed);
    if (one.live) {
      app->set_live_slot(ota::name_of(*one.live));
      app->set_live_release(one.live_slot()->release.release);
    }
    TRY(const AppRow row, state->app(one.app));
    app->set_state(row.state);
  }
  TRY_VOID(add_flights(*state, out));
  return out;
}

std::string describe(const fleet::v1::Device& device, bool running) {
  std::string out = device.name() + " (" + device.id() + ")  agent " +
                    (running ? device.agent_version() : "does not run; this is what it stored") +
                    "\n";
  const fleet::v1::Inventory& inventory = device.inventory();
  if (running) {
    out += "link      " +
           std::string(device.online() ? "up" : "down; it goes on by what it knows") + "\n";
    out += "memory    " + proto::format_size_bytes(inventory.memory_free_bytes()) + " free of " +
           proto::format_size_bytes(inventory.memory_total_bytes()) + "\n";
    out += "disk      " + proto::format_size_bytes(inventory.disk_free_bytes()) + " free\n";
    out += trust_line(inventory.metadata());
    int place = 0;  // an image runs on the first that takes it
    for (const fleet::v1::MonitorEvidence& one : inventory.monitors()) {
      out += "monitor   " + (one.usable() ? std::to_string(++place) + "." : std::string("no")) +
             " " + one.name() + ": " + one.evidence() + "\n";
    }
  }
  out += flights_line(device);
  if (!device.sealing_key().empty()) out += "key       " + device.sealing_key() + " for secrets\n";
  if (device.audit_head().sequence() > 0) {
    out += "audit     log seen to " + std::to_string(device.audit_head().sequence()) + ", " +
           device.audit_head().hash() + "\n";
  }
  out += "wanted    generation " + std::to_string(device.generation()) + "\n";
  for (const fleet::v1::AppStatus& app : device.apps()) out += app_line(app);
  if (device.apps().empty()) out += "  no app yet: fleetctl push APP --to SELECTOR\n";
  return out;
}

}  // namespace agent
