#include "tests/faults/trace.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>

namespace faults {
namespace {

struct Header {
  std::uint32_t call = 0;
  std::uint32_t path_bytes = 0;
  std::uint32_t to_bytes = 0;
  std::uint32_t data_bytes = 0;
  std::uint64_t argument = 0;
  std::uint64_t peer_bytes = 0;
};

}  // namespace

const char* name_of(Call call) {
  static constexpr std::array<const char*, kCalls> kNames = {
      "create", "write",  "resize",   "allocate", "seal",
      "rename", "unlink", "make_dir", "sync",     "sync_data"};
  return kNames.at(static_cast<std::size_t>(call));
}

std::string describe(const Op& op) {
  std::string text = std::string(name_of(op.call)) + " " + (op.path.empty() ? "." : op.path);
  if (op.call == Call::rename) text += " -> " + op.to;
  if (op.call == Call::write) {
    text += " " + std::to_string(op.data.size()) + " bytes at " + std::to_string(op.argument);
  }
  return text;
}

std::string encode(const Op& op) {
  const Header header{static_cast<std::uint32_t>(op.call),
                      static_cast<std::uint32_t>(op.path.size()),
                      static_cast<std::uint32_t>(op.to.size()),
                      static_cast<std::uint32_t>(op.data.size()), op.argument,
                      op.peer_bytes};
  std::string record(sizeof header, '\0');
  std::memcpy(record.data(), &header, sizeof header);
  return record + op.path + op.to + op.data;
}

proto::Result<std::vector<Op>> read_trace(const std::string& file, std::uint64_t max_bytes) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return proto::Error{proto::Code::not_found, file + " cannot be opened", ""};
  std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  bytes.resize(std::min<std::uint64_t>(bytes.size(), max_bytes));
  std::vector<Op> ops;
  std::size_t at = 0;
  const auto take = [&](std::size_t count) {
    std::string part = bytes.substr(at, count);
    at += count;
    return part;
  };
  while (at < bytes.size()) {
    Header header;
    const bool whole = bytes.size() - at >= sizeof header;
    if (whole) std::memcpy(&header, bytes.data() + at, sizeof header);
    const std::uint64_t texts =
        std::uint64_t{header.path_bytes} + header.to_bytes + header.data_bytes;
    if (!whole || header.call >= kCalls || bytes.size() - at - sizeof header < texts) {
      return proto::Error{proto::Code::io, file + ": no record at byte " + std::to_string(at), ""};
    }
    at += sizeof header;
    Op op;
    op.call = static_cast<Call>(header.call);
    op.argument = header.argument;
    op.peer_bytes = header.peer_bytes;
    op.path = take(header.path_bytes);
    op.to = take(header.to_bytes);
    op.data = take(header.data_bytes);
    ops.push_back(std::move(op));
  }
  return ops;
}

}  // namespace faults
