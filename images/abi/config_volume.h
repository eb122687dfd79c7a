// The config volume: what a host hands to a guest of our runtime besides the image. Freestanding.
//
// It is a plain POSIX ustar archive, given to a `virtio` guest as its first PVH module (QEMU:
// -initrd FILE). The host side (agent/monitors) writes it anew for every start; the guest side
// (images/runtime/config.h) only reads it and trusts no length in it. Entries, in any order, each a
// regular file (type '0'), at most once:
//
//   config               key=value lines, '\n' between and after; see kConfigKeys below
//   args                 the arguments, each followed by one NUL; no argument 0
//   env                  K=V, each followed by one NUL
//   files/zones/a.zone   the file /zones/a.zone of the manifest's `files`
//
// A path longer than 100 bytes is split at a '/' into prefix and name, as ustar says. The archive
// ends with two zero blocks. Entries of other names and types are skipped: an older guest may be
// started by a newer host.
#pragma once

#include <cstddef>
#include <cstdint>

namespace images::abi {

// The value of the `version` key. A guest refuses every other.
inline constexpr char kConfigVersion[] = "1";

inline constexpr char kConfigEntry[] = "config";
inline constexpr char kArgsEntry[] = "args";
inline constexpr char kEnvEntry[] = "env";
inline constexpr char kFilesPrefix[] = "files/";  // + the guest path without its leading slash

// Keys of `config`. Required: version and seed. Unknown keys are skipped. N is the index of the
// interface in the manifest's `network`, from 0.
//   version=1
//   hostname=dns-lyon
//   seed=<64 hex digits>          fresh random for every start, never logged, never reused
//   netN.name=service             the manifest's name of the interface; absent: not told
//   netN.mac=52:54:00:12:34:56    the device is found by it
//   netN.address=10.77.0.3/24     or dhcp. Neither address nor address6: a port that only forwards
//                                 frames, for the appliance to take
//   netN.gateway=10.77.0.1        absent: no way out of the subnet but one that DHCP tells
//   netN.address6=2001:db8::3/64  absent: no IPv6. What routers announce is not believed
//   netN.gateway6=2001:db8::1     absent: no way out of the subnet
//   netN.dns=10.77.0.1            absent: none
//   netN.mtu=1500                 absent: 1500
inline constexpr char kVersionKey[] = "version";
inline constexpr char kHostnameKey[] = "hostname";
inline constexpr char kSeedKey[] = "seed";

inline constexpr std::size_t kSeedBytes = 32;
inline constexpr std::size_t kMaxVolumeBytes = 8 * 1024 * 1024;  // files are <= 4 MiB in all
inline constexpr std::size_t kMaxVolumeFiles = 128;
inline constexpr std::size_t kMaxVolumeArgs = 128;
inline constexpr std::size_t kMaxVolumeEnv = 128;
inline constexpr std::size_t kMaxVolumeInterfaces = 8;
inline constexpr std::size_t kMaxGuestPathBytes = 255;  // ustar: prefix 155 + '/' + name 100, less

inline constexpr std::size_t kUstarBlockBytes = 512;

// One header block of POSIX.1-1988 ustar. Numbers are octal text, ended by NUL or space.
struct UstarHeader {
  char name[100];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];  // sum of all bytes of the block, with these eight taken as spaces
  char type;         // '0' or NUL: a regular file
  char linkname[100];
  char magic[6];     // "ustar" and NUL
  char version[2];   // "00"
  char uname[32];
  char gname[32];
  char devmajor[8];
  char devminor[8];
  char prefix[155];
  char padding[12];
};
static_assert(sizeof(UstarHeader) == kUstarBlockBytes);
static_assert(offsetof(UstarHeader, checksum) == 148 && offsetof(UstarHeader, prefix) == 345);

}  // namespace images::abi
