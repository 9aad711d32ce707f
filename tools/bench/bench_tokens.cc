// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/bench_tokens.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/prng.h"
#include "base/status_macros.h"
#include "config/read_file.h"
#include "server/text/token_sources.h"
#include "server/text/tokenizer.h"

namespace engram::bench {
namespace {

constexpr std::int64_t kTextBytesMax = std::int64_t{64} << 20;
// Far enough apart that sequences do not meet, and odd, so that runs do not fall on each other.
constexpr std::int64_t kSequenceStride = 4'099;
constexpr std::int64_t kRunStride = 1'000'003;

}  // namespace

std::int32_t BenchTokens::At(int run, int sequence, std::int64_t position) const {
  if (text.empty()) {
    return static_cast<std::int32_t>(PhiloxUniform(run, position, sequence) * vocab_size);
  }
  const std::int64_t at = run * kRunStride + sequence * kSequenceStride + position;
  return text[static_cast<std::size_t>(at) % text.size()];
}

BenchTokens RandomTokens(const ModelConfig& config) {
  const std::int32_t size = config.engram.compressed_vocab_size > 0
                                ? config.engram.compressed_vocab_size
                                : config.vocab_size;
  std::vector<std::int32_t> map;
  for (std::int32_t id = 0; id < config.vocab_size; ++id) map.push_back(id % size);
  return {.token_map = TokenMap(std::move(map), size), .vocab_size = config.vocab_size, .text = {}};
}

absl::StatusOr<BenchTokens> TokensOfText(const std::string& text_path,
                                         const std::string& directory) {
  ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(text_path, kTextBytesMax));
  ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, Tokenizer::Load(directory));
  absl::StatusOr<std::vector<std::int32_t>> ids = tokenizer->Encode(text, SpecialTokens::kAsText);
  if (!ids.ok() || ids->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(text_path, ": ", ids.ok() ? "is empty" : ids.status().message()));
  }
  return BenchTokens{.token_map = BuildTokenMap(TokenSources(*tokenizer)), .text = *std::move(ids)};
}

}  // namespace engram::bench
