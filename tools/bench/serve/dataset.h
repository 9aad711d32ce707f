// SPDX-License-Identifier: Apache-2.0
// What is asked. A dataset is a function from an index to a conversation: nothing is made before it
// is sent, and index and seed alone decide what it is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/bench/serve/options.h"
#include "tools/bench/serve/record.h"

namespace engram::bench {

// One request, or several in a row: each later one holds the answers to those before it.
struct Conversation {
  std::vector<RequestSpec> turns;  // of a later turn, `messages` are only what the user adds
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual Conversation Get(std::int64_t index) const = 0;
  // How many there are without repeating any; 0: endless.
  virtual std::int64_t size() const = 0;
};

// Random token ids, of exact lengths: "random" and "prefix_repetition".
// REQUIRES: options.vocab_size > 0
std::unique_ptr<Dataset> MakeTokenDataset(const DatasetOptions& options, std::uint64_t seed);

// Reads options.path: "custom", "sharegpt" or "multi_turn". `chat`: prompts become messages.
absl::StatusOr<std::unique_ptr<Dataset>> ReadDatasetFile(const DatasetOptions& options, bool chat,
                                                         std::uint64_t seed);

// These, over and over. `shuffle`: in an order that the seed decides. REQUIRES: not empty.
std::unique_ptr<Dataset> MakeListDataset(std::vector<Conversation> conversations, bool shuffle,
                                         std::uint64_t seed);

}  // namespace engram::bench
