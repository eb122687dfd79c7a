#include "deploy/fleetctl/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "deploy/fleetctl/text.h"
#include "proto/fd.h"

namespace fleetctl {
namespace {

constexpr std::size_t kMaxSecretBytes = 4096;

const char* code_of(Colour colour) {
  switch (colour) {
    case Colour::none: return "";
    case Colour::green: return "\x1b[32m";
    case Colour::red: return "\x1b[31m";
    case Colour::amber: return "\x1b[33m";
    case Colour::blue: return "\x1b[34m";
    case Colour::grey: return "\x1b[90m";
  }
  return "";
}

// Cut to the terminal's width, so that a redrawn block has as many rows as lines.
std::string cut(std::string_view text, std::size_t columns) {
  std::string out(text);
  while (!out.empty() && display_width(out) > columns) {
    out.pop_back();
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0xc0) out.pop_back();
  }
  return out;
}

// Reads up to the first line end. The buffer is wiped by its owner.
proto::Result<ota::Secret> read_line(int descriptor, std::string_view what) {
  ota::Secret buffer(kMaxSecretBytes);
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t got = ::read(descriptor, buffer.data() + size, 1);
    if (got < 0 && errno == EINTR) return proto::Error{proto::Code::cancelled, "interrupted", {}};
    if (got < 0) {
      return proto::Error{proto::Code::io,
                          "cannot read " + std::string(what) + ": " + std::strerror(errno), {}};
    }
    if (got == 0 || buffer.data()[size] == '\n') break;
    ++size;
  }
  while (size > 0 && buffer.data()[size - 1] == '\r') --size;
  if (size == 0) {
    return proto::Error{proto::Code::bad_argument, std::string(what) + " is empty", {}};
  }
  if (size == buffer.size()) {
    return proto::Error{proto::Code::bad_argument, std::string(what) + " has no line end in 4 KiB",
                        {}};
  }
  return ota::Secret(buffer.view().substr(0, size));
}

}  // namespace

Terminal::Abilities Terminal::abilities_of_process() {
  Abilities abilities;
  const char* kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || std::string_view(kind) == "dumb";
  const char* no_colour = std::getenv("NO_COLOR");
  abilities.live = ::isatty(STDOUT_FILENO) == 1 && !dumb;
  abilities.colour = abilities.live && (no_colour == nullptr || *no_colour == '\0');
  winsize size{};
  if (abilities.live && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    abilities.columns = size.ws_col;
  }
  return abilities;
}

void Terminal::line(std::string_view text) { out_ << paint_marks(text) << '\n' << std::flush; }

void Terminal::lines(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) out_ << paint_marks(text) << '\n';
  out_ << std::flush;
}

void Terminal::note(std::string_view text) { error_ << text << '\n' << std::flush; }

void Terminal::error(const proto::Error& error) {
  const std::vector<std::string> parts = split(error.what, '\n');
  error_ << paint(Colour::red, "error:") << ' '
         << (parts.empty() ? std::string(proto::name_of(error.code)) : visible(parts.front()))
         << '\n';
  for (std::size_t i = 1; i < parts.size(); ++i) error_ << "  " << visible(parts[i]) << '\n';
  error_ << std::flush;
}

void Terminal::redraw(const std::vector<std::string>& texts) {
  if (!live()) return;
  if (drawn_lines_ > 0) out_ << "\x1b[" << drawn_lines_ << "A";
  for (const std::string& text : texts) {
    out_ << "\x1b[2K" << paint_marks(cut(text, columns())) << '\n';
  }
  if (texts.size() < drawn_lines_) out_ << "\x1b[J";
  drawn_lines_ = texts.size();
  out_ << std::flush;
}

void Terminal::settle(bool erase) {
  if (erase && drawn_lines_ > 0) out_ << "\x1b[" << drawn_lines_ << "A\x1b[J" << std::flush;
  drawn_lines_ = 0;
}

std::string Terminal::paint(Colour colour, std::string_view text) const {
  if (!abilities_.colour || colour == Colour::none) return std::string(text);
  return code_of(colour) + std::string(text) + "\x1b[0m";
}

std::string Terminal::paint_apart(std::size_t n, std::string_view text) const {
  // Neither the red of what failed nor the green of what is well.
  constexpr std::array<int, 6> kApart = {36, 35, 34, 96, 95, 94};
  if (!abilities_.colour) return std::string(text);
  return "\x1b[" + std::to_string(kApart[n % kApart.size()]) + "m" + std::string(text) + "\x1b[0m";
}

std::string Terminal::paint_marks(std::string_view line) const {
  if (!abilities_.colour) return std::string(line);
  constexpr std::array<std::pair<std::string_view, Colour>, 7> kMarks = {{
      {"✔", Colour::green}, {"✘", Colour::red}, {"▶", Colour::blue}, {"▲", Colour::amber},
      {"○", Colour::grey}, {"OK ", Colour::green}, {"FAILED ", Colour::red}}};
  for (const auto& [mark, colour] : kMarks) {
    if (line.starts_with(mark)) return paint(colour, mark) + std::string(line.substr(mark.size()));
  }
  return std::string(line);
}

proto::Result<ota::Secret> ask_secret(std::string_view prompt) {
  const proto::Fd tty(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!tty) {
    return proto::Error{proto::Code::bad_argument,
                        "a passphrase is needed, and there is no terminal to ask on\n"
                        "give it in a file of mode 600: --passphrase-file FILE "
                        "(or FLEET_PASSPHRASE_FILE)", {}};
  }
  termios before{};
  if (::tcgetattr(tty.get(), &before) != 0) {
    return proto::Error{proto::Code::io, "cannot silence the terminal for the passphrase", {}};
  }
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(tty.get(), TCSAFLUSH, &silent);
  const std::string text = std::string(prompt) + " ";
  const bool asked = ::write(tty.get(), text.data(), text.size()) > 0;
  proto::Result<ota::Secret> answer = read_line(tty.get(), "the passphrase");
  ::tcsetattr(tty.get(), TCSAFLUSH, &before);
  if (asked && ::write(tty.get(), "\n", 1) < 0)
    return proto::Error{proto::Code::io, "terminal", {}};
  return answer;
}

proto::Result<ota::Secret> read_secret_file(const std::string& path, std::string_view what) {
  const std::string name = std::string(what) + (path == "-" ? " on stdin" : " in " + path);
  if (path == "-") return read_line(STDIN_FILENO, name);
  const proto::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    const proto::Code code = errno == ENOENT ? proto::Code::not_found : proto::Code::io;
    return proto::Error{code, "cannot read " + name + ": " + std::strerror(errno), {}};
  }
  return read_line(file.get(), name);
}

}  // namespace fleetctl
