// SPDX-License-Identifier: Apache-2.0
// The products of a hash stay below 2^63 (engram_layout.h), so signed, unsigned and Python's
// arithmetic agree.
#include "engine/engram/ngram_hasher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"

namespace engram {

absl::StatusOr<NgramHasher> NgramHasher::Create(const EngramConfig& config, TokenMap token_map) {
  RETURN_IF_ERROR(CheckTokenMap(config, token_map));
  ASSIGN_OR_RETURN(const std::vector<EngramTableLayout> tables, MakeEngramTableLayouts(config));
  NgramHasher hasher(config, std::move(token_map));
  for (std::size_t i = 0; i < tables.size(); ++i) {
    hasher.AddLayer(config, config.layer_ids[i], tables[i]);
  }
  return hasher;
}

NgramHasher::NgramHasher(const EngramConfig& config, TokenMap token_map)
    : token_map_(std::move(token_map)),
      max_ngram_size_(config.max_ngram_size),
      heads_(config.heads),
      lookups_(config.lookups()),
      compressed_pad_(token_map_.Compress(config.pad_token_id)) {}

void NgramHasher::AddLayer(const EngramConfig& config, int layer_id,
                           const EngramTableLayout& table) {
  Layer layer{.multipliers = MakeHashMultipliers(config.seed, layer_id,
                                                 token_map_.compressed_size(), max_ngram_size_),
              .lookups = {},
              .rows = table.rows};
  for (int l = 0; l < lookups_; ++l) {
    layer.lookups.push_back({.order = 2 + l / heads_,
                             .prime = static_cast<std::uint64_t>(table.primes[l]),
                             .offset = static_cast<std::uint64_t>(table.offsets[l])});
  }
  layers_.push_back(std::move(layer));
}

std::int32_t NgramHasher::Compress(std::int32_t raw) const {
  CHECK_GE(raw, 0);
  return raw < token_map_.size() ? token_map_.Compress(raw) : compressed_pad_;
}

void NgramHasher::FillWindow(std::span<const std::int32_t> lookback,
                             std::span<const std::int32_t> tokens,
                             std::span<std::int32_t> window) const {
  const std::size_t before = static_cast<std::size_t>(max_ngram_size_ - 1);
  CHECK_EQ(window.size(), before + tokens.size());
  const std::span<const std::int32_t> used = lookback.last(std::min(lookback.size(), before));
  const auto compress = [this](std::int32_t raw) { return Compress(raw); };
  auto out = std::fill_n(window.begin(), before - used.size(), compressed_pad_);
  out = std::transform(used.begin(), used.end(), out, compress);
  std::transform(tokens.begin(), tokens.end(), out, compress);
}

void NgramHasher::HashLookup(int layer_index, int lookup, std::span<const std::int32_t> window,
                             std::size_t stride, std::int64_t* out) const {
  // Copies: through references the compiler would read them again after each store to `out`.
  const HashMultipliers multipliers = layers_[layer_index].multipliers;
  const Lookup table = layers_[layer_index].lookups[lookup];
  const std::size_t before = static_cast<std::size_t>(max_ngram_size_ - 1);
  CHECK_GE(window.size(), before);
  for (std::size_t t = before; t < window.size(); ++t, out += stride) {
    std::uint64_t mix = 0;
    for (int back = 0; back < table.order; ++back) {
      mix ^= static_cast<std::uint64_t>(window[t - back]) *
             static_cast<std::uint64_t>(multipliers[back]);
    }
    *out = static_cast<std::int64_t>(table.offset + mix % table.prime);
  }
}

void NgramHasher::HashRows(int layer_index, std::span<const std::int32_t> window,
                           std::int64_t* out) const {
  for (int lookup = 0; lookup < lookups_; ++lookup) {
    HashLookup(layer_index, lookup, window, static_cast<std::size_t>(lookups_), out + lookup);
  }
}

}  // namespace engram
