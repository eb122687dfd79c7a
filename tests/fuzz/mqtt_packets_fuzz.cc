// Any bytes of a broker: packets within bounds, the same however the stream is cut, or no MQTT.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "images/sensor/packets.h"

namespace {

using namespace images::sensor;

/// All that was understood, as text; of the first byte of the input comes how it is cut.
std::string read(const std::uint8_t* data, std::size_t size, std::size_t step) {
  static PacketReader reader;
  reader.begin();
  std::string out;
  for (std::size_t at = 0; at < size; at += step) {
    const std::size_t count = step < size - at ? step : size - at;
    const bool sound = reader.feed({data + at, count}, [&out](const Packet& packet) {
      if (packet.body.size() > packet.body_bytes) std::abort();
      out.append(packet.body.begin(), packet.body.end());
      out += static_cast<char>(packet.type);
      Publication publication;
      if (parse_publication(packet, publication)) {
        out.append(publication.topic).append(publication.payload);
      }
      std::uint16_t id = 0;
      if (parse_id(packet, id)) out += std::to_string(id);
    });
    if (!sound) return out + "no MQTT";
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = data[0] % 7 + std::size_t{1};
  if (read(data + 1, size - 1, step) != read(data + 1, size - 1, size)) std::abort();
  return 0;
}
