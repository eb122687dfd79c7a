#include "agent/tenders/devices.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "agent/tenders/net_device.h"
#include "agent/tenders/sys.h"

namespace tenders {
namespace {

namespace abi = images::abi;
using proto::Code;

std::string_view kind_name(std::uint32_t kind) { return kind == abi::kDeviceNet ? "net" : "block"; }

/// The option that attaches this entry; nullptr: none does.
const DeviceOption* option_for(const Options& options, const abi::ManifestEntry& entry) {
  for (const DeviceOption& option : options.given_devices()) {
    if (option.kind == entry.type && option.name == device_name(entry)) return &option;
  }
  return nullptr;
}

bool is_declared(const abi::Manifest& manifest, const DeviceOption& option) {
  for (std::uint32_t i = 1; i < manifest.entry_count; ++i) {
    const abi::ManifestEntry& entry = manifest.entries[i];
    if (entry.type == option.kind && device_name(entry) == option.name) return true;
  }
  return false;
}

bool open_block(const DeviceOption& option, Device& device, Failure& failure) {
  device.descriptor = option.source.descriptor;
  if (device.descriptor < 0) {
    const int sync = option.sync == BlockSync::always ? O_DSYNC : 0;
    const long opened = sys::open(option.source.path.data(), O_RDWR | sync);
    if (opened < 0) {
      return failure.because(Code::io, "block device ", option.name, ": ",
                             Foreign{option.source.path}, ": ", sys::error_text(opened));
    }
    device.descriptor = static_cast<int>(opened);
  }
  const long flags = sys::file_flags(device.descriptor);
  // A guest that writes to one that is only read gets an error, and goes on.
  if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY) {
    return failure.because(Code::bad_argument, "block device ", option.name,
                           ": the descriptor is not open for reading");
  }
  // No flag of an open file can add this, and an spt guest writes by itself.
  if (option.sync == BlockSync::always && (flags & O_DSYNC) == 0) {
    return failure.because(Code::bad_argument, "block device ", option.name,
                           ": --block-sync=always needs a descriptor opened with O_DSYNC");
  }
  return true;
}

bool size_of(int descriptor, std::uint64_t& size, Failure& failure, std::string_view name) {
  sys::FileFacts facts;
  const long result = sys::facts(descriptor, facts);
  if (result == 0 && facts.regular) {
    size = facts.size_bytes;
    return true;
  }
  if (result == 0 && facts.block_device &&
      sys::control(descriptor, BLKGETSIZE64, static_cast<void*>(&size)) == 0) {
    return true;
  }
  return failure.because(Code::bad_argument, "block device ", name, ": neither a file nor a disk");
}

bool attach_block(const DeviceOption& option, abi::ManifestEntry& entry, Device& device,
                  Failure& failure) {
  if (!open_block(option, device, failure)) return false;
  const std::uint32_t sector = option.sector_bytes == 0 ? kDefaultSectorBytes : option.sector_bytes;
  std::uint64_t size = 0;
  if (!size_of(device.descriptor, size, failure, option.name)) return false;
  if (size == 0 || size % sector != 0) {
    return failure.because(Code::bad_argument, "block device ", option.name,
                           ": Backing storage size must be block aligned; it has ", size,
                           " bytes, a multiple of ", sector, " is expected");
  }
  device.kind = abi::kDeviceBlock;
  device.capacity_bytes = size;
  device.block_bytes = sector;
  device.sync = option.sync;
  entry.block.capacity_bytes = size;
  entry.block.block_bytes = static_cast<std::uint16_t>(sector);
  return true;
}

bool attach_net(const DeviceOption& option, abi::ManifestEntry& entry, Device& device,
                Failure& failure) {
  NetDevice net;
  if (!open_net(option, net, failure)) return false;
  device.kind = abi::kDeviceNet;
  device.descriptor = net.descriptor;
  device.mtu = net.mtu;
  for (std::size_t i = 0; i < net.mac.size(); ++i) entry.net.mac[i] = net.mac[i];
  entry.net.mtu = net.mtu;
  return true;
}

}  // namespace

std::string_view device_name(const abi::ManifestEntry& entry) {
  std::size_t size = 0;
  while (size < sizeof entry.name && entry.name[size] != '\0') ++size;
  return {entry.name, size};
}

bool attach_devices(const Options& options, abi::Manifest& manifest, Devices& devices,
                    Failure& failure) {
  for (const DeviceOption& option : options.given_devices()) {
    if (!is_declared(manifest, option)) {
      return failure.because(Code::bad_argument, "the image declares no ", kind_name(option.kind),
                             " device '", Foreign{option.name}, "' in its manifest");
    }
  }
  for (std::uint32_t i = 1; i < manifest.entry_count; ++i) {
    abi::ManifestEntry& entry = manifest.entries[i];
    const DeviceOption* option = option_for(options, entry);
    if (option == nullptr || !option->source.is_given()) {
      return failure.because(Code::bad_argument, "the image's manifest declares the ",
                             kind_name(entry.type), " device '", device_name(entry),
                             "', which is not attached: add --", kind_name(entry.type), ":",
                             device_name(entry), "=...");
    }
    entry.block = {};
    entry.descriptor = 0;
    const bool attached = entry.type == abi::kDeviceNet
                              ? attach_net(*option, entry, devices[i], failure)
                              : attach_block(*option, entry, devices[i], failure);
    if (!attached) return false;
    entry.attached = 1;
  }
  return true;
}

}  // namespace tenders
