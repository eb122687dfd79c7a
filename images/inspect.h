// Inspect: what is this file, how does it boot, what does it need (FORMATS 1). It judges by the
// bytes alone, never runs or unpacks anything, and takes every number in a file for a lie until it
// was checked against the file's size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace images {

using proto::Result;
using proto::Status;

// Arch, Platform and Family have the numbers of fleet.v1 (app.proto); a unit test compares them.
enum class Arch { unknown = 0, x86_64 = 1, aarch64 = 2, other = 99 };
enum class Platform { unknown = 0, virtio = 1, hvt = 2, spt = 3, bare = 4 };
enum class Family {
  unknown = 0,  // boots, but the bytes do not say whose it is: a label in the manifest does
  solo5 = 1,
  unikraft = 2,
  nanos = 3,
  osv = 4,
  hermit = 5,
  rumprun = 6,
  includeos = 7,
  netbsd = 8,
  freebsd = 9,
  linux = 10,
  unifleet = 11,
};
enum class BootProtocol {
  none,
  solo5,           // by a tender: hvt or spt
  pvh,             // ELF with Xen note 18
  multiboot,       // multiboot 1
  bzimage,         // Linux x86 boot protocol, "HdrS"
  linux64,         // ELF entered like a 64-bit Linux (Firecracker)
  arm64_image,     // Linux arm64 Image
  arm64_elf,       // ELF that QEMU's virt machine loads
  hermit_loader,   // an application: its loader is the kernel
  disk,            // a raw or qcow2 disk with a boot sector
};

const char* name_of(Arch arch);          // "x86_64"
const char* name_of(Platform platform);  // "spt"
const char* name_of(Family family);      // "Solo5", for people
const char* name_of(BootProtocol boot);  // "PVH"

enum class DeviceKind { net, block };

/// A device that the image itself declares (Solo5's manifest note). All of them must be attached.
struct ImageDevice {
  std::string name;
  DeviceKind kind = DeviceKind::net;

  bool operator==(const ImageDevice&) const = default;
};

struct ImageInfo {
  Family family = Family::unknown;
  Arch arch = Arch::unknown;         // unknown: the bytes do not say (a disk)
  Platform platform = Platform::unknown;
  BootProtocol boot = BootProtocol::none;
  std::uint64_t entry = 0;           // address; 0 where the protocol has none
  std::uint32_t abi_version = 0;     // Solo5
  std::vector<ImageDevice> devices;  // Solo5, in the note's order
  std::string language;              // of the app's files, "firewall/1"; empty: it does not say
  std::string machine;               // Arch::other: whose CPU it is, "RISC-V"
  std::string obstacle;              // recognised, but nothing here can boot it: why. Else empty
  std::string summary;               // one line for people: "Solo5 spt, ABI 2, 1 net"
};

/// Recognises an image whose bytes are all at hand.
/// errors bad_image: what was found, what is expected ("not an image: starts with '#!/bin/sh'");
///        also an image that is cut short or whose headers contradict themselves
Result<ImageInfo> inspect(std::span<const std::byte> whole);

/// The same for an open file; reads only what it must, by pread, so that the offset stays.
/// in     descriptor: borrowed, a readable regular file. errors also io
Result<ImageInfo> inspect_descriptor(int descriptor);

/// The same for a path. The error's text begins with it. errors also not_found, io
Result<ImageInfo> inspect_file(const std::string& path);

/// Can this CPU run it? An image of unknown CPU passes. errors wrong_arch (names both)
Status check_runs_on(const ImageInfo& info, Arch arch);

}  // namespace images
