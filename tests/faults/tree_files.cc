// Trees of the disk model as real directories, read and written.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/faults/disk_model.h"

namespace faults {

namespace fs = std::filesystem;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

Result<Tree> read_tree(const std::string& root) {
  Tree tree;
  std::error_code error;
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end;
       at.increment(error)) {
    const std::string path = at->path().string().substr(root.size() + 1);
    if (path.ends_with("-shm")) continue;
    struct stat facts = {};
    if (::lstat(at->path().c_str(), &facts) != 0) return Error{Code::io, path + ": no facts", ""};
    Entry entry;
    entry.directory = S_ISDIR(facts.st_mode);
    entry.mode = facts.st_mode & 07777;
    if (!entry.directory && !S_ISREG(facts.st_mode)) continue;  // a socket
    if (!entry.directory) {
      std::ifstream stream(at->path(), std::ios::binary);
      if (!stream) return Error{Code::io, path + " cannot be read", ""};
      entry.bytes.assign(std::istreambuf_iterator<char>(stream), {});
    }
    tree[path] = std::move(entry);
  }
  if (error) return Error{Code::io, root + ": " + error.message(), ""};
  return tree;
}

Status write_tree(const Tree& tree, const std::string& root) {
  std::error_code error;
  fs::create_directories(root, error);
  for (const auto& [path, entry] : tree) {
    const std::string place = root + "/" + path;
    if (entry.directory) {
      fs::create_directory(place, error);
    } else {
      std::ofstream stream(place, std::ios::binary | std::ios::trunc);
      stream.write(entry.bytes.data(), static_cast<std::streamsize>(entry.bytes.size()));
      stream.close();
      if (!stream) return Error{Code::io, place + " cannot be written", ""};
    }
    if (!error) fs::permissions(place, static_cast<fs::perms>(entry.mode), error);
    if (error) return Error{Code::io, place + ": " + error.message(), ""};
  }
  return {};
}

}  // namespace faults
