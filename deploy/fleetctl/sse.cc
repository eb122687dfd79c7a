#include "deploy/fleetctl/sse.h"

#include "proto/limits.h"

namespace fleetctl {

proto::Result<std::vector<SseMessage>> SseParser::feed(std::string_view bytes) {
  std::vector<SseMessage> out;
  for (const char c : bytes) {
    // A line ends by CR LF, CR or LF; the pair may come in two pieces.
    const bool second_half = c == '\n' && after_carriage_return_;
    after_carriage_return_ = c == '\r';
    if (second_half) continue;
    if (c == '\n' || c == '\r') {
      take_line(line_, out);
      line_.clear();
      continue;
    }
    line_ += c;
    if (line_.size() + data_.size() > proto::kMaxHttpJsonBytes) {
      return proto::Error{proto::Code::too_large,
                          "the controller sent an event of more than 8 MiB", {}};
    }
  }
  return out;
}

void SseParser::take_line(std::string_view line, std::vector<SseMessage>& out) {
  if (line.empty()) {
    if (has_data_) out.push_back({last_id_, event_, data_});
    event_.clear();
    data_.clear();
    has_data_ = false;
    return;
  }
  if (line.front() == ':') return;  // a comment: keeps the connection alive
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  } else if (field == "event") {
    event_ = value;
  } else if (field == "id" && value.find('\0') == std::string_view::npos) {
    last_id_ = value;
  }
}

void SseParser::restart() {
  line_.clear();
  event_.clear();
  data_.clear();
  has_data_ = false;
  after_carriage_return_ = false;
}

}  // namespace fleetctl
