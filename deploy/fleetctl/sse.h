// Server-sent events: bytes in pieces -> messages. Pure; the bytes are foreign, so a message has a
// size limit. source HTML Living Standard 9.2.6 (event stream interpretation)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace fleetctl {

struct SseMessage {
  std::string id;     // of this message or the last one that had one
  std::string event;  // "" = message
  std::string data;
  bool operator==(const SseMessage&) const = default;
};

class SseParser {
 public:
  /// Takes bytes as they come; out the messages that they end.
  /// errors too_large: one message is over kMaxHttpJsonBytes
  proto::Result<std::vector<SseMessage>> feed(std::string_view bytes);

  /// For Last-Event-ID of the next connection; "" before the first.
  const std::string& last_id() const { return last_id_; }

  /// Forgets a half message: the connection ended. The last id stays.
  void restart();

 private:
  void take_line(std::string_view line, std::vector<SseMessage>& out);

  std::string line_;  // an unfinished line
  bool after_carriage_return_ = false;
  std::string event_;
  std::string data_;
  bool has_data_ = false;
  std::string last_id_;
};

}  // namespace fleetctl
