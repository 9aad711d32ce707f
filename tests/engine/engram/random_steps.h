// SPDX-License-Identifier: Apache-2.0
// Step plans as a scheduler might make them, from seeds, and what the rows of such a step must be:
// taken from the whole sequences by the definition of the hash, without chunks, jobs or sorting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "engine/engram/engram_config.h"
#include "engine/engram/engram_layout.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/token_map.h"
#include "engine/step_plan.h"

namespace engram::testing_support {

// A config with its tokenizer and the tables' contents: random bytes, never all zero in a row.
struct EngramWorld {
  EngramConfig config;
  TokenMap token_map;
  std::vector<EngramTableLayout> layouts;
  std::vector<std::vector<std::byte>> tables;  // [rows, h_d] of kDType per layer

  static constexpr DType kDType = DType::kBF16;
};

// Three layers, orders 2 … max_ngram_size; a token map in which many tokens share an id.
EngramWorld MakeWorld(int max_ngram_size);

// One step and the sequences it is cut from.
struct RandomStep {
  StepPlan plan;
  std::vector<std::vector<std::int32_t>> sequences;  // per slice, up to and with its last row
};

// Of 1 … rows_max rows in slices of many lengths, begun anywhere; one slice in four without memory.
RandomStep MakeRandomStep(int rows_max, int max_ngram_size, std::mt19937* random);

// [step rows, H, h_d] of one layer.
std::vector<std::byte> RowsOfStep(const EngramWorld& world, const RandomStep& step,
                                  int layer_index);

// The world's tables behind the seam.
std::vector<std::unique_ptr<EngramTable>> MapTables(const EngramWorld& world);
std::vector<const EngramTable*> Pointers(const std::vector<std::unique_ptr<EngramTable>>& tables);

}  // namespace engram::testing_support
