#include "deploy/fleetctl/logs.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <tuple>

#include "deploy/fleetctl/log_prefix.h"
#include "deploy/fleetctl/sse.h"
#include "deploy/fleetctl/text.h"
#include "proto/limits.h"

namespace fleetctl {
namespace {

using fleet::v1::LogEvent;

std::vector<LogEvent> sorted(const fleet::v1::LogList& list) {
  std::vector<LogEvent> chunks(list.chunks().begin(), list.chunks().end());
  std::stable_sort(chunks.begin(), chunks.end(), [](const LogEvent& a, const LogEvent& b) {
    return std::forward_as_tuple(a.device(), a.release(), a.instance(), a.offset()) <
           std::forward_as_tuple(b.device(), b.release(), b.instance(), b.offset());
  });
  return chunks;
}

proto::Error nothing_kept(const LogOptions& options) {
  return {proto::Code::not_found,
          "no console of " + options.app +
              (options.device.empty() ? "" : " on " + options.device) +
              (options.selector.empty() ? "" : " on " + options.selector) +
              (options.release == 0 ? "" : ", release " + std::to_string(options.release)) +
              " is kept\nconsoles are kept when a trial ends and while somebody follows:  "
              "fleetctl logs " + options.app + " -f", {}};
}

std::string selector_of(const LogOptions& options) {
  if (!options.device.empty()) return options.device;
  return options.selector.empty() ? "all" : options.selector;
}

// Follows until Ctrl-C. A stream that breaks is opened again; the pieces know their place.
CommandResult follow(Program& program, Api& api, const LogOptions& options, LogLines& lines) {
  HttpStream stream;
  SseParser parser;
  stream.path = "/v1/logs/stream?app=" + url_encode(options.app) +
                "&selector=" + url_encode(selector_of(options));
  proto::Error broken;
  stream.on_bytes = [&program, &parser, &lines, &broken, &options](std::string_view bytes) {
    const auto messages = parser.feed(bytes);
    if (!messages) {
      broken = messages.error();
      return false;
    }
    for (const SseMessage& message : *messages) {
      const auto event = proto::from_json<LogEvent>(message.data);
      if (!event || (options.release != 0 && event->release() != options.release)) continue;
      if (program.json) {
        program.print_json_line(*event);
      } else {
        program.terminal.lines(lines.feed(*event));
      }
    }
    return true;
  };
  for (bool away = false;;) {
    parser.restart();
    stream.last_event_id = parser.last_id();
    const auto response = api.http().stream(stream);
    if (broken.code != proto::Code::unset) return broken;
    if (!response && response.error().code == proto::Code::cancelled) break;
    if (response && response->status >= 300) return error_of_answer(*response, stream.path);
    if (!response && exit_code_of(response.error()) != ExitCode::not_reached) {
      return response.error();
    }
    if (!response && !away) program.terminal.note("the controller does not answer; waiting for it");
    away = !response;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    if (program.interrupted.load()) break;
  }
  if (!program.json) program.terminal.lines(lines.rest());
  return ExitCode::detached;
}

}  // namespace

std::string LogLines::shown(const Console& console) const {
  return prefix_(console.device) + visible(console.line);
}

std::vector<std::string> LogLines::feed(const LogEvent& event) {
  Console& console = consoles_[{event.device(), event.instance()}];
  console.device = event.device();
  std::vector<std::string> out;
  std::string_view data = event.data();
  if (console.started && event.offset() < console.next_offset) {
    const std::uint64_t known = console.next_offset - event.offset();
    if (known >= data.size()) return out;
    data.remove_prefix(static_cast<std::size_t>(known));
  } else if (console.started && event.offset() > console.next_offset) {
    if (!console.line.empty()) out.push_back(shown(console));
    console.line = "... " + std::to_string(event.offset() - console.next_offset) + " bytes missing";
    out.push_back(shown(console));
    console.line.clear();
  }
  console.started = true;
  console.next_offset = std::max(console.next_offset, event.offset() + event.data().size());
  for (const char c : data) {
    if (c == '\n' || console.line.size() >= proto::kConsoleLineBytes) {
      if (console.line.ends_with('\r')) console.line.pop_back();
      out.push_back(shown(console));
      console.line.clear();
      if (c == '\n') continue;
    }
    console.line += c;
  }
  return out;
}

std::vector<std::string> LogLines::rest() {
  std::vector<std::string> out;
  for (auto& [key, console] : consoles_) {
    if (!console.line.empty()) out.push_back(shown(console));
    console.line.clear();
  }
  return out;
}

CommandResult show_logs(Program& program, const LogOptions& options) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  TRY(const fleet::v1::LogList list,
      api.logs({options.app, options.device, selector_of(options), options.release}));
  const std::vector<LogEvent> chunks = sorted(list);
  LogPrefixes prefixes(program.terminal);
  for (const LogEvent& chunk : chunks) prefixes.expect(chunk.device());
  const bool many = options.device.empty();
  LogLines lines([&prefixes, many](const std::string& device) {
    return many ? prefixes.of(device) : std::string();
  });
  if (program.json && !options.follow) {
    program.print_json(list);
    return ExitCode::ok;
  }
  if (chunks.empty() && !options.follow) return nothing_kept(options);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    if (program.json) {
      program.print_json_line(chunks[i]);
      continue;
    }
    // One header per console, since several releases may be kept.
    const bool first = i == 0 || chunks[i].instance() != chunks[i - 1].instance() ||
                       chunks[i].device() != chunks[i - 1].device();
    if (first && !options.follow) {
      program.terminal.lines(lines.rest());
      program.terminal.line("-- " + visible(chunks[i].device()) + ", " + options.app + " " +
                            std::to_string(chunks[i].release()));
    }
    program.terminal.lines(lines.feed(chunks[i]));
  }
  if (options.follow) return follow(program, api, options, lines);
  program.terminal.lines(lines.rest());
  return ExitCode::ok;
}

}  // namespace fleetctl
