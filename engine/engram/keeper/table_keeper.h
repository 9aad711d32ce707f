// SPDX-License-Identifier: Apache-2.0
// The process that outlives servers: it holds sealed segments by their identity, gives them to
// whoever asks for just that identity, and does nothing else. It reads no table and trusts nobody:
// what is not sealed is refused, and who gets a segment checks it again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/descriptor.h"
#include "engine/engram/keeper/keeper_wire.h"

namespace engram {

struct TableKeeperOptions {
  std::string socket_path;
  std::int64_t bytes_max = 0;  // of all segments together
};

// Not thread-safe: one thread runs it.
class TableKeeper {
 public:
  // Errors as ListenAsKeeper.
  static absl::StatusOr<std::unique_ptr<TableKeeper>> Start(const TableKeeperOptions& options);
  // Removes the socket file. The segments live on in the servers that have them mapped.
  ~TableKeeper();

  // Answers questions, one connection at a time, until `stop` becomes readable.
  void Run(const Descriptor& stop);

 private:
  struct Segment {
    Descriptor memory;
    std::int64_t bytes = 0;
  };

  TableKeeper(Descriptor listener, const TableKeeperOptions& options)
      : listener_(std::move(listener)), options_(options) {}

  void AnswerOne();
  KeeperPacket Answer(KeeperPacket question, const Descriptor** segment);
  std::string Keep(std::string_view rest, std::optional<Descriptor> memory);
  std::string List() const;
  std::string Drop(std::string_view identity);

  const Descriptor listener_;
  const TableKeeperOptions options_;
  std::map<std::string, Segment, std::less<>> segments_;  // by identity
  std::int64_t bytes_ = 0;                                // of all
};

}  // namespace engram
