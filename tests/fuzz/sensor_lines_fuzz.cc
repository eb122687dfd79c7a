// Any bytes of a serial line, through readings and a window: its figures keep their order.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "images/sensor/readings.h"
#include "images/sensor/window.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace images::sensor;
  SensorSettings settings;
  settings.step = {5000};
  settings.deadband = {100};
  Window window;
  window.configure(settings, 0);
  LineReader reader;
  std::uint64_t now = 0;
  reader.feed({data, size}, [&window, &now](std::string_view name, Decimal value) {
    if (name.empty()) std::abort();
    window.take(value);
    const auto summary = window.close_if_due(now += 3000);
    if (!summary) return;
    if (summary->mean < summary->min || summary->max < summary->mean) std::abort();
  });
  return 0;
}
