#include "images/runtime/console.h"

#include "images/runtime/platform.h"

namespace images::runtime {

void print_line(const Line& line) {
  platform::console_write(line.text());
  platform::console_write("\n");
}

void panic(std::string_view why) {
  print("panic: ", why);
  platform::abort();
}

}  // namespace images::runtime
