// Where an Updater keeps its files: a directory, or memory.
#include "ota/updater.h"

namespace ota {

std::string DirectoryMetadataStore::path_of(std::string_view file_name) const {
  return directory_.empty() ? std::string(file_name) : directory_ + "/" + std::string(file_name);
}

Result<std::string> DirectoryMetadataStore::read(std::string_view file_name,
                                                 std::size_t max_bytes) {
  TRY(const std::vector<std::byte> bytes, disk_.read_file(path_of(file_name), max_bytes));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Status DirectoryMetadataStore::write(std::string_view file_name, std::string_view bytes) {
  return disk_.replace_file(path_of(file_name), std::as_bytes(std::span(bytes)));
}

Status DirectoryMetadataStore::remove(std::string_view file_name) {
  return disk_.remove(path_of(file_name));
}

Result<std::string> MemoryMetadataStore::read(std::string_view file_name, std::size_t max_bytes) {
  const auto found = files_.find(file_name);
  if (found == files_.end()) {
    return Error{Code::not_found, std::string(file_name) + " is not stored", ""};
  }
  if (found->second.size() > max_bytes) {
    return Error{Code::too_large, std::string(file_name) + " is too large", ""};
  }
  return found->second;
}

Status MemoryMetadataStore::write(std::string_view file_name, std::string_view bytes) {
  files_.insert_or_assign(std::string(file_name), std::string(bytes));
  return {};
}

Status MemoryMetadataStore::remove(std::string_view file_name) {
  const auto found = files_.find(file_name);
  if (found != files_.end()) files_.erase(found);
  return {};
}

}  // namespace ota
