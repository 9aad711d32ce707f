// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/prng.h"

namespace engram::bench {
namespace {

// Independent uses of one seed.
enum Stream : std::uint64_t {
  kInputLength = 1,
  kOutputLength = 2,
  kPrefix = 3,
  kPrompt = 1u << 20
};

// Uniform in [lowest, highest].
int UniformInt(double uniform, int lowest, int highest) {
  return lowest + static_cast<int>(uniform * (highest - lowest + 1));
}

class TokenSource {
 public:
  TokenSource(std::uint64_t seed, int vocab_size) : seed_(seed), vocab_size_(vocab_size) {}

  void Append(std::vector<std::int32_t>* out, std::uint64_t stream, int count) const {
    for (int i = 0; i < count; ++i) {
      const double uniform = PhiloxUniform(seed_, static_cast<std::uint64_t>(i), stream);
      out->push_back(UniformInt(uniform, 0, vocab_size_ - 1));
    }
  }

 private:
  const std::uint64_t seed_;
  const int vocab_size_;
};

class RandomDataset final : public Dataset {
 public:
  RandomDataset(const DatasetOptions& options, std::uint64_t seed)
      : options_(options), seed_(seed), tokens_(seed, options.vocab_size) {}

  Conversation Get(std::int64_t index) const override {
    RequestSpec request;
    tokens_.Append(&request.token_ids, kPrefix, options_.random_prefix_len);
    const int length = Length(options_.random_input_len, kInputLength, index);
    tokens_.Append(&request.token_ids, kPrompt + static_cast<std::uint64_t>(index), length);
    request.output_tokens = Length(options_.random_output_len, kOutputLength, index);
    return {.turns = {std::move(request)}};
  }
  std::int64_t size() const override { return 0; }

 private:
  int Length(int length, std::uint64_t stream, std::int64_t index) const {
    const double ratio = options_.random_range_ratio;
    const int lowest = static_cast<int>(std::floor(length * (1 - ratio)));
    const int highest = static_cast<int>(std::ceil(length * (1 + ratio)));
    const double uniform = PhiloxUniform(seed_, static_cast<std::uint64_t>(index), stream);
    return std::max(1, UniformInt(uniform, lowest, highest));
  }

  const DatasetOptions options_;
  const std::uint64_t seed_;
  const TokenSource tokens_;
};

// A few prefixes, each followed by many suffixes: what a shared system prompt looks like.
class PrefixDataset final : public Dataset {
 public:
  PrefixDataset(const DatasetOptions& options, std::uint64_t seed)
      : options_(options), seed_(seed), tokens_(seed, options.vocab_size) {}

  Conversation Get(std::int64_t index) const override {
    const double uniform = PhiloxUniform(seed_, static_cast<std::uint64_t>(index), kPrefix);
    const int prefix = UniformInt(uniform, 0, options_.num_prefixes - 1);
    RequestSpec request;
    tokens_.Append(&request.token_ids, kPrefix + 1 + static_cast<std::uint64_t>(prefix),
                   options_.prefix_len);
    tokens_.Append(&request.token_ids, kPrompt + static_cast<std::uint64_t>(index),
                   options_.suffix_len);
    request.output_tokens = options_.prefix_output_len;
    return {.turns = {std::move(request)}};
  }
  std::int64_t size() const override { return 0; }

 private:
  const DatasetOptions options_;
  const std::uint64_t seed_;
  const TokenSource tokens_;
};

class ListDataset final : public Dataset {
 public:
  ListDataset(std::vector<Conversation> conversations, bool shuffle, std::uint64_t seed)
      : conversations_(std::move(conversations)), order_(conversations_.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    if (!shuffle) return;
    std::mt19937_64 random(seed);
    std::shuffle(order_.begin(), order_.end(), random);
  }

  Conversation Get(std::int64_t index) const override {
    return conversations_[order_[static_cast<std::size_t>(index) % order_.size()]];
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(conversations_.size()); }

 private:
  const std::vector<Conversation> conversations_;
  std::vector<std::size_t> order_;
};

}  // namespace

std::unique_ptr<Dataset> MakeTokenDataset(const DatasetOptions& options, std::uint64_t seed) {
  CHECK_GT(options.vocab_size, 0);
  if (options.name == "prefix_repetition") return std::make_unique<PrefixDataset>(options, seed);
  return std::make_unique<RandomDataset>(options, seed);
}

std::unique_ptr<Dataset> MakeListDataset(std::vector<Conversation> conversations, bool shuffle,
                                         std::uint64_t seed) {
  CHECK(!conversations.empty());
  return std::make_unique<ListDataset>(std::move(conversations), shuffle, seed);
}

}  // namespace engram::bench
