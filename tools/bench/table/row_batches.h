// SPDX-License-Identifier: Apache-2.0
// Which rows a run asks for: batches like the prefetcher's, each in ascending order of row.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/ngram_hasher.h"
#include "engine/model/model_config.h"

namespace engram::bench {

// Batch i is copies [i · size, (i + 1) · size), to output rows 0 … size − 1.
struct RowBatches {
  int size = 0;
  std::vector<RowCopy> copies;

  std::size_t count() const { return copies.size() / size; }
  std::span<const RowCopy> batch(std::size_t i) const {
    return std::span(copies).subspan(i * size, size);
  }
};

// At least one batch, about `rows` rows, each drawn alone from [0, table_rows).
RowBatches RandomBatches(std::int64_t table_rows, int size, std::int64_t rows, std::uint64_t seed);

// The rows that consecutive tokens of `tokens` ask one layer for, cut into whole batches; about
// `rows` of them, beginning with token `first`, or as many as the tokens give.
RowBatches TextBatches(const NgramHasher& hasher, int layer_index,
                       std::span<const std::int32_t> tokens, std::size_t first, int size,
                       std::int64_t rows);

// What text needs: the ids of a file's text in the tokenizer of a checkpoint directory, and that
// model's hasher.
struct TextTokens {
  NgramHasher hasher;
  std::vector<std::int32_t> ids;
};
absl::StatusOr<TextTokens> ReadTextTokens(const std::string& text_path,
                                          const std::string& directory, const ModelConfig& config);

}  // namespace engram::bench
