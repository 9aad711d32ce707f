// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/engram/random_steps.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "base/check.h"
#include "engine/engram/storage/mapped_table.h"
#include "tests/engine/engram/reference.h"

namespace engram::testing_support {
namespace {

constexpr int kRawTokens = 300;
constexpr int kCompressedTokens = 90;
constexpr int kVocab = 310;  // padded beyond the tokenizer

int Between(int low, int high, std::mt19937* random) {  // both inclusive
  return low + static_cast<int>((*random)() % static_cast<unsigned>(high - low + 1));
}

}  // namespace

EngramWorld MakeWorld(int max_ngram_size) {
  EngramWorld world;
  world.config.layer_ids = {0, 2, 5};
  world.config.max_ngram_size = max_ngram_size;
  world.config.heads = 4;
  world.config.head_dim = 9;
  world.config.vocab_sizes.assign(world.config.orders(), 499);
  world.config.pad_token_id = 11;
  std::vector<std::int32_t> map(kRawTokens);
  for (int i = 0; i < kRawTokens; ++i) map[i] = i % kCompressedTokens;
  world.token_map = TokenMap(std::move(map), kCompressedTokens);
  auto layouts = MakeEngramTableLayouts(world.config);
  CHECK(layouts.ok());
  world.layouts = *std::move(layouts);
  std::mt19937 random(99);
  for (const EngramTableLayout& layout : world.layouts) {
    std::vector<std::byte>& table = world.tables.emplace_back(
        layout.rows * world.config.head_dim * DTypeBytes(EngramWorld::kDType));
    for (std::byte& byte : table) byte = static_cast<std::byte>(1 + random() % 255);
  }
  return world;
}

RandomStep MakeRandomStep(int rows_max, int max_ngram_size, std::mt19937* random) {
  RandomStep step;
  int left = Between(1, rows_max, random);
  while (left > 0) {
    SequenceSlice slice;
    slice.sequence = SequenceId(step.plan.slices.size());
    slice.first_row = static_cast<int>(step.plan.token_ids.size());
    slice.row_count = Between(0, 1, random) == 0 ? 1 : Between(1, left, random);
    slice.start_position = Between(0, 2, random) == 0 ? 0 : Between(0, 12, random);
    slice.engram_enabled = Between(0, 3, random) != 0;
    std::vector<std::int32_t> tokens(slice.start_position + slice.row_count);
    for (std::int32_t& token : tokens) token = Between(0, kVocab - 1, random);
    slice.lookback_count = std::min(slice.start_position, max_ngram_size - 1);
    std::copy_n(tokens.begin() + slice.start_position - slice.lookback_count,
                slice.lookback_count, slice.lookback.begin());
    step.plan.token_ids.insert(step.plan.token_ids.end(), tokens.begin() + slice.start_position,
                               tokens.end());
    left -= slice.row_count;
    step.plan.slices.push_back(slice);
    step.sequences.push_back(std::move(tokens));
  }
  return step;
}

std::vector<std::byte> RowsOfStep(const EngramWorld& world, const RandomStep& step,
                                  int layer_index) {
  const EngramConfig& config = world.config;
  const std::size_t row_bytes = config.head_dim * DTypeBytes(EngramWorld::kDType);
  const HashMultipliers multipliers =
      MakeHashMultipliers(config.seed, config.layer_ids[layer_index],
                          world.token_map.compressed_size(), config.max_ngram_size);
  std::vector<std::byte> out(step.plan.token_ids.size() * config.lookups() * row_bytes);
  std::byte* next = out.data();
  for (std::size_t s = 0; s < step.sequences.size(); ++s) {
    const SequenceSlice& slice = step.plan.slices[s];
    const std::vector<std::int64_t> rows =
        RowsByDefinition(config, world.token_map, world.layouts[layer_index].primes, multipliers,
                         step.sequences[s]);
    for (std::size_t i = slice.start_position * config.lookups(); i < rows.size(); ++i) {
      if (slice.engram_enabled) {
        std::memcpy(next, world.tables[layer_index].data() + rows[i] * row_bytes, row_bytes);
      }
      next += row_bytes;
    }
  }
  CHECK(next == out.data() + out.size());
  return out;
}

std::vector<std::unique_ptr<EngramTable>> MapTables(const EngramWorld& world) {
  std::vector<std::unique_ptr<EngramTable>> tables;
  for (std::size_t i = 0; i < world.tables.size(); ++i) {
    tables.push_back(std::make_unique<MappedTable>(
        world.tables[i], world.layouts[i].rows,
        EngramRowFormat{.dtype = EngramWorld::kDType, .head_dim = world.config.head_dim}));
  }
  return tables;
}

std::vector<const EngramTable*> Pointers(const std::vector<std::unique_ptr<EngramTable>>& tables) {
  std::vector<const EngramTable*> pointers;
  for (const auto& table : tables) pointers.push_back(table.get());
  return pointers;
}

}  // namespace engram::testing_support
