// TUF metadata of each role as foreign bytes, and changed bytes of a good signed file: whatever is
// taken must be exactly what was signed.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ota/repository.h"
#include "ota/trusted_set.h"

namespace {

using ota::SigningKey;

// What can be read can be written, and read again with the same meaning.
template <typename T>
void check_round(const ota::Result<ota::Signed<T>>& read,
                 ota::Result<ota::Signed<T>> (*parse)(std::string_view)) {
  if (!read) return;
  const auto again = parse(ota::sign_metadata(ota::to_json(read->value), {}));
  FLEET_ASSERT(again.has_value());
  FLEET_ASSERT(ota::to_json(again->value) == ota::to_json(read->value));
}

// A small repository whose keys live as long as the process.
struct World {
  SigningKey key = SigningKey::generate();
  std::string root;
  std::string timestamp;
  std::string snapshot;
  std::string targets;

  World() {
    const SigningKey* keys[] = {&key};
    ota::RootPlan plan;
    plan.root_keys = plan.targets_keys = plan.snapshot_keys = plan.timestamp_keys = {
        key.public_key()};
    root = ota::sign(ota::make_root(plan, kNow).value(), keys);
    ota::Targets value = ota::make_targets(kNow);
    FLEET_ASSERT(ota::delegate_app(value, "dns", key.public_key()).has_value());
    targets = ota::sign(value, keys);
    // No digests, so that the signatures are what stops a change.
    const ota::Snapshot list = ota::make_snapshot(0, {{"targets.json", {}}}, kNow);
    snapshot = ota::sign(list, keys);
    ota::MetaFile file;
    file.version = list.header.version;
    timestamp = ota::sign(ota::make_timestamp(0, file, kNow), keys);
  }

  static constexpr std::int64_t kNow = 1'800'000'000;
};

// Each pair of input bytes changes one byte of the file.
std::string changed(std::string file, std::string_view edits) {
  std::size_t at = 0;
  for (std::size_t i = 0; i + 1 < edits.size(); i += 2) {
    at = (at + static_cast<unsigned char>(edits[i])) % file.size();
    file[at] = static_cast<char>(file[at] ^ edits[i + 1]);
  }
  return file;
}

void check_signed(const World& world, std::string_view edits) {
  auto set = ota::TrustedSet::start(world.root, World::kNow).value();
  if (set.update_timestamp(changed(world.timestamp, edits))) {
    FLEET_ASSERT(set.timestamp()->canonical ==
                 ota::parse_timestamp(world.timestamp)->canonical);
  } else {
    FLEET_ASSERT(set.update_timestamp(world.timestamp).has_value());
  }
  if (set.update_snapshot(changed(world.snapshot, edits), false)) {
    FLEET_ASSERT(set.snapshot()->canonical == ota::parse_snapshot(world.snapshot)->canonical);
  } else {
    FLEET_ASSERT(set.update_snapshot(world.snapshot, false).has_value());
  }
  if (set.update_targets(changed(world.targets, edits))) {
    FLEET_ASSERT(set.targets()->canonical == ota::parse_targets(world.targets)->canonical);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0: check_round(ota::parse_root(rest), ota::parse_root); break;
    case 1: check_round(ota::parse_timestamp(rest), ota::parse_timestamp); break;
    case 2: check_round(ota::parse_snapshot(rest), ota::parse_snapshot); break;
    case 3: check_round(ota::parse_targets(rest), ota::parse_targets); break;
    default: {
      static const World world;
      check_signed(world, rest);
    }
  }
  return 0;
}
