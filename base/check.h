// SPDX-License-Identifier: Apache-2.0
// CHECK macros for what cannot happen. They stay on in every build: a wrong token is worse than a
// restart. What can happen (bad input, a missing file, overload) is an absl::Status instead, and a
// shortage is a bool or an optional.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>

namespace engram::base_internal {

[[noreturn]] inline void CheckFailed(const char* file, int line, const char* condition,
                                     const std::string& detail) {
  std::fprintf(stderr, "%s:%d: CHECK(%s) failed%s%s\n", file, line, condition,
               detail.empty() ? "" : ": ", detail.c_str());
  std::fflush(stderr);
  std::abort();
}

template <typename A, typename B>
std::string ShowBoth(const A& a, const B& b) {
  std::ostringstream out;
  out << a << " vs. " << b;
  return out.str();
}

}  // namespace engram::base_internal

// Ends the process with file, line and condition unless `condition` holds.
#define CHECK(condition)        \
  (static_cast<bool>(condition) \
       ? static_cast<void>(0)   \
       : ::engram::base_internal::CheckFailed(__FILE__, __LINE__, #condition, ""))

// As CHECK, with a std::string that says which values were met.
#define CHECK_MSG(condition, detail) \
  (static_cast<bool>(condition)      \
       ? static_cast<void>(0)        \
       : ::engram::base_internal::CheckFailed(__FILE__, __LINE__, #condition, detail))

// Both sides are evaluated within one full expression: temporaries in them live long enough.
#define ENGRAM_CHECK_OP(op, a, b)                                                               \
  do {                                                                                          \
    const auto check_failure = [](const auto& x, const auto& y) -> std::optional<std::string> { \
      if (x op y) return std::nullopt;                                                          \
      return ::engram::base_internal::ShowBoth(x, y);                                           \
    }(a, b);                                                                                    \
    if (check_failure.has_value())                                                              \
      ::engram::base_internal::CheckFailed(__FILE__, __LINE__, #a " " #op " " #b,               \
                                           *check_failure);                                     \
  } while (false)

#define CHECK_EQ(a, b) ENGRAM_CHECK_OP(==, a, b)
#define CHECK_NE(a, b) ENGRAM_CHECK_OP(!=, a, b)
#define CHECK_LT(a, b) ENGRAM_CHECK_OP(<, a, b)
#define CHECK_LE(a, b) ENGRAM_CHECK_OP(<=, a, b)
#define CHECK_GT(a, b) ENGRAM_CHECK_OP(>, a, b)
#define CHECK_GE(a, b) ENGRAM_CHECK_OP(>=, a, b)
