// The port behind which every monitor stands: it turns an image and its configuration into what the
// launcher starts, and says afterwards why a guest ended. Never starts anything itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/launcher_client.h"
#include "fleet/v1/link.pb.h"
#include "proto/code.h"
#include "proto/result.h"

namespace monitors {

enum class Arch { unknown, x86_64, aarch64 };
/// This host's.
#ifdef __aarch64__
inline constexpr Arch kHostArch = Arch::aarch64;
#else
inline constexpr Arch kHostArch = Arch::x86_64;
#endif
/// How the image is configured: our own library OS, or a family with its own dialect.
enum class Family { unknown, fleet, linux, other };
/// How the image is entered.
enum class Boot { unknown, pvh, bzimage, hvt, spt, arm64_image };

/// A device that the image itself declares and must be given (Solo5's manifest).
struct DeviceNeed {
  std::string name;
  bool is_net = false;                   // else a block device
};

/// What a monitor must know of an image; filled from images/inspect by the caller.
struct ImageFacts {
  Arch arch = Arch::unknown;
  Family family = Family::unknown;
  Boot boot = Boot::unknown;
  bool has_initrd = false;               // images: {kernel, initrd}
  std::string family_name;               // for words: "Unikraft", "Linux"
  std::vector<DeviceNeed> devices = {};  // Solo5, in the image's order
};

struct GuestInterface {
  std::string name;                      // "service"
  agent::MacAddress mac;
  agent::Ipv4 address;
  bool dhcp = false;                     // it asks for address, gateway and name servers
  std::uint8_t prefix = 24;
  agent::Ipv4 gateway;
  agent::Ipv6 address6;                  // of a /64
  agent::Ipv6 gateway6;
  std::vector<agent::Ipv4> dns;
  std::string bridge = "fleet0";
  std::uint16_t mtu = 0;                 // of the managed bridge, bytes; 0: not known
  bool promiscuous = false;
  std::string serial;                    // not empty: no network, but this serial line of the host
};

/// One spelling for all families (DESIGN 8); values are final, vars are filled in.
struct GuestConfig {
  std::string hostname;
  std::vector<std::string> args;
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> files;    // guest path with leading / -> bytes
  std::vector<GuestInterface> interfaces;
  std::string seed;                            // 32 random bytes, fresh for each start
};

/// Ask for one of the guest's interfaces: a tap, or a serial line, whose descriptors lie behind
/// those of all taps. Returns its descriptor in the monitor.
int lend_interface(const GuestInterface& one, const GuestConfig& config,
                   agent::StartRequest& request);

/// When what a guest writes to a volume is safe from a power cut: at once, every few seconds
/// (agent/volumes), or when the kernel likes.
enum class Sync { always, periodic, never };

/// A volume of the manifest, made and locked.
struct Volume {
  std::string name;                            // [a-z][a-z0-9-]{0,39}
  agent::Fd file;                              // O_RDWR; O_DSYNC as syncs_by_descriptor() says
  Sync sync = Sync::periodic;
};

/// Everything about one start. The descriptors are those that were hashed.
struct Launch {
  std::string instance_id;
  std::string app;
  std::uint64_t release = 0;
  std::string tag;                             // goes into StartRequest::tag
  ImageFacts image;
  agent::Fd kernel;
  agent::Fd initrd;                            // families with one of their own
  std::uint64_t memory_bytes = 0;              // the guest's
  std::uint32_t cpus = 1;
  std::uint32_t cpu_percent = 0;
  GuestConfig config;
  std::vector<Volume> volumes;                 // in the manifest's order
  std::optional<std::vector<agent::EgressRule>> egress;
  bool ports_down = false;
};

/// Why an instance ended, with a sentence for people.
struct ExitReason {
  proto::Code code = proto::Code::unset;  // guest_exit, guest_abort, monitor_fault,
                                          // killed_by_limit, ordered (stopped by the operator)
  int status = 0;                         // the guest's own status, where there is one
  std::string what;                       // "the guest ended with status 3 after 1.2s"
  std::optional<fleet::v1::Trap> trap = {};  // where it crashed, if the monitor can tell
};

/// How long an ended instance lived, for the end of a sentence: " after 0.02s".
std::string after(const agent::Instance& ended);

class Monitor {
 public:
  virtual ~Monitor() = default;

  /// "qemu": what the manifest's `monitors` and the screens say.
  virtual std::string_view name() const = 0;
  /// Whether Sync::always is the descriptor's doing (O_DSYNC), or the monitor's own.
  virtual bool syncs_by_descriptor() const { return true; }
  /// Whether this monitor can boot such an image. Errors: no_monitor with the reason.
  virtual proto::Status can_run(const ImageFacts& image) const = 0;
  /// The whole start; takes the descriptors out of `launch`. Errors: no_monitor, too_large,
  /// bad_argument, io (no memory file).
  virtual proto::Result<agent::StartRequest> command(Launch launch) const = 0;
  /// `console_tail`: the last lines, for words of the guest's own (panic, abort). `report`: what
  /// Launcher::read_report() has.
  virtual ExitReason classify_exit(const agent::Instance& ended, std::string_view console_tail,
                                   std::string_view report) const = 0;
};

}  // namespace monitors
