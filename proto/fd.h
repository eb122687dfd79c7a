// Fd: the one owner of a file descriptor. Never used for a descriptor that somebody else closes.
#pragma once

#include <unistd.h>

#include <utility>

namespace proto {

/// Owns one descriptor and closes it; -1 means none. Movable, because ownership is handed on.
class [[nodiscard]] Fd {
 public:
  Fd() = default;
  explicit Fd(int descriptor) : descriptor_(descriptor) {}
  ~Fd() { close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  Fd(Fd&& other) noexcept : descriptor_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      descriptor_ = other.release();
    }
    return *this;
  }

  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }
  /// Gives the descriptor away; the caller closes it.
  int release() { return std::exchange(descriptor_, -1); }
  /// Closes it now. An error of close(2) is not told: what must survive was fsynced before.
  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_ = -1;
};

}  // namespace proto
