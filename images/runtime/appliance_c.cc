// The runtime for an appliance in C: an appliance_main that keeps config and memory and calls
// fleet_main. Must never be linked into an appliance in C++, which writes appliance_main itself.
#include "images/runtime/appliance_c.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "images/runtime/appliance.h"
#include "images/runtime/console.h"
#include "images/runtime/net/http_page.h"
#include "images/runtime/platform.h"

namespace runtime = images::runtime;

namespace {

constexpr std::size_t kMaxPages = 16;

const runtime::Config* config = nullptr;
runtime::Arena* memory = nullptr;
std::array<fleet_page, kMaxPages> c_pages{};
std::array<runtime::net::HttpPage, kMaxPages> pages{};

fleet_text text_of(std::string_view text) { return {text.data(), text.size()}; }

// A page's writer is asked without saying which page it is: so each has one of its own.
template <std::size_t index>
runtime::net::HttpBody write_page(std::span<char> out) {
  int status = 200;
  const std::size_t size = c_pages[index].write(out.data(), out.size(), &status);
  return {std::min(size, out.size()), status};
}

using Writer = runtime::net::HttpBody (*)(std::span<char>);

template <std::size_t... index>
constexpr std::array<Writer, kMaxPages> writers(std::index_sequence<index...>) {
  return {write_page<index>...};
}
constexpr auto kWriters = writers(std::make_index_sequence<kMaxPages>());

}  // namespace

int runtime::appliance_main(const Config& read_config, Arena& all_memory) {
  config = &read_config;
  memory = &all_memory;
  return fleet_main();
}

extern "C" {

void fleet_run() { runtime::run(); }

void fleet_call_after(std::uint32_t delay_ms, void (*function)(void*), void* argument) {
  runtime::call_after(delay_ms, function, argument);
}

std::uint64_t fleet_now_ms() { return runtime::platform::monotonic_ms(); }

void fleet_print(const char* text) { runtime::print(text); }

void* fleet_allocate(std::size_t size_bytes) {
  void* place = memory->allocate(size_bytes, alignof(std::max_align_t));
  return place == nullptr ? nullptr : std::memset(place, 0, size_bytes);
}

fleet_text fleet_argument(std::size_t index) {
  const auto args = config->args();
  return index < args.size() ? text_of(args[index]) : fleet_text{};
}

fleet_text fleet_variable(const char* name) { return text_of(config->variable(name)); }

fleet_text fleet_file(const char* path) {
  const runtime::ConfigFile* file = config->find_file(path);
  return file == nullptr ? fleet_text{} : text_of(file->text);
}

bool fleet_serve_pages(std::uint16_t port, const fleet_page* wanted, std::size_t count) {
  if (count > kMaxPages) return false;
  for (std::size_t i = 0; i < count; ++i) {
    c_pages[i] = wanted[i];
    pages[i] = {wanted[i].path, wanted[i].content_type, kWriters[i]};
  }
  return runtime::net::serve_pages(port, {pages.data(), count}, *memory);
}
}
