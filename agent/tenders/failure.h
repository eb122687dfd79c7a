// Why something was not done: the tenders' form of an operating error. No allocation, no exception.
#pragma once

#include "agent/tenders/text.h"
#include "proto/code.h"

namespace tenders {

/// Filled by the function that fails; functions return false with it and true without.
struct Failure {
  proto::Code code = proto::Code::unset;
  Text what;

  /// Set it: `return failure.because(Code::bad_image, "...", name)`. Always false.
  template <typename... Parts>
  [[nodiscard]] bool because(proto::Code why, const Parts&... parts) {
    code = why;
    what = {};
    what.add_all(parts...);
    return false;
  }
};

}  // namespace tenders
