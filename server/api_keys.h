// SPDX-License-Identifier: Apache-2.0
// The keys that clients must send as "Authorization: Bearer KEY", over HTTP and gRPC alike.
// Compared in a time that depends on lengths alone, so that a key cannot be guessed letter by
// letter.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace engram {

// Immutable, thread-safe.
class ApiKeys {
 public:
  // No keys: everybody may come in.
  ApiKeys() = default;

  // One key a line; blanks around it, blank lines and lines that begin with '#' do not count.
  // InvalidArgument, naming the line, for a key with a blank or a control character in it; or if
  // there is no key at all: a file without keys is a mistake and not an open door.
  static absl::StatusOr<ApiKeys> Parse(std::string_view text);

  bool required() const { return !keys_.empty(); }
  // `authorization` is the header's value, "" if there is none. True if no keys are required.
  bool Accepts(std::string_view authorization) const;

 private:
  explicit ApiKeys(std::vector<std::string> keys) : keys_(std::move(keys)) {}

  std::vector<std::string> keys_;
};

}  // namespace engram
