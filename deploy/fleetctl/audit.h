// The audit log: shown, copied to a file, and verified: its chain is computed anew, and its end is
// compared with the last one that this machine saw.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct AuditOptions {
  std::uint64_t last = 50;   // entries shown
  std::string who, action, object;  // only of these; "": any
  std::string to_file;       // the whole log, one JSON object per line, newest first
  bool accept = false;       // a log that is not the one seen before is the right one
};

CommandResult show_audit(Program& program, const AuditOptions& options);
/// errors bad_digest: the log was rewritten or shortened, naming the sequence
CommandResult verify_audit(Program& program, const AuditOptions& options);

std::vector<std::string> audit_table(const fleet::v1::AuditPage& page, std::uint64_t now_ms);

/// Checks a log page by page, from its newest entry down, holding one page at a time.
/// in     page_before: entries below a sequence, newest first; empty below 1
///        kept: the end that was seen before, if any
/// errors bad_digest: entry N is not what the chain says | the log ends at N, M was seen before |
///        entry N is not the one that was seen before
struct AuditLog {
  fleet::v1::AuditHead head;
  std::function<proto::Result<std::vector<fleet::v1::AuditEntry>>(std::uint64_t before)>
      page_before;
  std::function<proto::Status(const fleet::v1::AuditEntry& entry)> on_entry;  // may be empty
};
proto::Status check_chain(const AuditLog& log, const std::optional<fleet::v1::AuditHead>& kept);

/// "SEQUENCE HASH", as the context's file audit-head holds it. errors bad_argument
proto::Result<fleet::v1::AuditHead> parse_head(std::string_view text);
std::string format_head(const fleet::v1::AuditHead& head);

}  // namespace fleetctl
