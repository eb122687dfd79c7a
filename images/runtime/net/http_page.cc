#include "images/runtime/net/http_page.h"

#include <lwip/pbuf.h>
#include <lwip/tcp.h>

#include <algorithm>
#include <array>

#include "images/runtime/net/http_request.h"
#include "images/runtime/net/tcp_out.h"
#include "images/runtime/platform.h"

namespace images::runtime::net {
namespace {

constexpr std::size_t kMaxReaders = 4;
constexpr std::size_t kMaxHeadBytes = 256;
constexpr std::uint8_t kPollHalfSeconds = 2;
constexpr std::uint64_t kPatienceMs = 5'000;  // for a whole exchange

struct Reader {
  tcp_pcb* pcb = nullptr;  // nullptr: free
  std::uint64_t began_ms = 0;
  std::array<char, kMaxRequestBytes> request{};
  std::size_t request_size = 0;
  bool answered = false;
  std::array<char, kMaxHeadBytes + kMaxPageBytes> answer{};  // the body first; its head before it
  TcpOut out;
};

std::span<const HttpPage> served;
std::span<Reader> readers;

std::string_view status_line(int status) {
  switch (status) {
    case 200: return "200 OK";
    case 400: return "400 Bad Request";
    case 404: return "404 Not Found";
    case 405: return "405 Method Not Allowed\r\nAllow: GET, HEAD";
    case 431: return "431 Request Header Fields Too Large";
    default: return "503 Service Unavailable";
  }
}

/// The head, right before the body, which stands at kMaxHeadBytes.
void begin_answer(Reader& reader, int status, std::string_view type, std::size_t body_size,
                  bool head_only) {
  std::array<char, kMaxHeadBytes> head;
  std::size_t size = 0;
  const auto add = [&](std::string_view text) {
    const std::size_t count = std::min(text.size(), head.size() - size);
    std::copy_n(text.begin(), count, head.begin() + static_cast<std::ptrdiff_t>(size));
    size += count;
  };
  std::array<char, 8> digits;
  std::size_t first = digits.size();
  for (std::size_t left = body_size; left > 0 || first == digits.size(); left /= 10) {
    digits[--first] = static_cast<char>('0' + left % 10);
  }
  add("HTTP/1.1 ");
  add(status_line(status));
  add("\r\nContent-Type: ");
  add(type);
  add("\r\nContent-Length: ");
  add({digits.data() + first, digits.size() - first});
  add("\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
  const std::size_t begin = kMaxHeadBytes - size;
  std::copy_n(head.begin(), size, reader.answer.begin() + static_cast<std::ptrdiff_t>(begin));
  reader.answered = true;
  reader.out = {reinterpret_cast<const std::uint8_t*>(reader.answer.data() + begin),
                size + (head_only ? 0 : body_size), 0, 0};
}

void answer(Reader& reader, const HttpRequest& request) {
  const std::span<char> body = std::span(reader.answer).subspan(kMaxHeadBytes);
  if (request.status == 200) {
    for (const HttpPage& page : served) {
      if (page.path != request.path) continue;
      const HttpBody made = page.write(body);
      begin_answer(reader, made.status, page.content_type, made.size, request.head_only);
      return;
    }
  }
  const int status = request.status == 200 ? 404 : request.status;
  const std::string_view text = status_line(status);
  const std::size_t line = std::min(text.find('\r'), text.size());
  std::copy_n(text.begin(), line, body.begin());
  body[line] = '\n';
  begin_answer(reader, status, "text/plain; charset=utf-8", line + 1, request.head_only);
}

err_t end(Reader& reader) {
  tcp_pcb* pcb = reader.pcb;
  reader.pcb = nullptr;
  return end_connection(pcb, reader.out.is_held());
}

err_t on_bytes(void* argument, tcp_pcb* pcb, pbuf* packet, err_t) {
  auto& reader = *static_cast<Reader*>(argument);
  if (packet == nullptr) {
    if (reader.answered && !reader.out.through()) return ERR_OK;
    return end(reader);
  }
  tcp_recved(pcb, packet->tot_len);
  if (!reader.answered) {
    const std::size_t room = reader.request.size() - reader.request_size;
    const auto count = static_cast<u16_t>(std::min<std::size_t>(packet->tot_len, room));
    pbuf_copy_partial(packet, reader.request.data() + reader.request_size, count, 0);
    reader.request_size += count;
    const HttpRequest request = read_http_request({reader.request.data(), reader.request_size});
    if (request.status != 0) answer(reader, request);
  }
  pbuf_free(packet);
  if (reader.answered) reader.out.push(pcb);
  return ERR_OK;
}

err_t on_sent(void* argument, tcp_pcb* pcb, u16_t count) {
  auto& reader = *static_cast<Reader*>(argument);
  reader.out.acked += count;
  reader.out.push(pcb);
  if (reader.out.through()) return end(reader);
  return ERR_OK;
}

err_t on_poll(void* argument, tcp_pcb* pcb) {
  auto& reader = *static_cast<Reader*>(argument);
  if (platform::monotonic_ms() - reader.began_ms >= kPatienceMs) return end(reader);
  reader.out.push(pcb);
  return ERR_OK;
}

void on_error(void* argument, err_t) {
  if (argument != nullptr) static_cast<Reader*>(argument)->pcb = nullptr;
}

err_t on_connection(void*, tcp_pcb* pcb, err_t error) {
  if (error != ERR_OK || pcb == nullptr) return ERR_VAL;
  const auto free = std::find_if(readers.begin(), readers.end(),
                                 [](const Reader& r) { return r.pcb == nullptr; });
  if (free == readers.end()) {
    tcp_abort(pcb);
    return ERR_ABRT;
  }
  free->pcb = pcb;
  free->began_ms = platform::monotonic_ms();
  free->request_size = 0;
  free->answered = false;
  free->out = {};
  tcp_arg(pcb, &*free);
  tcp_recv(pcb, on_bytes);
  tcp_sent(pcb, on_sent);
  tcp_poll(pcb, on_poll, kPollHalfSeconds);
  tcp_err(pcb, on_error);
  return ERR_OK;
}

}  // namespace

HttpBody write_ok(std::span<char> out) {
  constexpr std::string_view kText = "ok\n";
  std::copy(kText.begin(), kText.end(), out.begin());
  return {kText.size(), 200};
}

bool serve_pages(std::uint16_t port, std::span<const HttpPage> pages, Arena& memory) {
  auto* places = memory.make_array<Reader>(kMaxReaders);
  if (places == nullptr) return false;
  readers = {places, kMaxReaders};
  served = pages;
  tcp_pcb* pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
  if (pcb == nullptr || tcp_bind(pcb, IP_ANY_TYPE, port) != ERR_OK) return false;
  pcb = tcp_listen_with_backlog(pcb, kMaxReaders);
  if (pcb == nullptr) return false;
  tcp_accept(pcb, on_connection);
  return true;
}

}  // namespace images::runtime::net
