// The fleet as one look: a summary of each device in memory, and from them counts, tiles and what
// needs a person. A question reads from the store only the devices that were written since the
// last one, so that a page that asks every second costs what changed, not the size of the fleet.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "controller/fleet.h"
#include "controller/metadata.h"
#include "controller/selector.h"
#include "controller/store.h"

namespace controller {

/// Less free memory than this is worth a look: no app of ours fits any more.
inline constexpr std::uint64_t kLowMemoryBytes = 16 * proto::kMiB;
/// Devices that are alike in what they need are told one by one up to so many.
inline constexpr std::size_t kNeedsOneByOne = 3;
/// Devices of one trouble that are named; more are a count.
inline constexpr std::size_t kTroubledNamed = 5;

/// Which devices a list is to have.
struct SummaryQuestion {
  std::string selector;            // "": all
  std::vector<std::string> states; // of DeviceSummary, or "online"; none: all
  std::string search;              // in name, groups, labels and apps; "": all
  std::size_t limit = 20000;
  std::vector<std::string> groups;  // of a token: devices of others are not there; none: all are
};

class Overview {
 public:
  using Groups = std::vector<std::string>;
  using Running = std::map<std::string, std::map<std::uint64_t, std::uint32_t>>;

  /// All outlive it.
  Overview(Store& store, Fleet& fleet, Metadata& metadata)
      : store_(store), fleet_(fleet), metadata_(metadata) {}
  Overview(const Overview&) = delete;
  Overview& operator=(const Overview&) = delete;

  /// in     by: group, board, release or a label's name; "": the label site if there is one
  ///        groups: as SummaryQuestion. Rollouts are everybody's: controller/access narrows them
  /// errors io
  Result<v1::FleetOverview> look(const std::string& by, const Groups& groups);
  /// Counts and troubles of the devices; those that are named have no more than their names.
  /// errors io
  Result<v1::ServerStatus> figures(const Groups& groups);
  /// On how many devices each release runs, by app. errors io
  Result<Running> running(const Groups& groups);
  /// By name. errors bad_argument (the selector) | io
  Result<v1::DeviceSummaryList> list(const SummaryQuestion& question);

 private:
  struct Entry {
    Subject subject;
    v1::DeviceSummary summary;  // state and note as if it were online and no rollout went badly
    std::uint64_t certificate_until_ms = 0;
    std::uint64_t ahead_ms = 0;  // since when a person has to decide on it
    bool audit_strange = false;
    bool takes_nothing_new = false;
  };
  /// What the last rollout of an app left behind on a device.
  struct Fault {
    std::string rollout;
    std::string app;
    std::uint64_t release = 0;
    bool is_release = true;
    v1::RolloutDevice row;
  };

  Status refresh();
  Status refresh_faults(const std::vector<rollout::Rollout>& rollouts, const Groups& groups);
  static Entry summarise(const DeviceRow& row, Subject subject,
                         const std::vector<v1::DesiredApp>& desired);
  /// Its state now: what it is by itself, after its faults and its link.
  std::string_view state_now(const std::string& id, const Entry& entry) const;
  /// The summary as it is now.
  v1::DeviceSummary now(const std::string& id, const Entry& entry) const;

  // overview_figures.cc
  struct Troubles;
  void add_troubles(const std::string& id, const Entry& entry, Troubles& out) const;
  v1::CertificateFigures certificates(const Groups& groups) const;

  // overview_needs.cc
  void add_tiles(const std::string& by, const Groups& groups, v1::FleetOverview& out) const;
  void add_faults(v1::FleetOverview& out) const;
  void add_device_needs(const Groups& groups, v1::FleetOverview& out) const;

  Store& store_;
  Fleet& fleet_;
  Metadata& metadata_;
  std::map<std::string, Entry> devices_;  // by id
  std::vector<Fault> faults_;
  std::map<std::string, const Fault*> fault_of_;  // by the device's name
};

}  // namespace controller
