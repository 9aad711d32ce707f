// SPDX-License-Identifier: Apache-2.0
// Bridges between absl::string_view and std::string_view, which Debian 12's Abseil keeps as two
// types that convert neither way; on newer systems they are one type and these do nothing.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace engram {

inline absl::string_view ToAbsl(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view ToStd(absl::string_view s) { return {s.data(), s.size()}; }

// The status' message as a std::string.
inline std::string Message(const absl::Status& status) { return std::string(status.message()); }

}  // namespace engram
