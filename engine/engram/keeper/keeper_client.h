// SPDX-License-Identifier: Apache-2.0
// A server's side of the table keeper: one question a call, each over a connection of its own, so
// that nothing is held open between them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/descriptor.h"

namespace engram {

// Thread-safe. Every call fails with Unavailable if no keeper answers at the path.
class KeeperClient {
 public:
  explicit KeeperClient(std::string socket_path) : path_(std::move(socket_path)) {}

  // The segment that was kept under just this identity, or nothing. Unchecked: map it with
  // SealedMapping.
  absl::StatusOr<std::optional<Descriptor>> Get(std::string_view identity) const;
  // FailedPrecondition with the keeper's reason if it does not take the segment.
  absl::Status Keep(std::string_view identity, std::int64_t bytes, const Descriptor& segment) const;
  // A line a segment: bytes, and the first line of its identity.
  absl::StatusOr<std::string> List() const;
  // By identity, by the first line of it, or "all". Servers that have a segment mapped keep it.
  absl::StatusOr<int> Drop(std::string_view identity) const;

 private:
  const std::string path_;
};

}  // namespace engram
