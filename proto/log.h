// One structured line per decision: `time level event key=value...`, on stderr.
// The decider logs once; passing an error up does not log. Never a secret, never a payload.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace proto {

enum class LogLevel { debug, info, warning, error };  // error: a human must act

/// One `key=value` of a line. Values are quoted and escaped when they hold blanks, quotes,
/// control or non-ASCII bytes, so that a guest's text cannot forge a line.
struct LogField {
  std::string_view key;
  std::string value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  LogField(std::string_view k, Number v) : key(k), value(std::to_string(v)) {}
};

/// Writes the line with one write(2). `event` is `noun.verb_past`, stable, greppable.
void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);
inline void log_info(std::string_view event, std::initializer_list<LogField> fields) {
  log(LogLevel::info, event, fields);
}
inline void log_warning(std::string_view event, std::initializer_list<LogField> fields) {
  log(LogLevel::warning, event, fields);
}
inline void log_error(std::string_view event, std::initializer_list<LogField> fields) {
  log(LogLevel::error, event, fields);
}

/// Lines below this level are dropped. Default info.
void set_log_level(LogLevel level);

}  // namespace proto
