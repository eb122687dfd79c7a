// What each device is wanted to run.
#include "controller/store_sql.h"

namespace controller {
namespace {

using soci::into;
using soci::use;

struct RawDesired {
  v1::DesiredApp app;
  std::string device, name, attempt, rollout, values;
  long long release = 0, run = 0, restarts = 0, fall_back = 0, retry = 0, deadline = 0, stage = 0;

  v1::DesiredApp take() const {
    v1::DesiredApp out;
    if (!values.empty()) read_json(values, out);
    out.set_app(name);
    out.set_release(static_cast<std::uint64_t>(release));
    out.set_run(static_cast<v1::DesiredRun>(run));
    out.set_restart_count(static_cast<std::uint32_t>(restarts));
    out.set_fall_back(static_cast<std::uint64_t>(fall_back));
    out.set_attempt(attempt);
    out.set_rollout(rollout);
    out.set_retry_refused(retry != 0);
    out.set_deadline_ms(static_cast<std::uint64_t>(deadline));
    out.set_stage_release(static_cast<std::uint64_t>(stage));
    return out;
  }
};

constexpr const char* kDesiredColumns =
    "SELECT device_id, app, release_number, run, restart_count, fall_back, attempt, rollout, "
    "retry_refused, deadline_ms, stage_release, values_json FROM desired ";

void bind(Statement& statement, RawDesired& raw) {
  statement.bind(into(raw.device));
  statement.bind(into(raw.name));
  statement.bind(into(raw.release));
  statement.bind(into(raw.run));
  statement.bind(into(raw.restarts));
  statement.bind(into(raw.fall_back));
  statement.bind(into(raw.attempt));
  statement.bind(into(raw.rollout));
  statement.bind(into(raw.retry));
  statement.bind(into(raw.deadline));
  statement.bind(into(raw.stage));
  statement.bind(into(raw.values));
}

// Its values alone, as text; "" for none.
std::string values_of(const v1::DesiredApp& desired) {
  v1::DesiredApp values;
  *values.mutable_overrides() = desired.overrides();
  *values.mutable_sealed() = desired.sealed();
  values.set_keep_values(desired.keep_values());
  return values.ByteSizeLong() == 0 ? "" : as_json(values);
}

// Of one device, or of all; take(device, wish) gets them.
template <typename Take>
void select_desired(Store::Session& session, const std::string* id, const Take& take) {
  RawDesired raw;
  Statement statement(session, std::string(kDesiredColumns) +
                                   (id != nullptr ? "WHERE device_id = :d ORDER BY app"
                                                  : "ORDER BY device_id, app"));
  bind(statement, raw);
  if (id != nullptr) statement.bind(use(*id));
  statement.start();
  while (statement.fetch()) take(raw.device, raw.take());
}

}  // namespace

Result<std::int64_t> Store::next_generation(std::string_view id, NextGeneration next) {
  const std::string i(id);
  const long long floor = next.least;
  const long long told = next.told ? 1 : 0;
  return guard("raising a generation", [&]() -> std::int64_t {
    long long generation = 0;
    session_->run("UPDATE devices SET generation = MAX(generation + 1, :l), generation_told = "
                  "CASE :t WHEN 1 THEN MAX(generation + 1, :m) ELSE generation_told END "
                  "WHERE id = :i",
                  use(floor), use(told), use(floor), use(i));
    session_->run("SELECT generation FROM devices WHERE id = :i", use(i), into(generation));
    return generation;
  });
}

Result<std::int64_t> Store::generation(std::string_view id) {
  const std::string i(id);
  return guard("reading a generation", [&]() -> std::int64_t {
    long long generation = 0;
    session_->run("SELECT generation FROM devices WHERE id = :i", use(i), into(generation));
    return generation;
  });
}

Result<std::vector<v1::DesiredApp>> Store::desired(std::string_view id) {
  const std::string i(id);
  return guard("reading what is wanted", [&] {
    std::vector<v1::DesiredApp> out;
    select_desired(*session_, &i, [&out](const std::string&, v1::DesiredApp app) {
      out.push_back(std::move(app));
    });
    return out;
  });
}

Result<std::map<std::string, std::vector<v1::DesiredApp>>> Store::all_desired() {
  return guard("reading what is wanted", [&] {
    std::map<std::string, std::vector<v1::DesiredApp>> out;
    select_desired(*session_, nullptr, [&out](const std::string& device, v1::DesiredApp app) {
      out[device].push_back(std::move(app));
    });
    return out;
  });
}

Result<std::optional<v1::DesiredApp>> Store::desired_app(std::string_view id,
                                                         std::string_view app) {
  TRY(const std::vector<v1::DesiredApp> all, desired(id));
  for (const v1::DesiredApp& each : all) {
    if (each.app() == app) return std::optional<v1::DesiredApp>(each);
  }
  return std::optional<v1::DesiredApp>();
}

Status Store::set_desired(std::string_view id, const v1::DesiredApp& desired) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  const auto release = static_cast<long long>(desired.release());
  const long long run = desired.run();
  const long long restarts = desired.restart_count();
  const auto fall_back = static_cast<long long>(desired.fall_back());
  const long long retry = desired.retry_refused() ? 1 : 0;
  const auto deadline = static_cast<long long>(desired.deadline_ms());
  const auto stage = static_cast<long long>(desired.stage_release());
  return guard("writing what is wanted", [&] {
    const std::string values = values_of(desired);
    session_->run("INSERT OR REPLACE INTO desired (device_id, app, release_number, run, "
                  "restart_count, fall_back, attempt, rollout, retry_refused, deadline_ms, "
                  "stage_release, values_json) VALUES (:d,:a,:r,:u,:c,:f,:t,:o,:y,:l,:s,:v)",
                  use(i), use(desired.app()), use(release), use(run), use(restarts), use(fall_back),
                  use(desired.attempt()), use(desired.rollout()), use(retry), use(deadline),
                  use(stage), use(values));
  });
}

Status Store::set_awaited(std::string_view id, std::string_view app, std::string_view attempt,
                          bool awaited) {
  const std::string i(id);
  const std::string a(app);
  const std::string t(attempt);
  const long long value = awaited ? 1 : 0;
  return guard("writing what is awaited", [&] {
    session_->run("UPDATE desired SET awaited = :w WHERE device_id = :d AND app = :a AND "
                  "attempt = :t",
                  use(value), use(i), use(a), use(t));
  });
}

Result<bool> Store::is_awaited(std::string_view id, std::string_view app) {
  const std::string i(id);
  const std::string a(app);
  return guard("reading what is awaited", [&]() -> bool {
    long long count = 0;
    session_->run("SELECT COUNT(*) FROM desired WHERE device_id = :d AND app = :a AND awaited = 1",
                  into(count), use(i), use(a));
    return count > 0;
  });
}

Status Store::remove_desired(std::string_view id, std::string_view app) {
  const std::string i(id);
  if (changed_devices_) changed_devices_->insert(i);
  const std::string a(app);
  return guard("forgetting what was wanted", [&] {
    session_->run("DELETE FROM desired WHERE device_id = :d AND app = :a", use(i), use(a));
  });
}

}  // namespace controller
