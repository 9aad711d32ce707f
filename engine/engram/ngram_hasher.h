// SPDX-License-Identifier: Apache-2.0
// From token ids to table rows (paper §2.2; spec A.2, A.3): compress each id, multiply the ids of
// an n-gram by their place's multiplier, XOR the products, and take the result modulo the prime of
// each lookup. A pure function of the last N ids: where a chunk begins, or what was cached, cannot
// show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "config/limits.h"
#include "engine/engram/engram_config.h"
#include "engine/engram/engram_layout.h"
#include "engine/engram/token_map.h"

namespace engram {

// Immutable, thread-safe.
class NgramHasher {
 public:
  // As MakeEngramTableLayouts and CheckTokenMap say. REQUIRES: `config` in range
  // (ModelConfig::Parse).
  static absl::StatusOr<NgramHasher> Create(const EngramConfig& config, TokenMap token_map);

  int layer_count() const { return static_cast<int>(layers_.size()); }
  int lookups() const { return lookups_; }                  // H
  int lookback() const { return max_ngram_size_ - 1; }      // N − 1: ids before a token that count
  std::int64_t table_rows(int layer_index) const { return layers_[layer_index].rows; }

  // The compressed id of a raw one. A raw id that the tokenizer does not know (vocab_size may be
  // padded beyond it; the model can sample such an id) counts as the pad token. REQUIRES: raw ≥ 0.
  std::int32_t Compress(std::int32_t raw) const;

  // Fills `window`, [N − 1 + T], with the compressed ids of the T `tokens` behind the N − 1 before
  // them: the end of `lookback` (raw ids, oldest first), and pads where that is shorter because the
  // sequence starts there.
  void FillWindow(std::span<const std::int32_t> lookback, std::span<const std::int32_t> tokens,
                  std::span<std::int32_t> window) const;

  // The row of one lookup for each token of `window`: out[t · stride], t in [0, T).
  void HashLookup(int layer_index, int lookup, std::span<const std::int32_t> window,
                  std::size_t stride, std::int64_t* out) const;

  // All lookups: out [T, H], order-major, then head.
  void HashRows(int layer_index, std::span<const std::int32_t> window, std::int64_t* out) const;

 private:
  struct Lookup {
    int order;
    std::uint64_t prime;
    std::uint64_t offset;
  };
  struct Layer {
    HashMultipliers multipliers;
    std::vector<Lookup> lookups;  // [H]
    std::int64_t rows;
  };

  NgramHasher(const EngramConfig& config, TokenMap token_map);
  void AddLayer(const EngramConfig& config, int layer_id, const EngramTableLayout& table);

  // Constant after Create.
  TokenMap token_map_;
  int max_ngram_size_;
  int heads_;
  int lookups_;
  std::int32_t compressed_pad_;
  std::vector<Layer> layers_;
};

}  // namespace engram
