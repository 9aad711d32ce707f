// SPDX-License-Identifier: Apache-2.0
// How server and keeper talk: packets of text over a Unix socket, one question and one answer a
// connection, a descriptor beside the text where a segment changes hands.
//
//   get IDENTITY             → have BYTES + descriptor | none
//   keep BYTES IDENTITY      + descriptor → kept | refused REASON
//   list                     → segments, then per segment: BYTES and the identity's first line
//   drop IDENTITY | drop all → dropped COUNT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/descriptor.h"

namespace engram {

struct KeeperPacket {
  std::string text;
  std::optional<Descriptor> segment;
};

// A connected socket of the kind both sides use. Unavailable if nobody listens at `path`;
// InvalidArgument if the path is too long for a socket.
absl::StatusOr<Descriptor> ConnectToKeeper(const std::string& path);
// The listening end; replaces a socket file that nobody listens at, and lets only this user in.
// AlreadyExists if a keeper answers there.
absl::StatusOr<Descriptor> ListenAsKeeper(const std::string& path);

// A connection that came in at the listening end. PermissionDenied if another user's.
absl::StatusOr<Descriptor> AcceptClient(const Descriptor& listener);

// Both wait at most limits::kKeeperTimeout; DeadlineExceeded then. `segment`: null = none.
absl::Status SendPacket(const Descriptor& socket, std::string_view text,
                        const Descriptor* segment);
// Unavailable if the other side has closed.
absl::StatusOr<KeeperPacket> ReceivePacket(const Descriptor& socket);

// Splits off the first word; what follows it is left in `rest`.
std::string_view TakeWord(std::string_view* rest);

}  // namespace engram
