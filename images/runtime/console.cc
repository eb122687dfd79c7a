#include "images/runtime/console.h"

#include "images/runtime/platform.h"

namespace images::runtime {

void print_line(const Line& line) {
  platform::console_write(line.text());
  platform::console_write("\n");
}

void print_fault(std::string_view app, std::string_view path, std::size_t line,
                 std::string_view what, std::string_view word) {
  Line text;
  text.add(app);
  text.add(": ");
  text.add(path);
  if (line > 0) {
    text.add(':');
    text.add(line);
  }
  text.add(": ");
  text.add(what);
  if (!word.empty()) {
    text.add(": ");
    text.add(word);
  }
  print_line(text);
}

void panic(std::string_view why) {
  print("panic: ", why);
  platform::abort();
}

}  // namespace images::runtime
