#include "agent/monitors/monitor.h"

#include "proto/units.h"

namespace monitors {

std::string after(const agent::Instance& ended) {
  return " after " + proto::format_elapsed_ms(ended.exited_ms - ended.started_ms);
}

}  // namespace monitors
