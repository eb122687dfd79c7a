// The steps of run_update (agent/update.cc) and what they hand to each other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/app.h"

namespace agent {

/// A blob that is to be fetched.
struct MissingBlob {
  /// A delta that is cheaper, from a base that is here, or from the empty one.
  struct Delta {
    ota::Sha256 base;
    ota::BlobRef file;
  };
  ota::BlobRef blob;
  std::optional<Delta> delta;
  std::uint64_t begun_bytes = 0;  // that an earlier try left, of the blob or of the delta
  std::uint64_t rest_bytes = 0;   // that the cheaper way still takes
};

/// One attempt at one wish.
class Update {
 public:
  explicit Update(App& of);
  ~Update();
  Update(const Update&) = delete;
  Update& operator=(const Update&) = delete;

  App& app;
  const fleet::v1::DesiredApp wish;   // as it was when the attempt began; release: that it brings
  const std::string key;
  VerifiedRelease verified;           // after admit
  fleet::v1::AppManifest manifest;    // after admit, or of the resumed trial
  Plan plan;
  std::vector<MissingBlob> missing;   // after admit
  std::uint64_t fetched_bytes = 0;
  std::uint64_t spent_bytes = 0;      // of update.max_bytes, what was thrown away included
  std::string delta_note;             // what became of deltas, for people; "" without any
  std::optional<HealthJudge> judge;
  fleet::v1::FlightRecord flight;     // of a trial that failed
  std::vector<fleet::v1::StepTime> steps;
  bool held_by_values = false;        // this device's values are not what the release asks for
  bool paused = false;                // ended without a verdict; it goes on later

  /// It ends when it is staged.
  bool stage_only() const { return wish.stage_release() != 0; }
  /// Ends the step before and starts this one's time.
  void begin(std::string_view step);
  void end_step();
  ReportDraft draft(fleet::v1::DeviceState state);
  /// errors superseded | cancelled (the agent stops, or waits for a window)
  proto::Status still_wanted() const;
  /// Waits before another try after `error`; gives the error back when there shall be none.
  proto::awaitable<proto::Status> wait_to_retry(proto::Error error);
  /// Has the live release looked after beside the steps that may take long, until end_keeping().
  void keep_live_meanwhile();
  proto::awaitable<void> end_keeping();
  /// A fetch session of this attempt, ended when a newer wish comes.
  ota::Fetch& session();

 private:
  std::unique_ptr<ota::Fetch> session_;
  std::string step_;
  std::int64_t step_began_ms_ = 0;
  std::int64_t began_ms_;
  std::int64_t retry_wait_ms_ = 0;
  proto::TaskGroup keeper_;
  bool keeping_ended_ = false;
};

/// What of the device counts for this app now. errors io
proto::Result<DeviceFacts> device_facts(App& app);

/// Which of the blobs are not here, each with the cheapest way to get it.
proto::awaitable<std::vector<MissingBlob>> find_missing(Update& update,
                                                        std::vector<ota::BlobRef> wanted);

// Each gives the error that ends the attempt; see the list in update.cc.
proto::awaitable<proto::Status> admit(Update& update);
proto::awaitable<proto::Status> fetch_blobs(Update& update);
proto::awaitable<proto::Status> stage(Update& update);
proto::awaitable<proto::Status> arm(Update& update);
proto::awaitable<proto::Status> resume(Update& update);
proto::awaitable<proto::Status> start_trial(Update& update);
proto::awaitable<proto::Status> probe_trial(Update& update);
/// After a trial that failed: true when its guest went with the launcher and a try is left.
bool may_start_again(Update& update);
proto::awaitable<proto::Status> confirm(Update& update);
void switch_over(Update& update);
void drain(Update& update);

}  // namespace agent
