#include "images/firewall/tcp_track.h"

#include <algorithm>

namespace images::firewall {
namespace {

// An ACK may be that much older than the newest byte, if no larger window was offered.
constexpr std::uint32_t kMinAckWindow = 66000;

bool is_after(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) > 0;
}

std::uint32_t end_of(const TcpHeader& header) {
  return header.sequence + header.payload_bytes + ((header.flags & kTcpSyn) != 0 ? 1 : 0) +
         ((header.flags & kTcpFin) != 0 ? 1 : 0);
}

std::uint32_t window_of(const TcpSide& side, const TcpHeader& header) {
  const bool is_scaled = (header.flags & kTcpSyn) == 0;  // RFC 7323 section 2.2
  return is_scaled ? std::uint32_t{header.window} << side.shift : header.window;
}

void start_side(TcpSide& side, const TcpHeader& header) {
  side.known = true;
  side.end = end_of(header);
  side.limit = side.end;
  side.window = std::max<std::uint32_t>(header.window, 1);
  side.shift = header.window_shift;
  side.offered_shift = header.has_window_shift;
}

bool is_in_window(const TcpSide& from, const TcpSide& to, const TcpHeader& header) {
  if (is_after(header.sequence, from.limit)) return false;
  if (is_after(from.end - to.window - 1, end_of(header))) return false;
  if ((header.flags & kTcpAck) == 0) return true;
  const std::uint32_t oldest = to.end - std::max(from.window, kMinAckWindow);
  return !is_after(header.acknowledged, to.end) && !is_after(oldest, header.acknowledged);
}

bool is_syn(const TcpHeader& header) {
  return (header.flags & (kTcpSyn | kTcpAck)) == kTcpSyn;
}

bool is_valid_opening(const TcpTrack& track, std::size_t side, const TcpHeader& header) {
  if (side == 0) return is_syn(header) || (header.flags & kTcpRst) != 0;
  const bool acks_the_syn = header.acknowledged == track.sides[0].end;
  if ((header.flags & (kTcpSyn | kTcpRst)) != 0) {
    return (header.flags & kTcpAck) != 0 && acks_the_syn;
  }
  // RFC 5961 section 4: one who remembers an older connection asks so; the RST of `side 0` answers.
  return (header.flags & (kTcpAck | kTcpFin)) == kTcpAck && header.payload_bytes == 0;
}

void note_window(TcpSide& from, TcpSide& to, const TcpHeader& header) {
  const std::uint32_t window = window_of(from, header);
  from.window = std::max(from.window, window);
  if (is_after(end_of(header), from.end)) from.end = end_of(header);
  if ((header.flags & kTcpAck) == 0) return;
  // A closed window is probed with one byte.
  const std::uint32_t limit = header.acknowledged + std::max<std::uint32_t>(window, 1);
  if (is_after(limit, to.limit)) to.limit = limit;
}

void advance_state(TcpTrack& track, std::size_t side, const TcpHeader& header) {
  if ((header.flags & kTcpRst) != 0) {
    track.state = TcpState::reset;
    return;
  }
  if (track.state == TcpState::answered && side == 0 && (header.flags & kTcpAck) != 0) {
    track.state = TcpState::established;
  }
  if ((header.flags & kTcpFin) == 0) return;
  track.sides[side].sent_fin = true;
  const bool both = track.sides[0].sent_fin && track.sides[1].sent_fin;
  track.state = both ? TcpState::closed : TcpState::closing;
}

}  // namespace

bool has_bad_flags(std::uint8_t flags) {
  switch (flags & (kTcpFin | kTcpSyn | kTcpRst | kTcpAck | kTcpUrg)) {
    case kTcpSyn:
    case kTcpSyn | kTcpUrg:
    case kTcpSyn | kTcpAck:
    case kTcpRst:
    case kTcpRst | kTcpAck:
    case kTcpFin | kTcpAck:
    case kTcpFin | kTcpAck | kTcpUrg:
    case kTcpAck:
    case kTcpAck | kTcpUrg: return false;
    default: return true;
  }
}

TcpTrack open_tcp(const TcpHeader& header) {
  TcpTrack track;
  start_side(track.sides[0], header);
  return track;
}

TcpTrack adopt_tcp() {
  TcpTrack track;
  track.state = TcpState::established;
  track.lax = true;
  return track;
}

bool reopens_tcp(const TcpTrack& track, std::size_t side, const TcpHeader& header) {
  const bool over = track.state == TcpState::closed || track.state == TcpState::reset;
  return over && is_syn(header) && (side == 0 || track.state == TcpState::closed);
}

bool is_valid_tcp(const TcpTrack& track, std::size_t side, const TcpHeader& header) {
  if (has_bad_flags(header.flags)) return false;
  if (track.lax) return true;
  if (track.state == TcpState::opening) return is_valid_opening(track, side, header);
  // Repeated, or of one who forgot the connection: the answer tells them. It changes nothing here.
  if (is_syn(header)) return side == 0;
  return is_in_window(track.sides[side], track.sides[1 - side], header);
}

void advance_tcp(TcpTrack& track, std::size_t side, const TcpHeader& header, bool is_part) {
  TcpSide& from = track.sides[side];
  TcpSide& to = track.sides[1 - side];
  if (is_part) track.lax = true;
  if (is_syn(header)) {
    // The opener may begin with another number as long as nobody has answered.
    if (track.state == TcpState::opening && !track.lax) track = open_tcp(header);
    return;
  }
  if (!track.lax && track.state == TcpState::opening && (header.flags & kTcpRst) == 0) {
    if ((header.flags & kTcpSyn) == 0) return;  // the question of RFC 5961
    start_side(from, header);
    from.limit += to.window;
    if (!from.offered_shift || !to.offered_shift) from.shift = to.shift = 0;
    track.state = TcpState::answered;
  }
  if (!track.lax) note_window(from, to, header);
  advance_state(track, side, header);
}

}  // namespace images::firewall
