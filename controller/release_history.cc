#include "controller/release_history.h"

#include <algorithm>
#include <set>
#include <utility>

namespace controller {
namespace {

// A device runs this release since then; 0: the app does not run.
struct Move {
  std::int64_t at_ms = 0;
  std::string device;
  std::uint64_t release = 0;
};

// in/out rollouts: those that reach none of the groups' devices go
Result<std::vector<Move>> moves_of(Store& store, const std::vector<std::string>& groups,
                                   std::vector<rollout::Rollout>& rollouts) {
  TRY(const auto subjects, store.subjects());
  std::set<std::string> members;
  for (const Subject& subject : subjects) {
    if (is_within(groups, subject)) members.insert(subject.id);
  }
  std::vector<Move> moves;
  std::set<std::int64_t> foreign;
  for (const rollout::Rollout& one : rollouts) {
    TRY(const auto devices, store.rollout_devices(one.number));
    const bool reaches = std::any_of(devices.begin(), devices.end(), [&](const auto& device) {
      return members.count(device.id) == 1;
    });
    if (!reaches && !groups.empty()) foreign.insert(one.number);
    for (const rollout::Device& device : devices) {
      const auto ended_ms = static_cast<std::int64_t>(device.row.ended_ms());
      const v1::DeviceState state = device.row.state();
      const bool told = state == v1::HEALTHY || state == v1::REVERTED || state == v1::FAILED ||
                        state == v1::REMOVED;  // others may have ended without a word of it
      if (ended_ms == 0 || !told || members.count(device.id) == 0) continue;
      moves.push_back({ended_ms, device.id, device.row.live_release()});
    }
  }
  std::erase_if(rollouts, [&](const auto& one) { return foreign.count(one.number) == 1; });
  std::stable_sort(moves.begin(), moves.end(),
                   [](const Move& a, const Move& b) { return a.at_ms < b.at_ms; });
  return moves;
}

void add_moment(std::int64_t at_ms, const std::map<std::uint64_t, std::uint32_t>& running,
                v1::ReleaseHistory& out) {
  v1::ReleaseMoment& moment = *out.add_moments();
  moment.set_at_ms(static_cast<std::uint64_t>(at_ms));
  for (const std::uint64_t release : out.releases()) {
    const auto found = running.find(release);
    moment.add_devices(found == running.end() ? 0 : found->second);
  }
}

}  // namespace

Result<v1::ReleaseHistory> release_history(Store& store, const HistoryQuestion& question,
                                           std::int64_t since_ms, std::int64_t now_ms) {
  TRY(auto rollouts, store.rollouts_of_app(question.app, kHistoryRollouts));
  TRY(const auto moves, moves_of(store, question.groups, rollouts));
  // A young fleet has the whole width: the time begins shortly before its first release.
  if (!moves.empty() && moves.front().at_ms > since_ms) {
    const std::int64_t first_ms = moves.front().at_ms;
    const std::int64_t before_ms = std::max<std::int64_t>(1000, (now_ms - first_ms) / 10);
    since_ms = std::max(since_ms, first_ms - before_ms);
  }
  v1::ReleaseHistory out;
  std::set<std::uint64_t> releases;
  for (const Move& move : moves) {
    if (move.release != 0) releases.insert(move.release);
  }
  while (releases.size() > kHistoryReleases) releases.erase(releases.begin());
  for (const std::uint64_t release : releases) out.add_releases(release);
  for (const rollout::Rollout& one : rollouts) {
    if (one.kind != v1::KIND_PUSH || one.created_ms < since_ms || one.created_ms > now_ms) continue;
    v1::ReleasePush& push = *out.add_pushes();
    push.set_at_ms(static_cast<std::uint64_t>(one.created_ms));
    push.set_release(one.release);
    push.set_rollout(one.id());
  }
  // A moment for each slice in which something moved, and for both ends.
  const std::int64_t slice_ms = std::max<std::int64_t>(
      1, (now_ms - since_ms) / static_cast<std::int64_t>(kHistoryMoments));
  std::map<std::string, std::uint64_t> where;
  std::map<std::uint64_t, std::uint32_t> running;
  std::size_t next = 0;
  for (std::int64_t at_ms = since_ms;; at_ms = std::min(at_ms + slice_ms, now_ms)) {
    const std::size_t before = next;
    std::map<std::uint64_t, std::uint32_t> earlier = running;
    for (; next < moves.size() && moves[next].at_ms <= at_ms; ++next) {
      std::uint64_t& release = where[moves[next].device];
      if (release != 0) --running[release];
      release = moves[next].release;
      if (release != 0) ++running[release];
    }
    const bool is_end = at_ms == since_ms || at_ms == now_ms;
    if (next != before && at_ms > since_ms) add_moment(at_ms - 1, earlier, out);
    if (next != before || is_end) add_moment(at_ms, running, out);
    if (at_ms >= now_ms) break;
  }
  return out;
}

}  // namespace controller
