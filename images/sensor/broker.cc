#include "images/sensor/broker.h"

#include <lwip/tcp.h>

#include <algorithm>
#include <array>

#include "images/runtime/console.h"
#include "images/runtime/platform.h"
#include "images/runtime/random.h"
#include "images/sensor/command.h"
#include "images/sensor/packets.h"
#include "images/sensor/payload.h"

namespace images::sensor {
namespace {

using runtime::print;

constexpr std::uint64_t kFirstPauseMs = 1000;
constexpr std::uint64_t kLongestPauseMs = 60'000;
constexpr std::uint64_t kConnectMs = 15'000;  // of TCP and CONNECT together
constexpr std::size_t kMostOnWay = 16;
constexpr std::string_view kPrefix = "sensors/";
constexpr std::string_view kOnline = "online";
constexpr std::string_view kOffline = "offline";

// Packet identifiers: messages have those below, by their sequence.
constexpr std::uint16_t kMessageIds = 65'000;
constexpr std::uint16_t kSubscribeId = kMessageIds + 1;
constexpr std::uint16_t kStatusId = kMessageIds + 2;

enum class Phase { paused, connecting, greeted, connected };

/// PREFIX/LAST, put together once.
class Topic {
 public:
  void set(std::string_view prefix, std::string_view last) {
    size_ = 0;
    for (const std::string_view part : {prefix, last}) {
      for (const char c : part) {
        if (size_ < text_.size()) text_[size_++] = c;
      }
    }
  }
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, kPrefix.size() + kMaxTopicBytes + kMaxNameBytes + 2> text_{};
  std::size_t size_ = 0;
};

struct State {
  BrokerOptions options;
  Topic prefix, status, command, reply;
  Phase phase = Phase::paused;
  tcp_pcb* connection = nullptr;
  PacketReader reader;
  PacketWriter writer;
  std::uint64_t pause_ms = kFirstPauseMs;
  std::uint64_t next_ms = 0;  // paused: when to connect; connecting and greeted: when to give up
  std::uint64_t heard_ms = 0;
  std::uint64_t sent_ms = 0;
  std::uint32_t boot = 0;
  BrokerCounters counters;
};
State broker;

std::uint64_t now() { return runtime::platform::monotonic_ms(); }

std::uint16_t id_of(std::uint64_t sequence) {
  return static_cast<std::uint16_t>(sequence % kMessageIds + 1);
}

runtime::Ipv4 address() {
  const auto& from = broker.options.settings->broker;
  return {{from[0], from[1], from[2], from[3]}};
}

/// No connection any more, by whichever way: what was on its way is sent again on the next one.
void pause(const char* why) {
  broker.options.buffer->connection_ended();
  broker.counters.connected = false;
  broker.phase = Phase::paused;
  broker.connection = nullptr;
  // Half to all of it: a thousand sensors of one broker do not come back at once.
  const std::uint64_t wait = broker.pause_ms / 2 + runtime::random_u32() % (broker.pause_ms / 2);
  broker.next_ms = now() + wait;
  broker.pause_ms = std::min(broker.pause_ms * 2, kLongestPauseMs);
  print("sensor: ", address(), ":", broker.options.settings->port, " ", why, "; again in ", wait,
        " ms, ", broker.options.buffer->size(), " messages wait");
}

/// In a callback of lwIP its result must be returned.
err_t abandon(const char* why) {
  tcp_arg(broker.connection, nullptr);
  tcp_err(broker.connection, nullptr);
  tcp_recv(broker.connection, nullptr);
  tcp_abort(broker.connection);
  pause(why);
  return ERR_ABRT;
}

/// All of the packet, or nothing where the connection cannot take it now.
bool send() {
  const auto bytes = broker.writer.bytes();
  if (bytes.empty() || bytes.size() > tcp_sndbuf(broker.connection)) return false;
  if (tcp_write(broker.connection, bytes.data(), static_cast<u16_t>(bytes.size()),
                TCP_WRITE_FLAG_COPY) != ERR_OK) {
    return false;
  }
  tcp_output(broker.connection);
  broker.sent_ms = now();
  return true;
}

void publish_waiting() {
  Buffer& buffer = *broker.options.buffer;
  for (const Message* message = buffer.next(); message != nullptr; message = buffer.next()) {
    if (buffer.on_way() >= kMostOnWay) return;
    const SensorSettings& sensor = broker.options.settings->sensors[message->sensor];
    Topic topic;
    topic.set(broker.prefix.text(), sensor.name);
    const Payload payload(*message, sensor, {broker.boot, buffer.lost(), now()});
    broker.writer.publish(topic.text(), payload.text(), id_of(message->sequence), false);
    if (!send()) return;
    buffer.sent();
  }
}

const char* refusal(std::uint8_t code) {
  switch (code) {
    case 1: return "refused: no MQTT 3.1.1";
    case 2: return "refused: the client's name";
    case 3: return "refused: not available";
    case 4: return "refused: user or password";
    case 5: return "refused: not authorised";
    default: return "refused";
  }
}

/// nullptr: well; else why the connection is of no use.
const char* take_connack(const Packet& packet) {
  if (broker.phase != Phase::greeted || packet.body.size() != 2) return "does not speak MQTT";
  if (packet.body[1] != 0) return refusal(packet.body[1]);
  broker.phase = Phase::connected;
  broker.pause_ms = kFirstPauseMs;
  broker.counters.connected = true;
  ++broker.counters.connects;
  print("sensor: connected to ", address(), ":", broker.options.settings->port, " as ",
        broker.options.settings->client);
  broker.writer.subscribe(broker.command.text(), kSubscribeId);
  if (!send()) return "takes nothing";
  broker.writer.publish(broker.status.text(), kOnline, kStatusId, true);
  return send() ? nullptr : "takes nothing";
}

void take_puback(std::uint16_t id) {
  Buffer& buffer = *broker.options.buffer;
  for (std::size_t i = 0; i < buffer.on_way(); ++i) {
    const std::uint64_t sequence = buffer.oldest_sequence() + i;
    if (id_of(sequence) != id) continue;
    buffer.acknowledge(sequence);
    ++broker.counters.published;
    return;
  }
}

const char* take_publication(const Packet& packet) {
  Publication publication;
  if (!parse_publication(packet, publication)) return "does not speak MQTT";
  if (publication.id != 0) {
    broker.writer.puback(publication.id);
    if (!send()) return "takes nothing";
  }
  if (publication.topic != broker.command.text()) return nullptr;
  if (!packet.whole() || publication.payload.size() > kMaxCommandBytes) {
    answer("error: a command of more than 128 bytes");
  } else {
    broker.options.on_command(publication.payload);
  }
  return nullptr;
}

const char* take_packet(const Packet& packet) {
  std::uint16_t id = 0;
  if (packet.type == PacketType::connack) return take_connack(packet);
  if (broker.phase != Phase::connected) return "does not speak MQTT";
  switch (packet.type) {
    case PacketType::publish: return take_publication(packet);
    case PacketType::puback:
      if (parse_id(packet, id)) take_puback(id);
      return nullptr;
    case PacketType::suback:
      if (packet.body.size() >= 3 && packet.body[2] > 2) {
        print("sensor: no commands: the broker refused ", broker.command.text());
      }
      return nullptr;
    case PacketType::pingresp: return nullptr;
    default: return "does not speak MQTT";
  }
}

err_t on_received(void*, tcp_pcb* connection, pbuf* data, err_t) {
  if (data == nullptr) {
    return abandon(broker.phase == Phase::connected ? "closed the connection" : "refused");
  }
  broker.heard_ms = now();
  const char* wrong = nullptr;
  for (const pbuf* part = data; part != nullptr && wrong == nullptr; part = part->next) {
    const std::span bytes(static_cast<const std::uint8_t*>(part->payload), part->len);
    const bool sound = broker.reader.feed(bytes, [&wrong](const Packet& packet) {
      if (wrong == nullptr) wrong = take_packet(packet);
    });
    if (!sound) wrong = "does not speak MQTT";
  }
  tcp_recved(connection, data->tot_len);
  pbuf_free(data);
  if (wrong != nullptr) return abandon(wrong);
  if (broker.phase == Phase::connected) publish_waiting();
  return ERR_OK;
}

err_t on_taken(void*, tcp_pcb*, u16_t) {
  if (broker.phase == Phase::connected) publish_waiting();
  return ERR_OK;
}

err_t on_connected(void*, tcp_pcb*, err_t) {
  const Settings& settings = *broker.options.settings;
  broker.phase = Phase::greeted;
  broker.writer.connect({settings.client, settings.user, broker.options.password,
                         broker.status.text(), kOffline, settings.keepalive_s});
  if (!send()) return abandon("takes nothing");
  return ERR_OK;
}

/// The connection is gone already.
void on_error(void*, err_t) {
  pause(broker.phase == Phase::connecting ? "cannot be reached" : "closed the connection");
}

void connect() {
  ip_addr_t to;
  const auto& from = broker.options.settings->broker;
  IP_ADDR4(&to, from[0], from[1], from[2], from[3]);
  broker.reader.begin();
  broker.connection = tcp_new();
  if (broker.connection == nullptr) {
    pause("cannot be reached: no room for a connection");
    return;
  }
  broker.phase = Phase::connecting;
  broker.next_ms = now() + kConnectMs;
  tcp_err(broker.connection, on_error);
  tcp_recv(broker.connection, on_received);
  tcp_sent(broker.connection, on_taken);
  if (tcp_connect(broker.connection, &to, broker.options.settings->port, on_connected) != ERR_OK) {
    abandon("cannot be reached");
  }
}

/// MQTT 3.1.2.10: something is sent at least so often, and answered in half as long again.
void keep_alive(std::uint64_t now_ms) {
  const std::uint64_t limit_ms = broker.options.settings->keepalive_s * std::uint64_t{1000};
  if (now_ms - broker.heard_ms > limit_ms * 3 / 2) {
    abandon("no longer answers");
  } else if (now_ms - broker.sent_ms >= limit_ms) {
    broker.writer.ping();
    send();
  }
}

}  // namespace

void connect_broker(const BrokerOptions& options) {
  broker.options = options;
  broker.boot = runtime::random_u32();
  const Settings& settings = *options.settings;
  if (settings.topic.empty()) {
    broker.prefix.set(kPrefix, settings.client);
  } else {
    broker.prefix.set({}, settings.topic);
  }
  const Topic name = broker.prefix;
  broker.prefix.set(name.text(), "/");
  broker.status.set(broker.prefix.text(), "status");
  broker.command.set(broker.prefix.text(), "command");
  broker.reply.set(broker.prefix.text(), "reply");
  connect();
}

void pump_broker() {
  const std::uint64_t now_ms = now();
  switch (broker.phase) {
    case Phase::paused:
      if (now_ms >= broker.next_ms) connect();
      return;
    case Phase::connecting:
    case Phase::greeted:
      if (now_ms >= broker.next_ms) abandon("cannot be reached");
      return;
    case Phase::connected:
      publish_waiting();
      keep_alive(now_ms);
      return;
  }
}

void answer(std::string_view text) {
  if (broker.phase != Phase::connected) return;
  broker.writer.publish(broker.reply.text(), text, 0, false);
  send();
}

BrokerCounters broker_counters() { return broker.counters; }

}  // namespace images::sensor
