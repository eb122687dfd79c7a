#include "controller/flights.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <string_view>

#include "proto/log.h"

namespace controller {
namespace {

using fleet::v1::FlightRecord;

template <typename Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Flights::Flights(ota::Disk& disk, proto::BlockingPool& pool, proto::Clock& clock,
                 std::uint64_t max_bytes)
    : disk_(disk), pool_(pool), clock_(clock), max_bytes_(max_bytes) {}

// All that a question or a limit asks, so that a start reads no file.
std::string Flights::file_name(const Key& key, const Entry& entry) {
  return key.first + "." + key.second + "." + std::to_string(entry.number) + "." + entry.id + "." +
         std::to_string(entry.release) + "." + entry.fingerprint;
}

bool Flights::read_name(const std::string& name, Place& out) {
  std::array<std::string_view, 6> parts;
  std::string_view rest = name;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t dot = rest.find('.');
    if ((dot == std::string_view::npos) != (i + 1 == parts.size())) return false;
    parts.at(i) = rest.substr(0, dot);
    if (parts.at(i).empty()) return false;
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  }
  out.key = {std::string(parts[0]), std::string(parts[1])};
  out.entry.id = std::string(parts[3]);
  out.entry.fingerprint = std::string(parts[5]);
  return read_number(parts[2], out.entry.number) && read_number(parts[4], out.entry.release);
}

Flights::Place Flights::place_of(const ReceivedFlight& flight) {
  last_number_ = std::max(last_number_ + 1, clock_.wall_ms());
  Place place;
  place.key = {flight.record.app(), flight.device_id};
  place.entry.number = last_number_;
  place.entry.id = flight.record.id();
  place.entry.release = flight.record.release();
  place.entry.fingerprint = flight.record.why().fingerprint();
  place.entry.size_bytes = flight.record.ByteSizeLong();
  place.entry.count = flight.record.count();
  return place;
}

void Flights::drop_oldest_of(const Key& key, std::vector<std::string>& gone) {
  const auto found = kept_.find(key);
  FLEET_ASSERT(found != kept_.end() && !found->second.empty());
  const Entry oldest = found->second.front();
  gone.push_back(file_name(key, oldest));
  by_age_.erase(oldest.number);
  total_bytes_ -= oldest.size_bytes;
  found->second.erase(found->second.begin());
  if (found->second.empty()) kept_.erase(found);
}

void Flights::add(Place place, std::vector<std::string>& gone) {
  const Key key = place.key;
  std::vector<Entry>& of_key = kept_[key];
  const auto older = std::find_if(of_key.begin(), of_key.end(), [&place](const Entry& one) {
    return one.id == place.entry.id;
  });
  if (older != of_key.end()) {  // the same fault, counted on
    gone.push_back(file_name(key, *older));
    by_age_.erase(older->number);
    total_bytes_ -= older->size_bytes;
    of_key.erase(older);
  }
  by_age_[place.entry.number] = key;
  total_bytes_ += place.entry.size_bytes;
  of_key.push_back(std::move(place.entry));
  while (kept_[key].size() > proto::kFlightsPerApp) drop_oldest_of(key, gone);
  // The newest stays, whatever the cap.
  while (total_bytes_ > max_bytes_ && by_age_.size() > 1) {
    const Key oldest = by_age_.begin()->second;
    drop_oldest_of(oldest, gone);
  }
}

Status Flights::open(const std::function<bool(const std::string& device_id)>& is_known) {
  TRY(const auto files, disk_.list(""));
  std::vector<std::string> gone;
  std::vector<Place> places;
  std::map<std::string, bool> known;
  for (const ota::DiskEntry& file : files) {
    Place place;
    if (!read_name(file.name, place)) {
      gone.push_back(file.name);
      continue;
    }
    const std::string& device_id = place.key.second;
    if (known.count(device_id) == 0) known[device_id] = is_known(device_id);
    if (!known[device_id]) {
      gone.push_back(file.name);
      continue;
    }
    place.entry.size_bytes = file.size_bytes;
    places.push_back(std::move(place));
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return a.entry.number < b.entry.number;
  });
  for (Place& place : places) {
    last_number_ = std::max(last_number_, place.entry.number);
    add(std::move(place), gone);
  }
  for (const std::string& name : gone) TRY_VOID(disk_.remove(name));
  return {};
}

bool Flights::holds(const ReceivedFlight& flight) const {
  const auto found = kept_.find({flight.record.app(), flight.device_id});
  if (found == kept_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&flight](const Entry& one) {
    return one.id == flight.record.id() && one.count == flight.record.count();
  });
}

awaitable<Status> Flights::keep(const std::vector<ReceivedFlight>& batch) {
  struct File {
    std::string name;
    std::string content;
  };
  std::vector<Place> places;
  std::vector<File> files;
  for (const ReceivedFlight& flight : batch) {
    places.push_back(place_of(flight));
    files.push_back({file_name(places.back().key, places.back().entry),
                     flight.record.SerializeAsString()});
  }
  auto write = [this, &files]() -> Status {
    for (const File& file : files) {
      const auto bytes = std::as_bytes(std::span(file.content.data(), file.content.size()));
      TRY_VOID(disk_.replace_file(file.name, bytes));
    }
    return {};
  };
  const Status written = co_await proto::run_blocking(pool_, std::move(write));
  std::vector<std::string> gone;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (written && forgotten_.count(places[i].key.second) == 0) {
      add(std::move(places[i]), gone);
    } else {
      gone.push_back(files[i].name);
    }
  }
  co_await remove_files(std::move(gone));
  co_return written;
}

// What stays because of an error goes at the next start.
awaitable<void> Flights::remove_files(std::vector<std::string> names) {
  if (names.empty()) co_return;
  auto work = [this, &names]() -> Status {
    Status first;
    for (const std::string& name : names) {
      const Status removed = disk_.remove(name);
      if (first) first = removed;
    }
    return first;
  };
  const Status removed = co_await proto::run_blocking(pool_, std::move(work));
  if (!removed) proto::log_warning("flight.not_removed", {{"why", removed.error().what}});
}

awaitable<FlightAnswer> Flights::find(FlightQuestion question) {
  FlightAnswer answer;
  std::vector<Place> places;
  std::map<std::string, std::set<std::string>> having;  // fingerprint -> devices
  for (auto at = kept_.lower_bound({question.app, ""});
       at != kept_.end() && at->first.first == question.app; ++at) {
    if (question.among && question.among->count(at->first.second) == 0) continue;
    for (const Entry& entry : at->second) {
      having[entry.fingerprint].insert(at->first.second);
      const bool asked =
          (question.device_id.empty() || question.device_id == at->first.second) &&
          (question.release == 0 || question.release == entry.release);
      if (asked) places.push_back({at->first, entry});
    }
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return a.entry.number > b.entry.number;
  });
  answer.kept = places.size();
  std::size_t bytes = 0;
  std::size_t last = 0;
  while (last < std::min({places.size(), question.last, kFlightsInAnswer}) &&
         bytes < kFlightsAnswerBytes) {
    bytes += places[last++].entry.size_bytes;
  }
  places.resize(last);
  auto read = [this, &places]() -> Result<std::vector<std::optional<FlightRecord>>> {
    std::vector<std::optional<FlightRecord>> records(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto content = disk_.read_file(file_name(places[i].key, places[i].entry),
                                           proto::kFlightRecordBytes);
      FlightRecord record;
      const bool whole = content && record.ParseFromArray(content->data(),
                                                          static_cast<int>(content->size()));
      if (whole) records[i] = std::move(record);
    }
    return records;
  };
  auto records = co_await proto::run_blocking(pool_, std::move(read));
  FLEET_ASSERT(records.has_value());
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!(*records)[i]) continue;  // gone meanwhile
    const Entry& entry = places[i].entry;
    answer.devices[entry.fingerprint] = having[entry.fingerprint].size();
    answer.flights.push_back({places[i].key.second, entry.number, std::move(*(*records)[i])});
  }
  co_return answer;
}

awaitable<void> Flights::forget_device(std::string device_id) {
  forgotten_.insert(device_id);
  std::vector<std::string> gone;
  std::vector<Key> keys;
  for (const auto& [key, unused] : kept_) {
    if (key.second == device_id) keys.push_back(key);
  }
  for (const Key& key : keys) {
    while (kept_.count(key) == 1) drop_oldest_of(key, gone);
  }
  co_await remove_files(std::move(gone));
}

}  // namespace controller
