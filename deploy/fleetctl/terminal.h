// Where words go: stdout and stderr, colour, redrawn lines, and the passphrase prompt.
// Colour only on a terminal and without NO_COLOR; meaning never by colour alone.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "ota/hash.h"
#include "proto/result.h"

namespace fleetctl {

enum class Colour { none, green, red, amber, blue, grey };

/// Two streams and what they can do. Tests give it string streams.
class Terminal {
 public:
  struct Abilities {
    bool live = false;    // stdout is a terminal: lines may be redrawn
    bool colour = false;
    std::size_t columns = 100;
  };

  /// in     out, error: borrowed, outlive the terminal
  Terminal(std::ostream& out, std::ostream& error, Abilities abilities)
      : out_(out), error_(error), abilities_(abilities) {}
  /// What this process's stdout is. Asks the environment for NO_COLOR and TERM.
  static Abilities abilities_of_process();

  bool live() const { return abilities_.live; }
  std::size_t columns() const { return abilities_.columns; }

  void line(std::string_view text);
  void lines(const std::vector<std::string>& texts);
  /// To stderr, for what people should know and scripts should not read.
  void note(std::string_view text);
  /// "error: ..."; further lines of `what` are indented by two.
  void error(const proto::Error& error);

  /// Draws a block in the place of the last one. Only when live(); else it does nothing.
  void redraw(const std::vector<std::string>& texts);
  /// The block stays; the next redraw() begins below it. With `erase`, it goes.
  void settle(bool erase);

  std::string paint(Colour colour, std::string_view text) const;
  /// The colour of the n-th of many, which only tells it from its neighbours.
  std::string paint_apart(std::size_t n, std::string_view text) const;
  /// The marks ✔ ✘ ▶ ▲ ○ in their colours, wherever a line begins with one.
  std::string paint_marks(std::string_view line) const;

 private:
  std::ostream& out_;
  std::ostream& error_;
  Abilities abilities_;
  std::size_t drawn_lines_ = 0;
};

/// Asks on the controlling terminal, without echo.
/// errors bad_argument (no terminal: names --passphrase-file) | cancelled
proto::Result<ota::Secret> ask_secret(std::string_view prompt);

/// The first line of a file, without its end; "-" is stdin.
/// errors not_found | io | bad_argument (empty, or over 4 KiB)
proto::Result<ota::Secret> read_secret_file(const std::string& path, std::string_view what);

}  // namespace fleetctl
