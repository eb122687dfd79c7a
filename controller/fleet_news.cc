// What devices are told although nothing is wanted of them.
#include <algorithm>

#include "controller/fleet.h"
#include "proto/log.h"

namespace controller {

Status Fleet::announce(const News& news, const std::string& by) {
  const auto has_one = [&news](const v1::Telemetry& facts) {
    return std::any_of(facts.apps().begin(), facts.apps().end(), [&news](const v1::AppStatus& app) {
      return news.yanked.count(app.app()) == 1;
    });
  };
  for (const std::string& role : news.roles) {
    TRY_VOID(audit_.record({by, "metadata.uploaded", role}));
  }
  if (!news.keys && news.yanked.empty()) return {};
  TRY(const auto devices, store_.devices());
  for (const DeviceRow& device : devices) {
    if (news.keys || has_one(device.facts)) TRY_VOID(changed(device.id));
  }
  for (const auto& [app, releases] : news.yanked) {
    for (const std::int64_t release : releases) {
      EventRow row;
      row.event.set_kind("release.yanked");
      row.event.set_text(by + " yanked " + app + " " + std::to_string(release));
      row.event.set_by(by);
      row.event.set_app(app);
      TRY_VOID(events_.add(std::move(row)));
      TRY_VOID(audit_.record({by, "release.yanked", app + " " + std::to_string(release)}));
      proto::log_info("release.yanked", {{"app", app}, {"release", release}, {"by", by}});
    }
  }
  return {};
}

}  // namespace controller
