#include "tests/sim/disk.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sim {

using ota::Fd;
using ota::Result;
using ota::Status;
using proto::Code;
using proto::Error;

namespace {

// "blobs" of "blobs/1f", "" of "agent.db"
std::string parent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

// --- Pages

void Pages::read(std::uint64_t offset, std::span<std::byte> into) const {
  FLEET_ASSERT(offset + into.size() <= size_);
  while (!into.empty()) {
    const std::size_t at = offset % kPageBytes;
    const std::size_t count = std::min(into.size(), kPageBytes - at);
    std::memcpy(into.data(), pages_[offset / kPageBytes]->data() + at, count);
    into = into.subspan(count);
    offset += count;
  }
}

void Pages::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset + bytes.size() > size_) resize(offset + bytes.size());
  while (!bytes.empty()) {
    const std::size_t at = offset % kPageBytes;
    const std::size_t count = std::min(bytes.size(), kPageBytes - at);
    std::shared_ptr<Page>& page = pages_[offset / kPageBytes];
    if (page.use_count() > 1) page = std::make_shared<Page>(*page);
    std::memcpy(page->data() + at, bytes.data(), count);
    bytes = bytes.subspan(count);
    offset += count;
  }
}

void Pages::resize(std::uint64_t size) {
  const std::size_t count = (size + kPageBytes - 1) / kPageBytes;
  while (pages_.size() < count) pages_.push_back(std::make_shared<Page>());
  pages_.resize(count);
  const std::size_t end = size % kPageBytes;
  if (size < size_ && end != 0) {  // what grows again later reads as zeros
    pages_.back() = std::make_shared<Page>(*pages_.back());
    std::memset(pages_.back()->data() + end, 0, kPageBytes - end);
  }
  size_ = size;
}

std::vector<std::byte> Pages::all() const {
  std::vector<std::byte> out(size_);
  read(0, out);
  return out;
}

Pages Pages::torn(const Pages& synced, const Pages& written, Random& random) {
  Pages out = written;
  for (std::size_t i = 0; i < out.pages_.size(); ++i) {
    const bool same = i < synced.pages_.size() && synced.pages_[i] == written.pages_[i];
    if (same || random.chance(500)) continue;
    out.pages_[i] = i < synced.pages_.size() ? synced.pages_[i] : std::make_shared<Page>();
  }
  if (synced.size_ != written.size_ && random.chance(500)) out.resize(synced.size_);
  return out;
}

// --- what is planned to go wrong

SimDisk::~SimDisk() = default;

bool SimDisk::step() {
  if (dead_) return false;
  if (steps_left_ == 0 || --steps_left_ > 0) return true;
  const auto dies = std::exchange(dies_, nullptr);
  dead_ = true;
  dies();
  return false;
}

void SimDisk::die_in(std::uint64_t steps, std::function<void()> dies) {
  steps_left_ = steps;
  dies_ = std::move(dies);
}

// From here on the dead process holds nodes of its own, and the next one finds copies.
void SimDisk::kill() {
  dead_ = true;
  steps_left_ = 0;
  dies_ = nullptr;
  ++generation_;
  std::map<const Node*, File> copies;
  for (Names* names : {&names_, &synced_names_}) {
    for (auto& [path, file] : *names) {
      File& copy = copies[file.get()];
      if (copy == nullptr) {
        copy = std::make_shared<Node>();
        copy->synced = file->synced;
        copy->written = file->written;
        if (file->partial) copy->partial = Fd(::dup(file->partial.get()));
      }
      file = copy;
    }
  }
}

void SimDisk::cut_power() {
  kill();
  Names left = synced_names_;
  for (const auto& [path, file] : names_) {
    const auto old = synced_names_.find(path);
    if ((old == synced_names_.end() || old->second != file) && random_.chance(500)) {
      left[path] = file;
    }
  }
  for (const auto& [path, file] : synced_names_) {
    if (names_.find(path) == names_.end() && random_.chance(500)) left.erase(path);
  }
  for (auto& [path, file] : left) {
    if (file->partial) {
      const auto size = ota::size_of(file->partial);
      FLEET_ASSERT(size.has_value());
      const std::uint64_t kept = random_.below(*size + 1);
      FLEET_ASSERT(::ftruncate(file->partial.get(), static_cast<off_t>(kept)) == 0);
      continue;
    }
    file->written = Pages::torn(file->synced, file->written, random_);
    file->synced = file->written;
  }
  names_ = left;
  synced_names_ = std::move(left);
}

void SimDisk::restore(const SimDisk& from) {
  names_.clear();
  for (const auto& [path, file] : from.names_) {
    auto copy = std::make_shared<Node>();
    copy->written = file->written;
    copy->synced = file->written;
    names_[path] = std::move(copy);
  }
  synced_names_ = names_;
  ++generation_;
}

// --- files

SimDisk::File SimDisk::find(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : found->second;
}

SimDisk::File SimDisk::create(const std::string& path) {
  File& file = names_[path];
  if (file == nullptr) file = std::make_shared<Node>();
  return file;
}

void SimDisk::unlink(const std::string& path) { names_.erase(path); }

void SimDisk::sync_directory_of(const std::string& path) {
  const std::string directory = parent(path);
  std::erase_if(synced_names_, [&](const auto& one) { return parent(one.first) == directory; });
  for (const auto& [name, file] : names_) {
    if (parent(name) == directory) synced_names_[name] = file;
  }
}

bool SimDisk::has_synced_name(const std::string& path) const {
  const auto found = synced_names_.find(path);
  return found != synced_names_.end() && found->second == find(path);
}

void SimDisk::replace(const std::string& path, Pages content) {
  auto file = std::make_shared<Node>();
  file->synced = content;
  file->written = std::move(content);
  names_[path] = std::move(file);
}

std::uint64_t SimDisk::room() const {
  std::uint64_t used = 0;
  for (const auto& [path, file] : names_) used += file->written.size();
  return used < capacity_bytes ? capacity_bytes - used : 0;
}

Status SimDisk::refuse() const {
  if (dead_) return Error{Code::io, "the process is gone", ""};
  if (full) return Error{Code::no_space, "the disk is full", ""};
  return {};
}

Result<Fd> SimDisk::copy_out(const Pages& pages) const {
  Fd file(::memfd_create("fleet-sim", MFD_CLOEXEC));
  if (!file) return ota::errno_error("opening a file in memory", errno);
  TRY_VOID(ota::write_at(file, 0, pages.all()));
  return file;
}

std::size_t SimDisk::open_partials() const {
  return static_cast<std::size_t>(std::count_if(names_.begin(), names_.end(), [](const auto& one) {
    return static_cast<bool>(one.second->partial);
  }));
}

// --- the port

Result<std::vector<std::byte>> SimDisk::read_file(std::string_view path, std::size_t max_bytes) {
  const File file = find(std::string(path));
  if (file == nullptr) return Error{Code::not_found, std::string(path), ""};
  if (file->written.size() > max_bytes) return Error{Code::too_large, std::string(path), ""};
  return file->written.all();
}

Status SimDisk::replace_file(std::string_view path, std::span<const std::byte> content) {
  TRY_VOID(refuse());
  if (!has_room(content.size())) return Error{Code::no_space, "the disk is full", ""};
  Pages pages;
  pages.write(0, content);
  if (!step()) return refuse();
  replace(std::string(path), std::move(pages));
  if (!step()) return refuse();  // renamed, and the directory not synced
  sync_directory_of(std::string(path));
  return {};
}

Result<Fd> SimDisk::open_partial(std::string_view path, std::uint64_t reserve_bytes) {
  TRY_VOID(refuse());
  if (!has_room(reserve_bytes)) return Error{Code::no_space, "the disk is full", ""};
  const File file = create(std::string(path));
  if (!file->partial) {
    TRY(file->partial, copy_out(file->written));
  }
  return Fd(::dup(file->partial.get()));
}

Status SimDisk::publish(std::string_view partial_path, const Fd& file,
                        std::string_view final_path) {
  TRY_VOID(refuse());
  TRY(const std::uint64_t size, ota::size_of(file));
  std::vector<std::byte> bytes(size);
  TRY([[maybe_unused]] const std::size_t got, ota::read_at(file, 0, bytes));
  Pages pages;
  pages.write(0, bytes);
  if (!step()) return refuse();
  replace(std::string(final_path), std::move(pages));
  unlink(std::string(partial_path));
  if (!step()) return refuse();
  sync_directory_of(std::string(final_path));
  sync_directory_of(std::string(partial_path));
  return {};
}

Result<Fd> SimDisk::open_sized(std::string_view path, const ota::SizedOptions&) {
  return Error{Code::not_supported, std::string(path) + ": volumes are not modelled", ""};
}

Result<Fd> SimDisk::open_file(std::string_view path) {
  const File file = find(std::string(path));
  if (file == nullptr) return Error{Code::not_found, std::string(path), ""};
  return copy_out(file->written);
}

Status SimDisk::remove(std::string_view path) {
  if (dead_) return refuse();
  if (!step()) return refuse();
  unlink(std::string(path));
  if (!step()) return refuse();
  sync_directory_of(std::string(path));
  return {};
}

Result<std::vector<ota::DiskEntry>> SimDisk::list(std::string_view directory) {
  std::vector<ota::DiskEntry> out;
  const std::string prefix = directory.empty() ? "" : std::string(directory) + "/";
  for (const auto& [path, file] : names_) {
    if (!path.starts_with(prefix) || path.find('/', prefix.size()) != std::string::npos) continue;
    std::uint64_t size = file->written.size();
    if (file->partial) {
      TRY(size, ota::size_of(file->partial));
    }
    out.push_back({path.substr(prefix.size()), size});
  }
  return out;
}

Result<std::uint64_t> SimDisk::free_bytes() { return full ? 0 : room(); }

// Directories are there as soon as a file is in them.
Status SimDisk::make_directory(std::string_view path) {
  if (dead_) return refuse();
  sync_directory_of(std::string(path) + "/");
  return {};
}

}  // namespace sim
