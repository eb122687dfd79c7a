#include "images/firewall/delivery.h"

#include <algorithm>

namespace images::firewall {
namespace {

constexpr std::size_t kNeighbours = 1024;
constexpr std::size_t kWaitingFrames = 256;
constexpr std::size_t kIp4Bytes = 20;
constexpr std::uint16_t kMore = 0x2000;
constexpr std::size_t kPlaceAt = kEtherBytes + 6;

}  // namespace

bool Delivery::create(const RouterPorts& ports, const DeliverySink& sink, const HashKey& key,
                      runtime::Arena& memory) {
  ports_ = &ports;
  sink_ = sink;
  return neighbours_.create(kNeighbours, kWaitingFrames, key, memory);
}

void Delivery::deliver(std::span<std::uint8_t> frame, std::size_t in_port, const Hop& hop,
                       std::uint64_t now_ms) {
  const std::size_t mtu = (*ports_)[hop.port].mtu;
  if (frame.size() - kEtherBytes <= mtu) {
    deliver_piece(frame, in_port, hop, now_ms);
    return;
  }
  // RFC 791 section 3.2. All pieces but the last have the same size, a multiple of 8.
  constexpr std::size_t kHeaders = kEtherBytes + kIp4Bytes;
  std::array<std::uint8_t, kEtherBytes + 1500> piece;
  const std::size_t most = (mtu - kIp4Bytes) / 8 * 8;
  const Bytes payload = Bytes(frame).subspan(kHeaders);
  const std::uint16_t place = read16(frame, kPlaceAt);
  for (std::size_t at = 0; at < payload.size(); at += most) {
    const Bytes part = payload.subspan(at, std::min(most, payload.size() - at));
    std::copy_n(frame.begin(), kHeaders, piece.begin());
    std::copy(part.begin(), part.end(), piece.begin() + kHeaders);
    const std::uint16_t more = at + part.size() < payload.size() ? kMore : std::uint16_t{0};
    write16(piece, kEtherBytes + 2, static_cast<std::uint16_t>(kIp4Bytes + part.size()));
    write16(piece, kPlaceAt, static_cast<std::uint16_t>((place + at / 8) | more));
    write16(piece, kEtherBytes + 10, 0);
    Checksum sum;
    sum.add(Bytes(piece).subspan(kEtherBytes, kIp4Bytes));
    write16(piece, kEtherBytes + 10, sum.field());
    deliver_piece(std::span(piece).first(kHeaders + part.size()), in_port, hop, now_ms);
  }
}

void Delivery::deliver_piece(std::span<std::uint8_t> frame, std::size_t in_port, const Hop& hop,
                             std::uint64_t now_ms) {
  Neighbour& neighbour = neighbours_.of(hop.port, hop.address, hop.is_ip6, now_ms);
  if (neighbour.is_known) {
    send_to(neighbour, frame);
  } else if (!neighbours_.keep(neighbour, in_port, frame)) {
    ++unresolved_;
  }
  if (neighbours_.must_ask(neighbour, now_ms)) ask(neighbour);
}

void Delivery::send_to(const Neighbour& neighbour, std::span<std::uint8_t> frame) {
  std::copy(neighbour.mac.begin(), neighbour.mac.end(), frame.begin());
  const Mac& mac = (*ports_)[neighbour.port].mac;
  std::copy(mac.begin(), mac.end(), frame.begin() + 6);
  sink_.send(sink_.argument, neighbour.port, frame);
}

void Delivery::ask(const Neighbour& neighbour) {
  const RouterPort& port = (*ports_)[neighbour.port];
  Question question;
  const std::size_t size = ask_for(neighbour.address, neighbour.is_ip6,
                                   {port.mac, port.address, port.address6}, question);
  sink_.send(sink_.argument, neighbour.port, Bytes(question).first(size));
}

void Delivery::hear(std::size_t port, const Heard& heard, std::uint64_t now_ms) {
  if (!heard.is_valid) return;
  const Neighbour* neighbour = neighbours_.hear(port, heard, now_ms);
  if (neighbour == nullptr) return;
  while (Waiting* one = neighbours_.waiting_for(*neighbour)) {
    send_to(*neighbour, std::span(one->frame).first(one->size));
    one->neighbour = nullptr;
  }
}

void Delivery::tick(std::uint64_t now_ms) {
  for (Neighbour& one : neighbours_.all()) {
    if (!one.is_used || one.asked == 0 || now_ms - one.asked_ms < Neighbours::kAskEveryMs) continue;
    if (one.asked >= Neighbours::kQuestions) {
      give_up(one);
    } else if (neighbours_.must_ask(one, now_ms)) {
      ask(one);
    }
  }
}

void Delivery::give_up(Neighbour& neighbour) {
  while (Waiting* one = neighbours_.waiting_for(neighbour)) {
    ++unresolved_;
    one->neighbour = nullptr;
    sink_.give_back(sink_.argument, one->in_port, Bytes(one->frame).first(one->size));
  }
  neighbours_.forget(neighbour);
}

}  // namespace images::firewall
