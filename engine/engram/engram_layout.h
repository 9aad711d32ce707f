// SPDX-License-Identifier: Apache-2.0
// Where an Engram layer's rows lie: the prime sizes of its H hash tables, which stand one after the
// other in one physical table, and the odd multipliers of its hash (paper §2.2; spec A.3).
// Everything follows from config.json; what the checkpoint declares is compared with it, never
// believed.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/limits.h"
#include "engine/engram/engram_config.h"
#include "engine/engram/token_map.h"

namespace engram {

// One layer's physical table [rows, h_d]. Lookup l = (order − 2) · K + head owns the rows
// [offsets[l], offsets[l] + primes[l]).
struct EngramTableLayout {
  std::vector<std::int64_t> primes;   // [H], all different, over all layers too
  std::vector<std::int64_t> offsets;  // [H], ascending
  std::int64_t rows = 0;              // Σ primes
};

// The tables of config.layer_ids, same order. Needs no tokenizer. InvalidArgument if a declared
// engram_num_embeddings is another than what comes out (names layer, expected and found), or a
// table has more than limits::kEngramRowsMax rows.
absl::StatusOr<std::vector<EngramTableLayout>> MakeEngramTableLayouts(const EngramConfig& config);

// m[0] belongs to the current token, m[i] to the one i steps back; entries from N on are 0. For
// every id x′ < compressed_vocab_size, x′ · m[i] < 2^63.
using HashMultipliers = std::array<std::int64_t, limits::kNgramOrderMax>;
HashMultipliers MakeHashMultipliers(std::uint64_t seed, int layer_id,
                                    std::int32_t compressed_vocab_size, int max_ngram_size);

// Of everything that decides which row of the table an n-gram has: two tables with the same content
// and different checksums are different memories.
std::uint64_t LayoutChecksum(const EngramTableLayout& layout, const HashMultipliers& multipliers);

// InvalidArgument if the tokenizer does not compress to the declared engram_compressed_vocab_size
// (the tables were trained with another tokenizer, or another Unicode), or lacks
// engram_pad_token_id.
absl::Status CheckTokenMap(const EngramConfig& config, const TokenMap& token_map);

}  // namespace engram
