// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/row_batches.h"

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "config/read_file.h"
#include "engine/engram/token_map.h"
#include "server/text/token_sources.h"
#include "server/text/tokenizer.h"

namespace engram::bench {
namespace {

constexpr std::size_t kTextBytesMax = 256 << 20;

// Cuts rows, in the order they are wished for, into whole batches that ascend.
RowBatches Cut(std::vector<std::int64_t> rows, int size) {
  RowBatches batches{.size = size, .copies = {}};
  const std::size_t whole = rows.size() / size * size;
  batches.copies.reserve(whole);
  for (std::size_t begin = 0; begin < whole; begin += size) {
    const auto batch = std::span(rows).subspan(begin, size);
    std::ranges::sort(batch);
    for (int i = 0; i < size; ++i) batches.copies.push_back({.row = batch[i], .to = i});
  }
  return batches;
}

}  // namespace

RowBatches RandomBatches(std::int64_t table_rows, int size, std::int64_t rows, std::uint64_t seed) {
  CHECK_GT(size, 0);
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> picked(std::max<std::int64_t>(rows, size));
  for (std::int64_t& row : picked) {
    row = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(table_rows));
  }
  return Cut(std::move(picked), size);
}

RowBatches TextBatches(const NgramHasher& hasher, int layer_index,
                       std::span<const std::int32_t> tokens, std::size_t first, int size,
                       std::int64_t rows) {
  CHECK_GT(size, 0);
  CHECK_LE(first, tokens.size());
  const auto lookups = static_cast<std::size_t>(hasher.lookups());
  const std::size_t wanted =
      (static_cast<std::size_t>(std::max<std::int64_t>(rows, size)) + lookups - 1) / lookups;
  const std::size_t count = std::min(wanted, tokens.size() - first);
  std::vector<std::int32_t> window(count + hasher.lookback());
  hasher.FillWindow(tokens.first(first), tokens.subspan(first, count), window);
  std::vector<std::int64_t> hashed(count * lookups);
  hasher.HashRows(layer_index, window, hashed.data());
  return Cut(std::move(hashed), size);
}

absl::StatusOr<TextTokens> ReadTextTokens(const std::string& text_path,
                                          const std::string& directory, const ModelConfig& config) {
  ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(text_path, kTextBytesMax));
  ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, Tokenizer::Load(directory));
  absl::StatusOr<std::vector<std::int32_t>> ids = tokenizer->Encode(text, SpecialTokens::kAsText);
  if (!ids.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(text_path, ": ", ids.status().message()));
  }
  ASSIGN_OR_RETURN(NgramHasher hasher,
                   NgramHasher::Create(config.engram, BuildTokenMap(TokenSources(*tokenizer))));
  return TextTokens{.hasher = std::move(hasher), .ids = *std::move(ids)};
}

}  // namespace engram::bench
