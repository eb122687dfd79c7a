// The step fetch: each missing blob by the cheapest way, from where an earlier try ended, and never
// a byte over the update's budget. A delta is a saving: whatever is wrong with one, the image
// itself is fetched, if the budget has room for it.
#include <algorithm>
#include <utility>

#include "agent/update_steps.h"
#include "proto/limits.h"
#include "proto/log.h"
#include "proto/units.h"

namespace agent {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

namespace {

constexpr std::uint64_t kLeastDeadlineMs = 600'000;
constexpr std::uint64_t kLongestDeadlineMs = 86'400'000;

std::string short_name(const ota::Sha256& digest) { return digest.hex().substr(0, 8); }

// A rate that was asked for must not look like a server that is too slow.
std::uint32_t deadline_ms(std::uint64_t bytes, std::uint64_t rate_bytes_per_s) {
  const std::uint64_t at_rate_ms =
      rate_bytes_per_s == 0 ? 0 : bytes / rate_bytes_per_s * 2 * 1000;
  return static_cast<std::uint32_t>(std::clamp(at_rate_ms, kLeastDeadlineMs, kLongestDeadlineMs));
}

// The smallest delta of the blob whose base is here. What the controller says is only a hint.
std::optional<MissingBlob::Delta> smallest_delta(ota::Blobs& blobs,
                                                 const fleet::v1::DesiredApp& wish,
                                                 const ota::BlobRef& blob) {
  std::optional<MissingBlob::Delta> best;
  if (blob.size_bytes > proto::kMaxDeltaImageBytes) return best;
  const int count =
      std::min(wish.deltas_size(), static_cast<int>(proto::kMaxDeltasOffered));
  for (int i = 0; i < count; ++i) {
    const fleet::v1::DeltaOffer& offer = wish.deltas(i);
    const auto from = ota::Sha256::from_hex(offer.from());
    const auto to = ota::Sha256::from_hex(offer.to());
    const auto file = ota::Sha256::from_hex(offer.sha256());
    const std::uint64_t limit = best ? best->file.size_bytes : blob.size_bytes;
    const bool is_useful = from && to && file && *to == blob.digest && offer.size_bytes() > 0 &&
                           offer.size_bytes() < limit;
    const bool is_here = is_useful && (*from == ota::empty_digest() || blobs.open(*from));
    if (is_here) best = {*from, {*file, offer.size_bytes()}};
  }
  return best;
}

MissingBlob cheapest_way(ota::Blobs& blobs, const fleet::v1::DesiredApp& wish,
                         const ota::BlobRef& blob) {
  MissingBlob out;
  out.blob = blob;
  out.begun_bytes = blobs.partial_bytes(blob);
  out.rest_bytes = blob.size_bytes - out.begun_bytes;
  const auto delta = smallest_delta(blobs, wish, blob);
  if (!delta) return out;
  const std::uint64_t begun_bytes =
      blobs.has(delta->file) ? delta->file.size_bytes : blobs.partial_bytes(delta->file);
  out.begun_bytes += begun_bytes;
  const std::uint64_t delta_rest_bytes = delta->file.size_bytes - begun_bytes;
  if (delta_rest_bytes >= out.rest_bytes) return out;
  out.delta = delta;
  out.rest_bytes = delta_rest_bytes;
  return out;
}

// What of the partial is not here yet.
proto::awaitable<Status> fetch_rest(Update& update, ota::Partial& partial, std::string path) {
  Device& device = update.app.device;
  const fleet::v1::UpdatePolicy& policy = update.manifest.update();
  ota::FetchRequest request;
  request.path = std::move(path);
  request.offset_bytes = partial.offset_bytes();
  request.expected_bytes = partial.blob().size_bytes;
  const std::uint64_t rest_bytes = request.expected_bytes - request.offset_bytes;
  if (rest_bytes == 0) co_return Status();
  CO_TRY_VOID(check_budget(update.manifest, update.spent_bytes + rest_bytes));
  if (policy.max_bytes() != 0) request.max_received_bytes = policy.max_bytes() - update.spent_bytes;
  request.rate_bytes_per_s = policy.download_rate_bytes();
  request.deadline_ms = deadline_ms(rest_bytes, request.rate_bytes_per_s);
  ota::Fetch& session = update.session();
  auto work = [&session, &request, &partial] { return session.fetch(request, partial.file()); };
  const auto done = co_await proto::run_blocking(device.ports.fetch_pool, std::move(work));
  std::uint64_t came_bytes = 0;
  if (done) {
    came_bytes = done->received_bytes;
  } else if (partial.refresh()) {
    // What came before the break is kept, and counts. Shorter than before: it began anew.
    const std::uint64_t now_bytes = partial.offset_bytes();
    came_bytes = now_bytes < request.offset_bytes ? now_bytes : now_bytes - request.offset_bytes;
  }
  update.fetched_bytes += came_bytes;
  update.spent_bytes += came_bytes;
  if (!done) co_return done.error();
  co_return Status();
}

// One file into the store; a broken partial is begun again once.
proto::awaitable<Status> download(Update& update, ota::BlobRef blob, std::string path) {
  Device& device = update.app.device;
  for (bool again = false;; again = true) {
    auto begin = [&device, &blob] { return device.blobs.begin(blob); };
    auto begun = co_await proto::run_blocking(device.ports.disk_pool, std::move(begin));
    if (!begun && begun.error().code == Code::already_exists) co_return Status();
    if (!begun) co_return begun.error();
    ota::Partial partial = std::move(*begun);
    const bool resumed = partial.offset_bytes() > 0;
    Status fetched = co_await fetch_rest(update, partial, path);
    if (fetched) {
      auto finish = [&device, &partial] { return device.blobs.finish(std::move(partial)); };
      fetched = co_await proto::run_blocking(device.ports.disk_pool, std::move(finish));
    }
    if (fetched) co_return Status();
    if (fetched.error().code == Code::bad_digest && resumed && !again) continue;
    if (fetched.error().code == Code::not_found) {
      co_return fetched.error().with("blob " + short_name(blob.digest));
    }
    CO_TRY_VOID(co_await update.wait_to_retry(fetched.error()));
  }
}

// What an apply works on, each opened where the disk's calls are made.
struct ApplyParts {
  ota::Fd base;  // none: the empty one
  ota::Fd delta;
  ota::Partial image;
};

Result<ApplyParts> open_parts(ota::Blobs& blobs, const MissingBlob& missing) {
  ota::Fd base;
  if (missing.delta->base != ota::empty_digest()) {
    TRY(const ota::Fd unread, blobs.open(missing.delta->base));
    TRY(const std::uint64_t base_bytes, ota::size_of(unread));
    TRY(base, blobs.open_verified({missing.delta->base, base_bytes}));
  }
  TRY(ota::Fd delta, blobs.open(missing.delta->file.digest));
  TRY(ota::Partial image, blobs.begin_made(missing.blob));
  return ApplyParts{std::move(base), std::move(delta), std::move(image)};
}

// errors of the delta itself are never transient: the same bytes would come again
proto::awaitable<Status> apply_delta(Update& update, const MissingBlob& missing) {
  Device& device = update.app.device;
  auto open = [&device, &missing] { return open_parts(device.blobs, missing); };
  auto parts = co_await proto::run_blocking(device.ports.disk_pool, std::move(open));
  if (!parts) co_return Error{Code::bad_digest, parts.error().what, {}};
  const ota::DeltaFiles files{parts->base, parts->delta, parts->image.file(),
                              missing.blob.size_bytes};
  ota::Fetch& session = update.session();
  auto work = [&session, &files] { return session.apply(files); };
  const Status applied = co_await proto::run_blocking(device.ports.fetch_pool, std::move(work));
  // However it went, the result counts by its hash alone.
  auto finish = [&device, &parts, &applied]() -> Status {
    if (applied) return device.blobs.finish(std::move(parts->image));
    TRY_VOID(device.blobs.discard(std::move(parts->image)));
    return Error{Code::bad_digest, applied.error().what, {}};
  };
  co_return co_await proto::run_blocking(device.ports.disk_pool, std::move(finish));
}

// True when the image came of the delta, false when it must be fetched whole.
proto::awaitable<Result<bool>> fetch_by_delta(Update& update, const MissingBlob& missing) {
  const std::string& app = update.app.name;
  const ota::BlobRef& file = missing.delta->file;
  std::string path = kDeltasPath + file.digest.hex();
  Status made = co_await download(update, file, std::move(path));
  if (!made && (made.error().code == Code::budget || is_transient(made.error().code))) {
    co_return made.error();
  }
  if (made) made = co_await apply_delta(update, missing);
  CO_TRY_VOID(update.still_wanted());
  if (made) {
    proto::log_info("delta.applied", {{"app", app},
                                      {"blob", short_name(missing.blob.digest)},
                                      {"base", short_name(missing.delta->base)},
                                      {"bytes", file.size_bytes},
                                      {"of", missing.blob.size_bytes}});
    co_return true;
  }
  proto::log_warning("delta.refused", {{"app", app},
                                       {"blob", short_name(missing.blob.digest)},
                                       {"delta", short_name(file.digest)},
                                       {"why", made.error().what}});
  co_return false;
}

enum class Way { whole, compressed, by_delta, whole_after_delta };

proto::awaitable<Result<Way>> fetch_missing(Update& update, const MissingBlob& missing) {
  if (missing.delta) {
    CO_TRY(const bool made, co_await fetch_by_delta(update, missing));
    const bool is_compressed = missing.delta->base == ota::empty_digest();
    if (made) co_return is_compressed ? Way::compressed : Way::by_delta;
  }
  const Way way = missing.delta ? Way::whole_after_delta : Way::whole;
  std::string path = kBlobsPath + missing.blob.digest.hex();
  const Status fetched = co_await download(update, missing.blob, std::move(path));
  if (fetched) co_return way;
  const bool over = way == Way::whole_after_delta && fetched.error().code == Code::budget;
  co_return over ? fetched.error().with("a delta was broken; the image whole") : fetched.error();
}

}  // namespace

proto::awaitable<std::vector<MissingBlob>> find_missing(Update& update,
                                                        std::vector<ota::BlobRef> wanted) {
  ota::Blobs& blobs = update.app.device.blobs;
  auto work = [&blobs, &wanted, &update]() -> Result<std::vector<MissingBlob>> {
    std::vector<MissingBlob> out;
    for (const ota::BlobRef& blob : wanted) {
      if (!blobs.has(blob)) out.push_back(cheapest_way(blobs, update.wish, blob));
    }
    return out;
  };
  auto found = co_await proto::run_blocking(update.app.device.ports.disk_pool, std::move(work));
  FLEET_ASSERT(found.has_value());
  co_return std::move(*found);
}

proto::awaitable<Status> fetch_blobs(Update& update) {
  if (update.missing.empty()) co_return Status();
  CO_TRY_VOID(update.app.report(update.draft(fleet::v1::FETCHING)));
  bool any_compressed = false;
  bool any_by_delta = false;
  bool any_broken = false;
  for (const MissingBlob& missing : update.missing) {
    CO_TRY_VOID(update.still_wanted());
    CO_TRY(const Way way, co_await fetch_missing(update, missing));
    any_compressed = any_compressed || way == Way::compressed;
    any_by_delta = any_by_delta || way == Way::by_delta;
    any_broken = any_broken || way == Way::whole_after_delta;
  }
  const std::string spent = proto::format_size_bytes(update.spent_bytes);
  if (any_compressed) update.delta_note = spent + " compressed";
  if (any_by_delta) update.delta_note = spent + " by delta";
  if (any_broken) update.delta_note = "a delta was broken, fetched whole";
  co_return Status();
}

}  // namespace agent
