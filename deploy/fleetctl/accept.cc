#include "deploy/fleetctl/accept.h"

#include "deploy/fleetctl/text.h"

namespace fleetctl {

std::vector<std::string> accept_lines(const fleet::v1::AcceptResult& result) {
  std::vector<std::string> lines;
  for (const std::string& name : result.accepted()) {
    lines.push_back(visible(name) + ": what it runs is what is wanted of it");
  }
  for (const auto& left : result.left()) {
    lines.push_back(visible(left.device()) + " stays ahead: " + visible(left.why()));
  }
  if (lines.empty()) lines.emplace_back("None of them is ahead of the controller.");
  return lines;
}

CommandResult accept_devices(Program& program, const AcceptOptions& options) {
  const std::string& selector = options.name.empty() ? options.selector : options.name;
  if (selector.empty()) {
    return proto::Error{proto::Code::bad_argument,
                        "which devices? name one, or say --to SELECTOR\n"
                        "see who is ahead:  fleetctl status", "NAME"};
  }
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::AcceptResult result, connection.api->accept_devices(selector));
  program.json ? program.print_json(result) : program.terminal.lines(accept_lines(result));
  return result.left_size() == 0 ? ExitCode::ok : ExitCode::error;
}

}  // namespace fleetctl
