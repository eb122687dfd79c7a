#include "deploy/fleetctl/upload.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "ota/disk.h"
#include "ota/hash.h"
#include "proto/fd.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

constexpr std::size_t kBarColumns = 30;
constexpr auto kRedraw = std::chrono::milliseconds(100);

// The bytes as a descriptor: the file, or an anonymous one for bytes at hand.
proto::Result<proto::Fd> open_payload(const Payload& payload) {
  if (!payload.path.empty()) {
    proto::Fd file(::open(payload.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return ota::errno_error("cannot open " + payload.path, errno);
    // Hashed again through the descriptor that is sent: what is signed is what goes out.
    TRY(const ota::Sha256 digest, ota::hash_file(file.get()));
    if (digest != payload.blob.digest) {
      return proto::Error{proto::Code::bad_digest,
                          payload.path + " changed while it was being pushed; push again", {}};
    }
    return file;
  }
  proto::Fd memory(::memfd_create("blob", MFD_CLOEXEC));
  if (!memory) return ota::errno_error("cannot hold a blob in memory", errno);
  TRY_VOID(ota::write_at(memory, 0, std::as_bytes(std::span(payload.bytes))));
  return memory;
}

}  // namespace

std::string upload_line(std::uint64_t sent_bytes, std::uint64_t all_bytes) {
  const std::uint64_t percent = all_bytes == 0 ? 100 : sent_bytes * 100 / all_bytes;
  const auto filled = static_cast<std::size_t>(percent) * kBarColumns / 100;
  return "Uploading " + proto::format_size_bytes(all_bytes) + "  " + std::string(filled, '=') +
         std::string(kBarColumns - filled, '-') + "  " + std::to_string(percent) + "%";
}

proto::Status upload_missing(const Program& program, Api& api,
                             const std::vector<Payload>& payloads, const std::string& manifest) {
  std::vector<const Payload*> missing;
  std::uint64_t all_bytes = 0;
  for (const Payload& payload : payloads) {
    TRY(const bool there, api.has_blob(payload.blob.digest.hex()));
    if (there) continue;
    missing.push_back(&payload);
    all_bytes += payload.blob.size_bytes;
  }
  if (missing.empty() && !program.json) {
    program.terminal.line("All files are there already; nothing to upload.");
  }
  std::uint64_t done_bytes = 0;
  auto drawn = std::chrono::steady_clock::now() - kRedraw;
  for (const Payload* payload : missing) {
    TRY(const proto::Fd file, open_payload(*payload));
    HttpUpload upload;
    upload.descriptor = file.get();
    upload.size_bytes = payload->blob.size_bytes;
    upload.on_progress = [&](std::uint64_t sent_bytes) {
      const auto now = std::chrono::steady_clock::now();
      if (program.json || now - drawn < kRedraw) return;
      drawn = now;
      program.terminal.redraw({upload_line(done_bytes + sent_bytes, all_bytes)});
    };
    TRY_VOID(api.put_blob(payload->blob.digest.hex(), upload));
    done_bytes += payload->blob.size_bytes;
  }
  program.terminal.settle(true);
  if (!missing.empty() && !program.json) program.terminal.line(upload_line(all_bytes, all_bytes));

  const Payload last{{ota::sha256(manifest), manifest.size()}, "", manifest};
  TRY(const proto::Fd file, open_payload(last));
  HttpUpload upload;
  upload.descriptor = file.get();
  upload.size_bytes = manifest.size();
  return api.put_blob(last.blob.digest.hex(), upload);
}

}  // namespace fleetctl
