// State: agent.db, all that the agent remembers but the TUF metadata and the blobs: what the
// controller wants, reports until they are acknowledged, how far each wish got, the time floor.
// It never acts; a slot's move and its report share one of its transactions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/metrics.h"
#include "fleet/v1/link.pb.h"
#include "ota/database.h"
#include "proto/result.h"

namespace agent {

/// How far an app's wish got. A wish is known by wish_key(); one that ended is not begun again.
struct AppRow {
  std::string wish_done;                  // key of the last wish that ended
  std::uint32_t restart_count = 0;        // of `restart`, as last obeyed
  fleet::v1::DeviceState state = fleet::v1::WAITING;  // as last reported
  fleet::v1::Reason why;                  // of that state
  std::string uplink;                     // attempt that owes its link to the controller (uplink.h)
};

/// Releases by app.
using Yanked = std::map<std::string, std::set<std::uint64_t>, std::less<>>;

/// What tells one wish of the controller from another: its attempt, above all. An attempt that
/// failed here comes back with the release that runs on, and is no new wish.
std::string wish_key(const fleet::v1::DesiredApp& wish);

/// More reports than these are not kept without a link: the oldest that do not end a wish go first.
inline constexpr std::size_t kMaxOutbox = 1000;

class State {
 public:
  /// Opens or makes the database; ":memory:" for tests. errors as ota::Database::open
  static proto::Result<std::unique_ptr<State>> open(const std::string& path);

  ota::Database& database() { return *database_; }

  /// The last Desired that was stored; generation 0 when there was none.
  proto::Result<fleet::v1::Desired> desired();
  /// Stores it if its generation is higher; false (and nothing changed) if it is not.
  /// after  survives power loss: it may be acted on now
  proto::Result<bool> store_desired(const fleet::v1::Desired& desired);

  /// Puts a report into the outbox, inside the caller's transaction; gives it its sequence, which
  /// rises for ever.
  proto::Result<std::uint64_t> add_report(ota::Transaction& transaction,
                                          fleet::v1::Report& report);
  /// Replaces a report that is still in the outbox, under its sequence.
  proto::Status amend_report(const fleet::v1::Report& report);
  /// Reports above `after`, oldest first, at most `limit`.
  proto::Result<std::vector<fleet::v1::Report>> outbox(std::uint64_t after, std::size_t limit);
  proto::Status acknowledge(std::uint64_t sequence);
  /// Reports that were added since this State was opened, by app and state.
  const ReportCounts& report_counts() const { return counts_; }

  proto::Result<AppRow> app(std::string_view app);
  proto::Status put_app(ota::Transaction& transaction, std::string_view app, const AppRow& row);
  proto::Status remove_app(ota::Transaction& transaction, std::string_view app);

  /// The time floor (Unix seconds; 0 when none was stored) and the timestamp keys that it is of.
  struct TimeFloor {
    std::int64_t unix_s = 0;
    std::string keys;
    bool operator==(const TimeFloor&) const = default;
  };
  proto::Result<TimeFloor> time_floor();
  proto::Status store_time_floor(const TimeFloor& floor);

  /// Releases that this device knows as yanked, by app. For ever: a role that no longer says so, or
  /// no longer lists them, changes nothing.
  proto::Result<Yanked> yanked();
  proto::Status add_yanked(const Yanked& more);

  /// The end of the controller's audit log, as it was last told; sequence 0: never.
  proto::Result<fleet::v1::AuditHead> audit_head();
  /// Keeps it if it is further on than the one that is kept.
  proto::Status store_audit_head(const fleet::v1::AuditHead& head);

  /// The `metadata_news` of the last Desired that was followed; 0 when none was.
  proto::Result<std::uint64_t> news();
  proto::Status store_news(std::uint64_t news);

 private:
  proto::Status put_value(std::string_view key, const std::string& value);
  explicit State(std::unique_ptr<ota::Database> database) : database_(std::move(database)) {}
  proto::Result<std::optional<std::string>> value(std::string_view key);
  proto::Status trim_outbox(ota::Transaction& transaction);

  std::unique_ptr<ota::Database> database_;
  ReportCounts counts_;
};

}  // namespace agent
