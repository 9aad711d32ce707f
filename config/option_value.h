// SPDX-License-Identifier: Apache-2.0
// Text of a flag or of the config file to a checked value. Errors say what was found and what is
// allowed; the caller puts the setting's name in front.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace engram {

// A whole number in [min, max].
absl::StatusOr<std::int64_t> ParseInteger(std::string_view text, std::int64_t min,
                                          std::int64_t max);
absl::StatusOr<std::uint64_t> ParseUnsigned(std::string_view text);

// Bytes in [min, max]: "1073741824", "512MiB", "2GB". Units are B, KiB … TiB (powers of 1024) and
// KB … TB (powers of 1000), in any case; fractions are allowed with a unit ("1.5GiB").
absl::StatusOr<std::int64_t> ParseBytes(std::string_view text, std::int64_t min, std::int64_t max);
// The shortest text that ParseBytes reads as `bytes`: "512MiB".
std::string ShowBytes(std::int64_t bytes);

// Seconds in [min, max], with a fraction if wanted: "30", "0.5".
absl::StatusOr<Duration> ParseSeconds(std::string_view text, Duration min, Duration max);
std::string ShowSeconds(Duration duration);

// "true" or "false".
absl::StatusOr<bool> ParseBool(std::string_view text);

// The index of `text` in `choices`.
absl::StatusOr<int> ParseChoice(std::string_view text, const std::vector<std::string>& choices);

}  // namespace engram
