#include "deploy/fleetctl/why.h"

#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"

namespace fleetctl {

std::vector<std::string> why_lines(const fleet::v1::Why& why) {
  if (why.apps_size() == 0) {
    return {visible(why.device()) + " (" + visible(why.seen()) +
                ") runs nothing, and nothing is wanted of it.",
            "  push to it:  fleetctl push APP --to " + visible(why.device())};
  }
  std::vector<std::string> lines;
  for (const fleet::v1::WhyApp& app : why.apps()) {
    lines.push_back(visible(app.summary()));
    std::vector<std::pair<std::string, std::string>> pairs;
    if (app.wants() != 0) {
      pairs.push_back({"wants", visible(app.app()) + " " + std::to_string(app.wants()) +
                                    (app.wanted_by().empty() ? "" : " by " +
                                                                        visible(app.wanted_by()))});
    }
    for (int i = 0; i < app.held_by_size(); ++i) {
      pairs.push_back({i == 0 ? "held by" : "",
                       visible(app.held_by(i).rule()) + "  " + visible(app.held_by(i).text())});
    }
    if (!app.tried().empty()) pairs.push_back({"last said", visible(app.tried())});
    std::vector<std::string> clear;
    for (const auto& rule : app.clear()) clear.push_back(visible(rule.text()));
    if (!clear.empty()) pairs.push_back({"clear", join(clear, " · ")});
    for (int i = 0; i < app.next_size(); ++i) {
      pairs.push_back({i == 0 ? "do" : "", visible(app.next(i))});
    }
    const std::vector<std::string> rows = aligned(pairs, "  ");
    lines.insert(lines.end(), rows.begin(), rows.end());
  }
  return lines;
}

CommandResult show_why(Program& program, const WhyOptions& options) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::Why why, connection.api->why(options.device, options.app));
  program.json ? program.print_json(why) : program.terminal.lines(why_lines(why));
  return ExitCode::ok;
}

}  // namespace fleetctl
