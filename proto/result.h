// Result<T>: a value or an Error, with the names of std::expected, so that C++23 is a later alias.
// It never throws; using a value that is not there is a programmer error and aborts.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "proto/code.h"

/// A programmer error: on in release too, prints the place and aborts.
#define FLEET_ASSERT(condition)                                                           \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

namespace proto {

/// An operating error. `what` is a sentence for people: the thing, the place, the fix.
/// `element` names which app, file or device failed, when the caller knows it.
struct [[nodiscard]] Error {
  Code code = Code::unset;
  std::string what;
  std::string element;

  /// Adds context on the way up: "staging slot B: disk full".
  Error with(std::string_view context) const {
    return Error{code, std::string(context) + ": " + what, element};
  }
};

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result() : state_(Error{}) {}  // Boost 1.81's co_spawn makes one when a coroutine throws.
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & {
    FLEET_ASSERT(has_value());
    return std::get<0>(state_);
  }
  const T& value() const& {
    FLEET_ASSERT(has_value());
    return std::get<0>(state_);
  }
  T&& value() && {
    FLEET_ASSERT(has_value());
    return std::get<0>(std::move(state_));
  }
  const Error& error() const {
    FLEET_ASSERT(!has_value());
    return std::get<1>(state_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  template <typename F>
  auto and_then(F&& next) && -> std::invoke_result_t<F, T&&> {
    if (!has_value()) return error();
    return std::forward<F>(next)(std::move(*this).value());
  }
  template <typename F>
  auto transform(F&& next) && -> Result<std::invoke_result_t<F, T&&>> {
    if (!has_value()) return error();
    return std::forward<F>(next)(std::move(*this).value());
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}  // NOLINT: implicit by design

  bool has_value() const { return !failed_; }
  explicit operator bool() const { return has_value(); }
  void value() const { FLEET_ASSERT(has_value()); }
  const Error& error() const {
    FLEET_ASSERT(failed_);
    return error_;
  }

 private:
  Error error_;
  bool failed_ = false;
};

using Status = Result<void>;

}  // namespace proto

#define FLEET_JOIN2(a, b) a##b
#define FLEET_JOIN(a, b) FLEET_JOIN2(a, b)
#define FLEET_TRY_IMPL(temp, declaration, expression) \
  auto temp = (expression);                           \
  if (!temp.has_value()) return temp.error();         \
  declaration = std::move(temp).value()
#define FLEET_CO_TRY_IMPL(temp, declaration, expression) \
  auto temp = expression;                                \
  if (!temp.has_value()) co_return temp.error();         \
  declaration = std::move(temp).value()

/// TRY(auto x, f()); returns f's error, or goes on with its value in x.
#define TRY(declaration, expression) \
  FLEET_TRY_IMPL(FLEET_JOIN(try_result_, __LINE__), declaration, expression)
/// CO_TRY(auto x, co_await f()); the same in a coroutine.
#define CO_TRY(declaration, expression) \
  FLEET_CO_TRY_IMPL(FLEET_JOIN(try_result_, __LINE__), declaration, expression)
/// TRY_VOID(f()); returns f's error, for a function without a value.
#define TRY_VOID(expression)                                             \
  do {                                                                   \
    auto try_status = (expression);                                      \
    if (!try_status.has_value()) return try_status.error();              \
  } while (false)
#define CO_TRY_VOID(expression)                                          \
  do {                                                                   \
    auto try_status = expression;                                        \
    if (!try_status.has_value()) co_return try_status.error();           \
  } while (false)
