// SimDisk: a disk in memory that knows what was synced. After a power cut each page and each name
// that was not is the old or the new one, by chance; a kill of the process loses nothing. Files of
// SQLite live beside those of the port (tests/sim/database_files).
// Volumes (open_sized) are not modelled.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ota/disk.h"
#include "tests/sim/random.h"

namespace sim {

/// Bytes in pages that copies share, so that "as synced" and "as written" cost what differs.
class Pages {
 public:
  static constexpr std::size_t kPageBytes = 4096;

  std::uint64_t size() const { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> into) const;  // within size()
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  void resize(std::uint64_t size);
  std::vector<std::byte> all() const;
  /// What a power cut leaves of `written` when `synced` is safe.
  static Pages torn(const Pages& synced, const Pages& written, Random& random);

 private:
  using Page = std::array<std::byte, kPageBytes>;
  std::uint64_t size_ = 0;
  std::vector<std::shared_ptr<Page>> pages_;  // shared with copies, never changed while shared
};

class SimDisk final : public ota::Disk {
 public:
  explicit SimDisk(Random& random) : random_(random) {}
  ~SimDisk() override;
  /// A copy of all that is there, as a backup holds it.
  void restore(const SimDisk& from);

  // --- the port
  ota::Result<std::vector<std::byte>> read_file(std::string_view path,
                                                std::size_t max_bytes) override;
  ota::Status replace_file(std::string_view path, std::span<const std::byte> content) override;
  ota::Result<ota::Fd> open_partial(std::string_view path, std::uint64_t reserve_bytes) override;
  ota::Status publish(std::string_view partial_path, const ota::Fd& file,
                      std::string_view final_path) override;
  ota::Result<ota::Fd> open_sized(std::string_view path,
                                  const ota::SizedOptions& options) override;
  ota::Result<ota::Fd> open_file(std::string_view path) override;
  ota::Status remove(std::string_view path) override;
  ota::Result<std::vector<ota::DiskEntry>> list(std::string_view directory) override;
  ota::Result<std::uint64_t> free_bytes() override;
  ota::Status make_directory(std::string_view path) override;

  // --- files as SQLite uses them
  struct Node {
    Pages synced;
    Pages written;
    ota::Fd partial;  // what open_partial gave out, while it is no blob yet
    bool linked = true;
  };
  using File = std::shared_ptr<Node>;  // shared by the names and whoever has it open
  File find(const std::string& path) const;
  File create(const std::string& path);
  void unlink(const std::string& path);
  /// All names of the directory that the path is in.
  void sync_directory_of(const std::string& path);
  bool has_synced_name(const std::string& path) const;
  /// One step that a power cut could come before. False: it did, nothing happens any more.
  bool step();
  /// Room for so many more bytes.
  bool has_room(std::uint64_t bytes) const { return !full && bytes <= room(); }

  /// A database was synced: what it says may be another thing now.
  std::function<void()> on_sync;

  // --- faults
  /// The process that used it is gone: its handles read on, and write nothing. What it wrote stays.
  void kill();
  /// The same, and what was not synced is torn.
  void cut_power();
  /// The process may use it again.
  void revive() { dead_ = false; }
  bool dead() const { return dead_; }
  void live_on() { steps_left_ = 0; }  // no die_in() after all
  /// `dies` is called before the n-th step from now (1: the next), and the disk is dead from there.
  void die_in(std::uint64_t steps, std::function<void()> dies);

  bool full = false;                             // nothing more can be written
  std::uint64_t capacity_bytes = 64ull << 20;    // MiB
  std::uint64_t generation() const { return generation_; }  // one per process that uses it
  std::size_t open_partials() const;

 private:
  using Names = std::map<std::string, File, std::less<>>;
  std::uint64_t room() const;
  ota::Result<ota::Fd> copy_out(const Pages& pages) const;
  ota::Status refuse() const;
  void replace(const std::string& path, Pages content);

  Random& random_;
  Names names_;         // as the running system sees them
  Names synced_names_;  // as the platter does
  bool dead_ = false;
  std::uint64_t generation_ = 1;
  std::uint64_t steps_left_ = 0;  // 0: no cut is planned
  std::function<void()> dies_;
};

}  // namespace sim
