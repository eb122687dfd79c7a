#include "deploy/fleetctl/audit.h"

#include <algorithm>
#include <charconv>
#include <fstream>

#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "ota/audit_chain.h"
#include "proto/json.h"

namespace fleetctl {
namespace {

using fleet::v1::AuditEntry;
using fleet::v1::AuditHead;
using fleet::v1::AuditPage;
using proto::Code;

constexpr std::uint64_t kPage = 500;
constexpr std::uint64_t kNone = std::uint64_t{1} << 62;  // above every sequence
constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kMaxHeadBytes = 256;

std::string head_file(const Context& context) { return context.folder + "/audit-head"; }

proto::Error broken(std::uint64_t sequence, const std::string& what) {
  return {Code::bad_digest, "the audit log is not sound at entry " + std::to_string(sequence) +
                                ": " + what, std::to_string(sequence)};
}

proto::Result<std::optional<AuditHead>> kept_head(const Context& context) {
  const auto text = read_small_file(head_file(context), kMaxHeadBytes);
  if (!text && text.error().code == Code::not_found) return std::optional<AuditHead>();
  if (!text) return text.error();
  TRY(AuditHead head, parse_head(*text));
  return std::optional(std::move(head));
}

// The rest of the log below `first` and the first page itself, as check_chain asks for it.
AuditLog log_of(Api& api, AuditPage first) {
  AuditLog log;
  log.head = first.head();
  log.page_before = [&api](std::uint64_t before)
      -> proto::Result<std::vector<AuditEntry>> {
    TRY(const AuditPage page, api.audit({.limit = kPage, .before = before}));
    return std::vector<AuditEntry>(page.entries().begin(), page.entries().end());
  };
  return log;
}

}  // namespace

proto::Result<AuditHead> parse_head(std::string_view text) {
  AuditHead head;
  std::uint64_t sequence = 0;
  const char* const end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, sequence);
  std::string_view hash(after, static_cast<std::size_t>(end - after));
  while (!hash.empty() && (hash.back() == '\n' || hash.back() == ' ')) hash.remove_suffix(1);
  while (!hash.empty() && hash.front() == ' ') hash.remove_prefix(1);
  if (error != std::errc() || sequence == 0 || hash.size() != kHashDigits) {
    return proto::Error{Code::bad_argument,
                        "audit-head of this context is not `SEQUENCE HASH`; look at it, and remove"
                        " it to begin anew", {}};
  }
  head.set_sequence(sequence);
  head.set_hash(std::string(hash));
  return head;
}

std::string format_head(const AuditHead& head) {
  return std::to_string(head.sequence()) + " " + head.hash() + "\n";
}

proto::Status check_chain(const AuditLog& log, const std::optional<AuditHead>& kept) {
  if (kept && log.head.sequence() < kept->sequence()) {
    return broken(log.head.sequence() + 1,
                  "the log ends at " + std::to_string(log.head.sequence()) +
                      ", but this machine saw entry " + std::to_string(kept->sequence()));
  }
  std::uint64_t next = log.head.sequence();  // the entry that must come now
  std::string hash = log.head.hash();        // and the hash that it must have
  std::optional<AuditEntry> above;           // whose hash needs that of the one below it
  while (next > 0) {
    TRY(const std::vector<AuditEntry> page, log.page_before(next + 1));
    if (page.empty()) return broken(next, "it is missing");
    for (const AuditEntry& entry : page) {
      if (next == 0 || entry.sequence() != next) return broken(next, "it is missing");
      if (above && ota::audit_hash(entry.hash(), *above) != above->hash()) {
        return broken(above->sequence(), "it, or one before it, was changed");
      }
      if (!above && entry.hash() != hash) {
        return broken(next, "its hash is not the one that the log's end names");
      }
      if (kept && kept->sequence() == next && kept->hash() != entry.hash()) {
        return broken(next, "it is not the entry that this machine saw; it or one before it was"
                            " rewritten");
      }
      if (log.on_entry) TRY_VOID(log.on_entry(entry));
      above = entry;
      --next;
    }
  }
  if (above && ota::audit_hash(ota::kAuditStart, *above) != above->hash()) {
    return broken(1, "it was changed");
  }
  return {};
}

std::vector<std::string> audit_table(const AuditPage& page, std::uint64_t now_ms) {
  if (page.entries_size() == 0) return {"Nothing was changed yet."};
  Table table({"SEQUENCE", "AGE", "WHO", "FROM", "ACTION", "OBJECT", "DETAIL"});
  for (const AuditEntry& entry : page.entries()) {
    table.add({std::to_string(entry.sequence()),
               age_text(now_ms > entry.at_ms() ? now_ms - entry.at_ms() : 0),
               entry.who().empty() ? "-" : visible(entry.who()),
               entry.from().empty() ? "-" : visible(entry.from()), visible(entry.action()),
               entry.object().empty() ? "-" : visible(entry.object()), visible(entry.detail())});
  }
  return table.lines();
}

CommandResult show_audit(Program& program, const AuditOptions& options) {
  TRY(const Connection connection, connect(program));
  if (options.to_file.empty()) {
    TRY(const AuditPage page,
        connection.api->audit({options.last, kNone, options.who, options.action, options.object}));
    program.json ? program.print_json(page) : program.terminal.lines(audit_table(page, now_ms()));
    return ExitCode::ok;
  }
  TRY(AuditPage first, connection.api->audit({.limit = 1, .before = kNone}));
  AuditLog log = log_of(*connection.api, std::move(first));
  std::ofstream file(options.to_file, std::ios::binary | std::ios::trunc);
  log.on_entry = [&file](const AuditEntry& entry) -> proto::Status {
    TRY(const std::string line, proto::to_json(entry));
    file << line << "\n";
    return {};
  };
  TRY_VOID(check_chain(log, std::nullopt));
  file.close();
  if (!file) {
    return proto::Error{Code::io, options.to_file + " could not be written whole", {}};
  }
  program.terminal.line(options.to_file + "  " +
                        std::to_string(log.head.sequence()) + " entries, newest first");
  return ExitCode::ok;
}

CommandResult verify_audit(Program& program, const AuditOptions& options) {
  TRY(const Connection connection, connect(program));
  TRY(const auto kept, kept_head(connection.context));
  TRY(AuditPage first, connection.api->audit({.limit = 1, .before = kNone}));
  const AuditLog log = log_of(*connection.api, std::move(first));
  const proto::Status sound = check_chain(log, kept);
  if (!sound && !options.accept) {
    if (sound.error().code != Code::bad_digest) return sound.error();
    return proto::Error{
        Code::bad_digest,
        sound.error().what + "\nif the controller was restored from a backup, keep what it says:  "
                             "fleetctl audit verify --accept",
        sound.error().element};
  }
  // Even a person cannot take a log for good that does not hold together.
  if (!sound) TRY_VOID(check_chain(log, std::nullopt));
  if (log.head.sequence() > 0) {
    TRY_VOID(write_private_file(head_file(connection.context), format_head(log.head)));
  }
  fleet::v1::AuditAccepted accepted;
  if (options.accept) {
    TRY(accepted, connection.api->accept_audit());
  }
  if (program.json) {
    program.print_json(log.head);
    return ExitCode::ok;
  }
  program.terminal.line("OK  " + std::to_string(log.head.sequence()) +
                        " entries, each follows from the one before it" +
                        (kept && sound ? "; " + std::to_string(kept->sequence()) +
                                             " is the one seen before"
                                       : ""));
  program.terminal.line("    end  " + log.head.hash() + ", kept on this machine");
  if (!sound) program.terminal.line("    what was seen before is forgotten: " + sound.error().what);
  for (const std::string& device : accepted.devices()) {
    program.terminal.line("    taken for known: what " + visible(device) + " saw before");
  }
  return ExitCode::ok;
}

}  // namespace fleetctl
