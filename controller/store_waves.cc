// Whose turn it is: what a look for the next devices of a rollout reads.
#include "controller/store_sql.h"

namespace controller {

using soci::into;
using soci::use;

Result<std::vector<Store::Waiting>> Store::waiting_devices(std::int64_t number, std::int64_t wave,
                                                           std::string_view label,
                                                           std::int64_t limit) {
  const long long n = number;
  const long long most = limit;
  const long long w = wave;
  const std::string l(label);
  return guard("reading who waits for a turn", [&] {
    Waiting row;
    Statement statement(*session_,
                        "SELECT d.device_id, COALESCE(l.value, '') FROM rollout_devices d "
                        "LEFT JOIN device_labels l ON l.device_id = d.device_id AND l.name = :l "
                        "WHERE d.rollout = :n AND d.ended = 0 AND d.let_in = 0 AND d.online = 1 "
                        "AND d.wave <= :w ORDER BY d.wave, d.rowid LIMIT :m");
    statement.start(use(l), use(n), use(w), use(most), into(row.id), into(row.value));
    std::vector<Waiting> out;
    while (statement.fetch()) out.push_back(row);
    return out;
  });
}

Result<std::vector<Store::Waiting>> Store::devices_under_way(std::string_view label) {
  TRY_VOID(write_rollouts());
  const std::string l(label);
  return guard("reading who is under way", [&] {
    Waiting row;
    // Pushes (1) and rollbacks (7); who is to go back (and waits, 1) is not told before it returns.
    Statement statement(*session_,
                        "SELECT DISTINCT d.device_id, COALESCE(l.value, '') "
                        "FROM rollout_devices d "
                        "JOIN rollouts r ON r.number = d.rollout AND r.kind IN (1, 7) "
                        "LEFT JOIN device_labels l ON l.device_id = d.device_id AND l.name = :l "
                        "WHERE d.ended = 0 AND d.let_in = 1 "
                        "AND (d.going_back = 0 OR d.state <> 1)");
    statement.start(use(l), into(row.id), into(row.value));
    std::vector<Waiting> out;
    while (statement.fetch()) out.push_back(row);
    return out;
  });
}

Result<std::vector<std::int64_t>> Store::rollouts_with_waiting() {
  TRY_VOID(write_rollouts());
  return guard("reading who waits for a turn", [&] {
    long long number = 0;
    // Running (1), succeeded (2), superseded (5).
    Statement statement(*session_,
                        "SELECT DISTINCT d.rollout FROM rollout_devices d "
                        "JOIN rollouts r ON r.number = d.rollout AND r.state IN (1, 2, 5) "
                        "WHERE d.ended = 0 AND d.let_in = 0 AND d.online = 1");
    statement.start(into(number));
    std::vector<std::int64_t> out;
    while (statement.fetch()) out.push_back(number);
    return out;
  });
}

Result<std::vector<std::pair<std::int64_t, std::string>>> Store::standing_rollouts(
    std::int64_t limit) {
  TRY_VOID(write_rollouts());
  const long long most = limit;
  return guard("reading who takes members", [&] {
    long long number = 0;
    std::string app;
    // Running (1), succeeded (2), paused (6).
    Statement statement(*session_,
                        "SELECT number, app FROM rollouts WHERE state IN (1, 2, 6) ORDER BY "
                        "number DESC LIMIT :m");
    statement.start(use(most), into(number), into(app));
    std::vector<std::pair<std::int64_t, std::string>> out;
    while (statement.fetch()) out.emplace_back(number, app);
    return out;
  });
}

Result<std::vector<std::int64_t>> Store::rollouts_with_online() {
  return guard("reading who was online", [&] {
    long long number = 0;
    Statement statement(*session_,
                        "SELECT DISTINCT rollout FROM rollout_devices "
                        "WHERE ended = 0 AND online = 1");
    statement.start(into(number));
    std::vector<std::int64_t> out;
    while (statement.fetch()) out.push_back(number);
    return out;
  });
}

Result<std::int64_t> Store::newest_rollout_of(std::string_view id, std::string_view app) {
  const std::string i(id);
  const std::string a(app);
  // New values are no word on what is to run: a push that came before them may still come.
  const long long config = v1::KIND_CONFIG;
  return guard("reading a device's newest rollout", [&]() -> std::int64_t {
    long long number = 0;
    session_->run("SELECT COALESCE(MAX(rollout), 0) FROM rollout_devices WHERE device_id = :i AND "
                  "app = :a AND NOT EXISTS (SELECT 1 FROM rollouts WHERE rollouts.number = "
                  "rollout_devices.rollout AND kind = :k)",
                  use(i), use(a), use(config), into(number));
    return number;
  });
}

}  // namespace controller
