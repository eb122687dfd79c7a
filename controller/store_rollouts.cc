// Rollouts and their devices' rows.
#include "controller/store_sql.h"

namespace controller {
namespace {

using rollout::Device;
using rollout::Rollout;
using soci::into;
using soci::use;

struct RawRollout {
  long long number = 0, state = 0, kind = 0, release = 0, deadline = 0;
  std::string app, first_failure, json;

  Rollout take() const {
    v1::Rollout message;
    read_json(json, message);
    Rollout out;
    out.number = number;
    out.kind = static_cast<v1::RolloutKind>(kind);
    out.app = app;
    out.release = static_cast<std::uint64_t>(release);
    out.state = static_cast<v1::RolloutState>(state);
    out.device_deadline_ms = deadline;
    out.first_failure = first_failure;
    from_api(message, out);
    return out;
  }
};

// `tail` begins with WHERE or ORDER; its values are in `text` and `number`, in this order.
std::vector<Rollout> select(Store::Session& session, const std::string& tail,
                            const std::string* text, const long long* number) {
  RawRollout raw;
  Statement statement(session,
                      "SELECT number, app, state, kind, release_number, device_deadline_ms, "
                      "first_failure, rollout_json FROM rollouts " + tail);
  statement.bind(into(raw.number));
  statement.bind(into(raw.app));
  statement.bind(into(raw.state));
  statement.bind(into(raw.kind));
  statement.bind(into(raw.release));
  statement.bind(into(raw.deadline));
  statement.bind(into(raw.first_failure));
  statement.bind(into(raw.json));
  if (text != nullptr) statement.bind(use(*text));
  if (number != nullptr) statement.bind(use(*number));
  statement.start();
  std::vector<Rollout> out;
  while (statement.fetch()) out.push_back(raw.take());
  return out;
}

struct RawDevice {
  long long deadline = 0, ended = 0, wanted = 0, release = 0, run = 0, stage = 0, keep = 0;
  long long wave = 0, let_in = 0;
  std::string id, attempt, json;

  Device take() const {
    Device out;
    out.id = id;
    out.attempt = attempt;
    out.deadline_ms = deadline;
    out.before.wanted = wanted != 0;
    out.before.release = static_cast<std::uint64_t>(release);
    out.before.run = static_cast<v1::DesiredRun>(run);
    out.before.stage_release = static_cast<std::uint64_t>(stage);
    out.before.keep_values = keep != 0;
    out.ended = ended != 0;
    read_json(json, out.row);
    out.row.set_wave(static_cast<std::uint32_t>(wave));  // not in rows of before
    out.row.set_let_in(let_in != 0);
    return out;
  }
};

std::vector<Device> select_devices(Store::Session& session, long long number,
                                   const std::string* id, const char* rest = " ORDER BY rowid") {
  RawDevice raw;
  Statement statement(
      session,
      std::string("SELECT device_id, attempt, deadline_ms, ended, before_wanted, before_release, "
                  "before_run, before_stage, before_keep, wave, let_in, row_json "
                  "FROM rollout_devices WHERE rollout = :r") +
          (id != nullptr ? " AND device_id = :d" : rest));
  statement.bind(into(raw.id));
  statement.bind(into(raw.attempt));
  statement.bind(into(raw.deadline));
  statement.bind(into(raw.ended));
  statement.bind(into(raw.wanted));
  statement.bind(into(raw.release));
  statement.bind(into(raw.run));
  statement.bind(into(raw.stage));
  statement.bind(into(raw.keep));
  statement.bind(into(raw.wave));
  statement.bind(into(raw.let_in));
  statement.bind(into(raw.json));
  statement.bind(use(number));
  if (id != nullptr) statement.bind(use(*id));
  statement.start();
  std::vector<Device> out;
  while (statement.fetch()) out.push_back(raw.take());
  return out;
}

}  // namespace

Result<std::int64_t> Store::next_rollout_number() {
  return guard("numbering a rollout", [&]() -> std::int64_t {
    long long last = 0;
    session_->run("SELECT COALESCE(MAX(number), 0) FROM rollouts", into(last));
    return last + 1;
  });
}

Status Store::add_rollout(const Rollout& value) {
  const long long number = value.number;
  const long long state = value.state;
  const long long kind = value.kind;
  const auto release = static_cast<long long>(value.release);
  const long long deadline = value.device_deadline_ms;
  return guard("adding a rollout", [&] {
    const std::string json = as_json(to_api(value));
    session_->run("INSERT INTO rollouts (number, app, state, kind, release_number, "
                  "device_deadline_ms, first_failure, rollout_json) VALUES "
                  "(:n,:a,:s,:k,:r,:d,:f,:j)",
                  use(number), use(value.app), use(state), use(kind), use(release), use(deadline),
                  use(value.first_failure), use(json));
    if (session_->in_transaction) working_[value.number] = {value, false};
  });
}

Status Store::set_rollout(const Rollout& value) {
  if (!session_->in_transaction) return write_rollout(value);
  working_[value.number] = {value, true};
  return {};
}

Status Store::write_rollouts() {
  for (auto& [number, working] : working_) {
    if (!working.changed) continue;
    TRY_VOID(write_rollout(working.value));
    working.changed = false;
  }
  return {};
}

Status Store::write_rollout(const Rollout& value) {
  const long long number = value.number;
  const long long state = value.state;
  return guard("writing a rollout", [&] {
    const std::string json = as_json(to_api(value));
    session_->run("UPDATE rollouts SET state = :s, first_failure = :f, rollout_json = :j WHERE "
                  "number = :n",
                  use(state), use(value.first_failure), use(json), use(number));
  });
}

Result<std::optional<Rollout>> Store::rollout(std::int64_t number) {
  const auto known = working_.find(number);
  if (known != working_.end()) return std::optional<Rollout>(known->second.value);
  const long long n = number;
  return guard("reading a rollout", [&]() -> std::optional<Rollout> {
    std::vector<Rollout> rows = select(*session_, "WHERE number = :n", nullptr, &n);
    if (rows.empty()) return std::nullopt;
    if (session_->in_transaction) working_[number] = {rows.front(), false};
    return std::move(rows.front());
  });
}

Result<std::vector<Rollout>> Store::rollouts(std::int64_t limit) {
  TRY_VOID(write_rollouts());
  const long long n = limit;
  return guard("reading the rollouts", [&] {
    return select(*session_, "ORDER BY number DESC LIMIT :n", nullptr, &n);
  });
}

Result<std::vector<Rollout>> Store::rollouts_of(std::string_view app, v1::RolloutState state) {
  TRY_VOID(write_rollouts());
  const std::string a(app);
  const long long s = state;
  return guard("reading an app's rollouts", [&] {
    return select(*session_, "WHERE app = :a AND state = :s ORDER BY number DESC", &a, &s);
  });
}

Result<std::vector<Rollout>> Store::rollouts_of_app(std::string_view app, std::int64_t limit) {
  TRY_VOID(write_rollouts());
  const std::string a(app);
  const long long n = limit;
  return guard("reading an app's rollouts", [&] {
    return select(*session_, "WHERE app = :a ORDER BY number DESC LIMIT :n", &a, &n);
  });
}

Result<std::vector<Rollout>> Store::running_rollouts() {
  TRY_VOID(write_rollouts());
  // Running, paused, reverting.
  return guard("reading the running rollouts", [&] {
    return select(*session_, "WHERE state IN (1, 6, 7) ORDER BY number DESC", nullptr,
                  nullptr);
  });
}

namespace {

/// A device's row as its columns.
struct Columns {
  explicit Columns(const Device& device)
      : state(device.row.state()),
        ended(device.ended ? 1 : 0),
        deadline(device.deadline_ms),
        wanted(device.before.wanted ? 1 : 0),
        release(static_cast<long long>(device.before.release)),
        run(device.before.run),
        stage(static_cast<long long>(device.before.stage_release)),
        keep(device.before.keep_values ? 1 : 0),
        wave(device.row.wave()),
        let_in(device.row.let_in() ? 1 : 0),
        online(device.row.online() ? 1 : 0),
        back(device.row.going_back_to() != 0 ? 1 : 0),
        json(as_json(device.row)) {}

  long long state, ended, deadline, wanted, release, run, stage, keep, wave, let_in, online, back;
  std::string json;
};

}  // namespace

Status Store::add_rollout_device(std::int64_t number, std::string_view app, const Device& device) {
  const long long n = number;
  const std::string a(app);
  return guard("adding a rollout's device", [&] {
    const Columns row(device);
    session_->run("INSERT INTO rollout_devices (rollout, device_id, app, attempt, state, ended, "
                  "deadline_ms, before_wanted, before_release, before_run, before_stage, "
                  "before_keep, wave, let_in, online, going_back, row_json) "
                  "VALUES (:n,:i,:a,:t,:s,:e,:d,:w,:r,:u,:g,:k,:v,:l,:o,:b,:j)",
                  use(n), use(device.id), use(a), use(device.attempt), use(row.state),
                  use(row.ended), use(row.deadline), use(row.wanted), use(row.release),
                  use(row.run), use(row.stage), use(row.keep), use(row.wave), use(row.let_in),
                  use(row.online), use(row.back), use(row.json));
  });
}

void Store::keep_working(std::int64_t number, const Device& device) {
  constexpr std::size_t kMostWorking = 1024;
  if (!session_->in_transaction) return;
  if (working_devices_.size() >= kMostWorking) working_devices_.clear();
  working_devices_[{number, device.id}] = device;
}

Status Store::set_rollout_device(std::int64_t number, const Device& device) {
  const long long n = number;
  TRY_VOID(guard("writing a rollout's device", [&] {
    const Columns row(device);
    session_->run("UPDATE rollout_devices SET attempt = :t, state = :s, ended = :e, "
                  "deadline_ms = :d, before_wanted = :w, before_release = :r, before_run = :u, "
                  "before_stage = :g, before_keep = :k, wave = :v, let_in = :l, online = :o, "
                  "going_back = :b, row_json = :j WHERE rollout = :n AND device_id = :i",
                  use(device.attempt), use(row.state), use(row.ended), use(row.deadline),
                  use(row.wanted), use(row.release), use(row.run), use(row.stage), use(row.keep),
                  use(row.wave), use(row.let_in), use(row.online), use(row.back), use(row.json),
                  use(n), use(device.id));
  }));
  keep_working(number, device);
  return {};
}

Status Store::remove_rollout_device(std::int64_t number, std::string_view id) {
  const long long n = number;
  const std::string i(id);
  working_devices_.erase({number, i});
  return guard("removing a rollout's device", [&] {
    session_->run("DELETE FROM rollout_devices WHERE rollout = :n AND device_id = :i", use(n),
                  use(i));
  });
}

Result<std::vector<Device>> Store::rollout_devices(std::int64_t number) {
  return guard("reading a rollout's devices",
               [&] { return select_devices(*session_, number, nullptr); });
}

Result<std::vector<Device>> Store::bad_rollout_devices(std::int64_t number) {
  static const std::string rest = " AND state IN (" + std::to_string(v1::REVERTED) + ", " +
                                  std::to_string(v1::FAILED) + ", " + std::to_string(v1::HELD) +
                                  ") ORDER BY rowid";
  return guard("reading a rollout's devices", [&] {
    return select_devices(*session_, number, nullptr, rest.c_str());
  });
}

Result<std::optional<Device>> Store::rollout_device(std::int64_t number, std::string_view id) {
  const std::string i(id);
  const auto known = working_devices_.find({number, i});
  if (known != working_devices_.end()) return std::optional<Device>(known->second);
  return guard("reading a rollout's device", [&]() -> std::optional<Device> {
    std::vector<Device> rows = select_devices(*session_, number, &i);
    if (rows.empty()) return std::nullopt;
    keep_working(number, rows.front());
    return std::move(rows.front());
  });
}

Result<std::map<v1::RolloutState, std::int64_t>> Store::count_rollouts() {
  TRY_VOID(write_rollouts());
  return guard("counting the rollouts", [&] {
    long long state = 0;
    long long count = 0;
    Statement statement(*session_, "SELECT state, COUNT(*) FROM rollouts GROUP BY state");
    statement.start(into(state), into(count));
    std::map<v1::RolloutState, std::int64_t> counts;
    while (statement.fetch()) counts[static_cast<v1::RolloutState>(state)] = count;
    return counts;
  });
}

Result<RolloutReach> Store::rollout_reach(std::int64_t number,
                                          const std::vector<std::string>& groups) {
  // Names of groups hold no comma, so that one text names them all.
  std::string all = ",";
  for (const std::string& group : groups) all += group + ",";
  const long long n = number;
  return guard("counting a rollout's devices", [&] {
    long long devices = 0;
    long long own = 0;
    session_->run("SELECT COUNT(*), COALESCE(SUM(EXISTS (SELECT 1 FROM device_groups g WHERE "
                  "g.device_id = d.device_id AND instr(:g, ',' || g.group_name || ',') > 0)), 0) "
                  "FROM rollout_devices d WHERE d.rollout = :n",
                  use(all), use(n), into(devices), into(own));
    return RolloutReach{devices, own};
  });
}

Result<std::int64_t> Store::rollout_of_attempt(std::string_view id, std::string_view attempt) {
  const std::string i(id);
  const std::string a(attempt);
  return guard("reading an attempt", [&]() -> std::int64_t {
    long long number = 0;
    const bool found = session_->run("SELECT rollout FROM rollout_devices WHERE attempt = :a AND "
                                     "device_id = :i",
                                     use(a), use(i), into(number));
    return found ? number : 0;
  });
}

Result<std::vector<std::int64_t>> Store::open_rollouts_of(std::string_view id) {
  const std::string i(id);
  return guard("reading a device's rollouts", [&] {
    long long number = 0;
    Statement statement(*session_,
                        "SELECT rollout FROM rollout_devices WHERE device_id = :i AND ended = 0");
    statement.start(use(i), into(number));
    std::vector<std::int64_t> out;
    while (statement.fetch()) out.push_back(number);
    return out;
  });
}

Result<std::vector<std::pair<std::int64_t, std::string>>> Store::due(std::int64_t now_ms) {
  const long long now = now_ms;
  return guard("reading deadlines", [&] {
    long long number = 0;
    std::string id;
    Statement statement(*session_,
                        "SELECT rollout, device_id FROM rollout_devices WHERE deadline_ms > 0 AND "
                        "deadline_ms <= :t LIMIT 256");
    statement.start(use(now), into(number), into(id));
    std::vector<std::pair<std::int64_t, std::string>> out;
    while (statement.fetch()) out.emplace_back(number, id);
    return out;
  });
}

}  // namespace controller
