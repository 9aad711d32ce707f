// SPDX-License-Identifier: Apache-2.0
// Primes are handed out in one walk over layers, orders and heads; no prime is given twice.
#include "engine/engram/engram_layout.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/siphash.h"
#include "base/status_macros.h"
#include "engine/engram/numpy_rng.h"
#include "engine/engram/primes.h"

namespace engram {
namespace {

// Distance of two layers' seeds.
constexpr int kSeedStride = 10007;

// Gives each prime once. The first candidate for a base is the base itself.
class PrimeDealer {
 public:
  std::int64_t Next(std::int64_t base) {
    // All primes from `base` to the last one dealt for it are taken: the walk resumes there instead
    // of passing them again for every order and layer.
    std::int64_t& last = last_dealt_.try_emplace(base, base - 1).first->second;
    do last = static_cast<std::int64_t>(NextPrime(static_cast<std::uint64_t>(last)));
    while (!taken_.insert(last).second);
    return last;
  }

 private:
  std::map<std::int64_t, std::int64_t> last_dealt_;  // base → prime
  std::set<std::int64_t> taken_;
};

EngramTableLayout DealTable(const EngramConfig& config, PrimeDealer* dealer) {
  EngramTableLayout table;
  for (const std::int64_t base : config.vocab_sizes) {
    for (int head = 0; head < config.heads; ++head) {
      table.primes.push_back(dealer->Next(base));
      table.offsets.push_back(table.rows);
      table.rows += table.primes.back();
    }
  }
  return table;
}

absl::Status CheckRows(const EngramConfig& config, std::size_t index, std::int64_t rows) {
  const std::string layer = absl::StrCat("Engram layer ", config.layer_ids[index]);
  if (rows > limits::kEngramRowsMax) {
    return absl::InvalidArgumentError(absl::StrCat(layer, ": engram_vocab_size gives a table of ",
                                                   rows, " rows; at most ",
                                                   limits::kEngramRowsMax, " are supported"));
  }
  if (!config.num_embeddings.empty() && config.num_embeddings[index] != rows) {
    return absl::InvalidArgumentError(absl::StrCat(
        layer, ": engram_num_embeddings declares ", config.num_embeddings[index],
        " rows, expected ", rows, " (the sum of the primes that engram_vocab_size and ",
        "engram_n_heads give)"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<EngramTableLayout>> MakeEngramTableLayouts(const EngramConfig& config) {
  CHECK_EQ(config.vocab_sizes.size(), static_cast<std::size_t>(config.orders()));
  for (const std::int64_t base : config.vocab_sizes) {
    CHECK_GE(base, 1);
    if (base > limits::kEngramRowsMax) {
      return absl::InvalidArgumentError(absl::StrCat(
          "engram_vocab_size: ", base, " is more than ", limits::kEngramRowsMax, " rows"));
    }
  }
  if (!config.num_embeddings.empty() &&
      config.num_embeddings.size() != config.layer_ids.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "engram_num_embeddings has ", config.num_embeddings.size(), " entries, expected ",
        config.layer_ids.size(), ": one per entry of engram_layer_ids"));
  }
  PrimeDealer dealer;
  std::vector<EngramTableLayout> tables;
  for (std::size_t i = 0; i < config.layer_ids.size(); ++i) {
    tables.push_back(DealTable(config, &dealer));
    RETURN_IF_ERROR(CheckRows(config, i, tables.back().rows));
  }
  return tables;
}

HashMultipliers MakeHashMultipliers(std::uint64_t seed, int layer_id,
                                    std::int32_t compressed_vocab_size, int max_ngram_size) {
  CHECK_GE(compressed_vocab_size, 1);
  CHECK_LE(max_ngram_size, limits::kNgramOrderMax);
  const std::int64_t half = std::max<std::int64_t>(
      1, std::numeric_limits<std::int64_t>::max() / compressed_vocab_size / 2);
  // Python's integers do not wrap, so neither may this sum.
  NumpyGenerator generator(static_cast<UInt128>(seed) +
                           static_cast<UInt128>(kSeedStride) * static_cast<UInt128>(layer_id));
  HashMultipliers multipliers{};
  for (int i = 0; i < max_ngram_size; ++i) multipliers[i] = 2 * generator.Integer(0, half) + 1;
  return multipliers;
}

std::uint64_t LayoutChecksum(const EngramTableLayout& layout, const HashMultipliers& multipliers) {
  std::vector<std::int64_t> all(multipliers.begin(), multipliers.end());
  all.insert(all.end(), layout.primes.begin(), layout.primes.end());
  return SipHash({0, 0}, std::as_bytes(std::span(all)));
}

absl::Status CheckTokenMap(const EngramConfig& config, const TokenMap& token_map) {
  if (config.compressed_vocab_size != 0 &&
      config.compressed_vocab_size != token_map.compressed_size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "engram_compressed_vocab_size is ", config.compressed_vocab_size,
        " but the tokenizer's ", token_map.size(), " tokens compress to ",
        token_map.compressed_size(),
        ": this is not the tokenizer.json that the Engram tables were trained with"));
  }
  if (config.pad_token_id < 0 || config.pad_token_id >= token_map.size()) {
    return absl::InvalidArgumentError(absl::StrCat("engram_pad_token_id is ", config.pad_token_id,
                                                   ", expected a token of the tokenizer: 0 to ",
                                                   token_map.size() - 1));
  }
  return absl::OkStatus();
}

}  // namespace engram
