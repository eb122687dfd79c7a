// What devices measured, ten minutes a row.
#include "controller/store_sql.h"

namespace controller {

using soci::into;
using soci::use;

Status Store::add_measured(std::string_view id, const v1::HistorySample& span) {
  FLEET_ASSERT(session_->in_transaction);
  const auto at = static_cast<long long>(span.at_ms());
  const std::string i(id);
  return guard("writing what a device measured", [&] {
    const std::string json = as_json(span);
    // The controller stopped and came back within the span.
    session_->run("INSERT INTO measured (span_ms, device_id, row_json) VALUES (:s,:i,:j) ON "
                  "CONFLICT (span_ms, device_id) DO UPDATE SET row_json = excluded.row_json",
                  use(at), use(i), use(json));
  });
}

Result<std::vector<v1::HistorySample>> Store::measured(std::string_view id,
                                                       const std::vector<std::int64_t>& spans) {
  if (spans.empty()) return std::vector<v1::HistorySample>();
  const std::string i(id);
  // One look for each span: a range of spans would be a walk over all devices' rows.
  std::string list;
  for (const std::int64_t span : spans) list += (list.empty() ? "" : ",") + std::to_string(span);
  return guard("reading what a device measured", [&] {
    std::string json;
    soci::statement statement =
        (session_->sql.prepare << "SELECT row_json FROM measured WHERE span_ms IN (" + list +
                                      ") AND device_id = :i ORDER BY span_ms",
         use(i), into(json));
    statement.execute();
    std::vector<v1::HistorySample> out;
    while (statement.fetch()) read_json(json, out.emplace_back());
    return out;
  });
}

Status Store::forget_measured(std::int64_t before_ms, std::int64_t most) {
  const long long before = before_ms;
  return guard("forgetting what devices measured", [&] {
    session_->run("DELETE FROM measured WHERE span_ms < :b", use(before));
    long long rows = 0;
    session_->run("SELECT COUNT(*) FROM measured", into(rows));
    if (rows <= most) return;
    const long long over = rows - most - 1;
    long long last = 0;  // the newest span that goes
    session_->run("SELECT span_ms FROM measured ORDER BY span_ms LIMIT 1 OFFSET :o", use(over),
                  into(last));
    session_->run("DELETE FROM measured WHERE span_ms <= :l", use(last));
  });
}

}  // namespace controller
