// SPDX-License-Identifier: Apache-2.0
// The numbers of config.json that describe the Engram tables (spec D.1), validated by ModelConfig.
#pragma once

#include <cstdint>
#include <vector>

namespace engram {

struct EngramConfig {
  std::vector<int> layer_ids;             // ascending, zero-based; empty = no Engram
  int max_ngram_size = 3;                 // N: orders 2 … N
  int heads = 8;                          // K per order
  int head_dim = 80;                      // h_d, width of a row
  std::vector<std::int64_t> vocab_sizes;  // [N − 1] base size of each order's tables
  std::vector<std::int64_t> num_embeddings;  // [layers] declared rows; empty = not declared
  std::int32_t compressed_vocab_size = 0;    // V′; 0 = not declared
  std::int32_t pad_token_id = 2;             // raw id
  std::uint64_t seed = 0;

  int orders() const { return max_ngram_size - 1; }
  int lookups() const { return orders() * heads; }    // H: rows per token and layer
  int memory_dim() const { return lookups() * head_dim; }  // d_mem
};

}  // namespace engram
