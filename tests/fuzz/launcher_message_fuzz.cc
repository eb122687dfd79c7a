// A foreign packet, and launcher.conf: whatever the bytes, a verdict and no harm. What is accepted
// must keep its promises to the code behind the check.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "agent/launcher/conf.h"
#include "agent/launcher/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t descriptors = data[0] % 20;
  // The short input stands for a whole packet: zeros behind it, as large as it says.
  launcher::RequestHeader header{};
  std::memcpy(&header, data + 1, size - 1 < sizeof header ? size - 1 : sizeof header);
  header.magic = launcher::kWireMagic;
  header.version = launcher::kWireVersion;
  std::size_t whole = size - 1;
  if (header.size >= sizeof header && header.size <= proto::kMaxLauncherMessageBytes) {
    whole = header.size;
  }
  const std::unique_ptr<std::uint8_t[]> packet(new std::uint8_t[whole + 1]());
  std::memcpy(packet.get(), data + 1, size - 1 < whole ? size - 1 : whole);
  if (whole >= sizeof header) std::memcpy(packet.get(), &header, sizeof header);
  const auto operation = launcher::check_request(packet.get(), whole, descriptors);
  if (operation && *operation == launcher::Operation::start) {
    auto request = std::make_unique<launcher::StartRequest>();
    FLEET_ASSERT(whole == sizeof *request);
    std::memcpy(request.get(), packet.get(), whole);
    FLEET_ASSERT(request->file_count == descriptors);
    const char* at = request->arguments;
    for (std::size_t i = 0; i < request->argument_count; ++i) at += std::strlen(at) + 1;
    FLEET_ASSERT(at <= request->arguments + launcher::kMaxArgumentBytes);
  }
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto conf = launcher::parse_conf(text, "conf");
  if (conf) FLEET_ASSERT(conf->refused_ports().size() <= launcher::kMaxDeniedRanges + 2);
  return 0;
}
