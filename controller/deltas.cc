// A file is its own record: `<base>.<image>.<delta>`, digests in hex; an empty one says that none
// was worth it. So there is nothing to keep in step with the files, and a kill leaves at most the
// partial, which goes at the next start. The pool alone calls the disk once the loop runs, but for
// opening a file to serve it.
#include "controller/deltas.h"

#include <algorithm>
#include <span>

#include "ota/delta.h"
#include "ota/hash.h"
#include "ota/mapping.h"
#include "proto/limits.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;
using proto::Deadline;

constexpr const char* kPartial = "partial";
constexpr std::size_t kReleasesRemembered = 256;
constexpr std::size_t kDigestDigits = 64;

bool holds(const v1::SlotStatus& slot) {
  return slot.state() == v1::GOOD || slot.state() == v1::ON_TRIAL || slot.state() == v1::BAD;
}

// The releases of the app whose bytes the device has.
std::set<std::uint64_t> releases_held(const v1::Telemetry& facts, const std::string& app) {
  std::set<std::uint64_t> held;
  for (const v1::AppStatus& status : facts.apps()) {
    if (status.app() != app) continue;
    if (holds(status.a())) held.insert(status.a().release());
    if (holds(status.b())) held.insert(status.b().release());
  }
  return held;
}

bool is_digest(const std::string& text) { return ota::Sha256::from_hex(text).has_value(); }

}  // namespace

Deltas::Deltas(Store& store, ota::Blobs& blobs, ota::Disk& disk, proto::BlockingPool& pool,
               proto::Clock& clock)
    : store_(store), blobs_(blobs), disk_(disk), pool_(pool), clock_(clock), queued_(clock),
      done_(clock) {}

Deltas::Key Deltas::key_of(const Pair& pair) {
  return {pair.from.digest.hex(), pair.to.digest.hex()};
}

std::string Deltas::file_name(const Key& key, const Made& made) {
  return key.first + "." + key.second + "." + made.sha256;
}

Status Deltas::open() {
  TRY(const auto entries, disk_.list(""));
  for (const ota::DiskEntry& entry : entries) {
    const std::string& name = entry.name;
    const bool is_ours = name.size() == 3 * kDigestDigits + 2 && name[kDigestDigits] == '.' &&
                         name[2 * kDigestDigits + 1] == '.' &&
                         is_digest(name.substr(0, kDigestDigits)) &&
                         is_digest(name.substr(kDigestDigits + 1, kDigestDigits)) &&
                         is_digest(name.substr(2 * kDigestDigits + 2));
    if (!is_ours) {
      TRY_VOID(disk_.remove(name));
      continue;
    }
    made_[{name.substr(0, kDigestDigits), name.substr(kDigestDigits + 1, kDigestDigits)}] = {
        name.substr(2 * kDigestDigits + 2), entry.size_bytes};
    total_bytes_ += entry.size_bytes;
  }
  return {};
}

Result<Deltas::ImageParts> Deltas::parts_of(const std::string& app, std::uint64_t release) {
  const auto known = parts_.find({app, release});
  if (known != parts_.end()) return known->second;
  TRY(const auto row, store_.release(app, static_cast<std::int64_t>(release)));
  ImageParts parts;
  if (!row) return parts;
  for (const v1::Image& image : row->manifest.images()) {
    int role = 0;
    for (const v1::Blob* blob : {&image.kernel(), &image.initrd(), &image.disk()}) {
      ++role;
      const bool fits = blob->size_bytes() > 0 && blob->size_bytes() <= proto::kMaxDeltaImageBytes;
      if (!fits) continue;
      TRY(const ota::Sha256 digest, ota::Sha256::from_hex(blob->sha256()));
      parts.push_back({image.arch(), image.platform(), role, {digest, blob->size_bytes()}});
    }
  }
  if (parts_.size() >= kReleasesRemembered) parts_.clear();
  parts_[{app, release}] = parts;
  return parts;
}

// Base and image of each part that the device may want, of the same kind.
Result<std::vector<Deltas::Pair>> Deltas::pairs_for(const v1::Telemetry& facts,
                                                    const v1::DesiredApp& wish) {
  std::vector<Pair> pairs;
  const std::set<std::uint64_t> held = releases_held(facts, wish.app());
  const bool stage = wish.stage_release() != 0;
  const std::uint64_t wished = stage ? wish.stage_release() : wish.release();
  const bool wants_bytes = (stage || (wish.run() == v1::RUN && wish.fall_back() == 0)) &&
                           wished != 0 && held.count(wished) == 0;
  if (!wants_bytes) return pairs;
  ImageParts bases;
  for (const std::uint64_t release : held) {
    TRY(const ImageParts parts, parts_of(wish.app(), release));
    bases.insert(bases.end(), parts.begin(), parts.end());
  }
  TRY(const ImageParts wanted, parts_of(wish.app(), wished));
  for (const ImagePart& part : wanted) {
    if (part.arch != facts.inventory().arch()) continue;
    bool any_alike = false;
    for (const ImagePart& base : bases) {
      const bool alike =
          base.arch == part.arch && base.platform == part.platform && base.role == part.role;
      if (alike && base.blob != part.blob) pairs.push_back({base.blob, part.blob});
      any_alike = any_alike || alike;
    }
    if (!any_alike) pairs.push_back({{ota::empty_digest(), 0}, part.blob});
  }
  return pairs;
}

void Deltas::queue(const Pair& pair) {
  const bool waits = std::find(queue_.begin(), queue_.end(), pair) != queue_.end();
  if (waits || made_.count(key_of(pair)) == 1 || queue_.size() >= kDeltasQueued) return;
  queue_.push_back(pair);
  queued_.notify();
}

awaitable<void> Deltas::offer(std::string device_id, v1::Desired& desired) {
  const auto device = store_.device(device_id);
  if (!device || !*device) co_return;
  std::vector<std::vector<Pair>> pairs_of_app;
  for (const v1::DesiredApp& wish : desired.apps()) {
    auto pairs = pairs_for((*device)->facts, wish);
    if (!pairs) {
      proto::log_error("deltas.not_offered", {{"app", wish.app()}, {"why", pairs.error().what}});
      co_return;
    }
    for (const Pair& pair : *pairs) queue(pair);
    pairs_of_app.push_back(std::move(*pairs));
  }
  const auto is_queued = [this](const Pair& pair) {
    return std::find(queue_.begin(), queue_.end(), pair) != queue_.end();
  };
  const Deadline deadline = Deadline::after(clock_, kDeltaWaitMs);
  const auto is_waiting = [&]() {
    return std::any_of(pairs_of_app.begin(), pairs_of_app.end(), [&](const auto& pairs) {
      return std::any_of(pairs.begin(), pairs.end(), is_queued);
    });
  };
  while (is_waiting() && !deadline.passed(clock_)) {
    const bool woken = co_await done_.wait(deadline);
    if (!woken) break;
  }
  for (std::size_t i = 0; i < pairs_of_app.size(); ++i) {
    v1::DesiredApp& wish = *desired.mutable_apps(static_cast<int>(i));
    for (const Pair& pair : pairs_of_app[i]) {
      const auto found = made_.find(key_of(pair));
      if (found == made_.end() || found->second.size_bytes == 0) continue;
      if (wish.deltas_size() >= static_cast<int>(proto::kMaxDeltasOffered)) break;
      v1::DeltaOffer* offer = wish.add_deltas();
      offer->set_from(found->first.first);
      offer->set_to(found->first.second);
      offer->set_sha256(found->second.sha256);
      offer->set_size_bytes(found->second.size_bytes);
    }
  }
}

// The images of what the apps' roles list: no device takes an older release (DESIGN 4).
Result<std::set<std::string>> Deltas::wanted_images() {
  std::set<std::string> images;
  TRY(const auto apps, store_.apps());
  for (const std::string& app : apps) {
    TRY(const auto releases, store_.releases(app));
    const std::size_t count = std::min(releases.size(), proto::kMaxReleasesListed);
    for (const ReleaseRow& release : std::span(releases).first(count)) {
      TRY(const ImageParts parts, parts_of(app, static_cast<std::uint64_t>(release.number)));
      for (const ImagePart& part : parts) images.insert(part.blob.digest.hex());
    }
  }
  return images;
}

// out    the files that go. errors no_space (all that is kept is wanted) | io
Result<std::vector<std::string>> Deltas::forget_unwanted() {
  TRY(const auto wanted, wanted_images());
  std::vector<std::string> gone;
  for (auto it = made_.begin(); it != made_.end();) {
    if (wanted.count(it->first.second) == 1) {
      ++it;
      continue;
    }
    gone.push_back(file_name(it->first, it->second));
    total_bytes_ -= it->second.size_bytes;
    it = made_.erase(it);
  }
  constexpr std::uint64_t kLargest = proto::kMaxDeltaImageBytes / proto::kDeltaGain;
  if (made_.size() < proto::kMaxDeltas && total_bytes_ + kLargest <= proto::kMaxDeltasBytes) {
    return gone;
  }
  return Error{Code::no_space, "the folder of deltas is full of what is still wanted", ""};
}

// On the pool's thread.
Result<Deltas::Made> Deltas::make(const Pair& pair, const std::vector<std::string>& gone) {
  for (const std::string& name : gone) TRY_VOID(disk_.remove(name));
  ota::Mapping base;
  if (pair.from.digest != ota::empty_digest()) {
    TRY(const ota::Fd base_file, blobs_.open_verified(pair.from));
    TRY(base, ota::Mapping::read(base_file, proto::kMaxDeltaImageBytes));
  }
  TRY(const ota::Fd image_file, blobs_.open_verified(pair.to));
  TRY(const auto image, ota::Mapping::read(image_file, proto::kMaxDeltaImageBytes));
  auto delta = ota::make_delta(base.bytes(), image.bytes(),
                               image.bytes().size() / proto::kDeltaGain);
  if (!delta && delta.error().code != Code::too_large) return delta.error();
  const std::vector<std::byte> bytes = delta ? std::move(*delta) : std::vector<std::byte>();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const Made made{ota::sha256(text).hex(), bytes.size()};
  TRY_VOID(disk_.remove(kPartial));
  TRY(const ota::Fd file, disk_.open_partial(kPartial, bytes.size()));
  TRY_VOID(ota::write_at(file, 0, bytes));
  TRY_VOID(disk_.publish(kPartial, file, file_name(key_of(pair), made)));
  return made;
}

awaitable<void> Deltas::make_queued() {
  while (true) {
    if (queue_.empty()) {
      const bool woken = co_await queued_.wait(Deadline::never());
      if (!woken) co_return;
      continue;
    }
    const Pair pair = queue_.front();
    const std::int64_t began_ms = clock_.now_ms();
    Result<Made> made;
    const auto gone = forget_unwanted();
    if (gone) {
      auto work = [this, &pair, &gone] { return make(pair, *gone); };
      made = co_await proto::run_blocking(pool_, std::move(work));
    } else {
      made = gone.error();
    }
    queue_.pop_front();
    if (made) {
      made_[key_of(pair)] = *made;
      total_bytes_ += made->size_bytes;
      proto::log_info("delta.made", {{"from", key_of(pair).first.substr(0, 8)},
                                     {"to", key_of(pair).second.substr(0, 8)},
                                     {"bytes", made->size_bytes},
                                     {"of", pair.to.size_bytes},
                                     {"took_ms", clock_.now_ms() - began_ms}});
    } else {
      proto::log_warning("delta.not_made", {{"from", key_of(pair).first.substr(0, 8)},
                                            {"to", key_of(pair).second.substr(0, 8)},
                                            {"why", made.error().what}});
    }
    done_.notify();
  }
}

Result<ota::Fd> Deltas::open_delta(const std::string& sha256) {
  if (!is_digest(sha256)) {
    return Error{Code::bad_argument, "a delta is named by 64 hex digits", sha256.substr(0, 64)};
  }
  for (const auto& [key, made] : made_) {
    if (made.sha256 == sha256 && made.size_bytes > 0) return disk_.open_file(file_name(key, made));
  }
  return Error{Code::not_found, "no delta " + sha256, sha256};
}

}  // namespace controller
