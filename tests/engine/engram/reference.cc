// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/engram/reference.h"

#include <algorithm>

#include "nlohmann/json.hpp"
#include "tests/testing/tensors.h"
#include "tests/testing/test_files.h"

namespace engram::testing_support {
namespace {

EngramConfig FromJson(const nlohmann::json& json) {
  EngramConfig config;
  config.layer_ids = json.at("engram_layer_ids").get<std::vector<int>>();
  config.max_ngram_size = json.at("engram_max_ngram_size");
  config.heads = json.at("engram_n_heads");
  config.head_dim = json.at("engram_head_dim");
  const nlohmann::json& base = json.at("engram_vocab_size");
  config.vocab_sizes = base.is_array() ? base.get<std::vector<std::int64_t>>()
                                       : std::vector<std::int64_t>(config.orders(), base);
  config.num_embeddings = json.at("engram_num_embeddings").get<std::vector<std::int64_t>>();
  config.compressed_vocab_size = json.at("engram_compressed_vocab_size");
  config.pad_token_id = json.at("engram_pad_token_id");
  config.seed = json.at("engram_seed");
  return config;
}

}  // namespace

EngramConfig CheckpointEngramConfig(const std::string& directory) {
  return FromJson(nlohmann::json::parse(ReadFile(directory + "/config.json")));
}

EngramConfig ModuleEngramConfig(const std::string& file) {
  const auto json = nlohmann::json::parse(ReadFile("tests/testdata/modules/modules.json"));
  return FromJson(json.at(file).at("config"));
}

TokenMap ReferenceTokenMap(const std::string& tokenizer) {
  const TensorFile file =
      TensorFile::Load("tests/testdata/modules/token_map_" + tokenizer + ".safetensors");
  std::vector<std::int32_t> ids = file.I32("raw_to_compressed");
  const std::int32_t largest = *std::max_element(ids.begin(), ids.end());
  return TokenMap(std::move(ids), largest + 1);
}

EngramConfig DemoConfig() {
  EngramConfig config;
  config.layer_ids = {1, 15};
  config.vocab_sizes = {646400, 646400};
  config.head_dim = 64;
  config.num_embeddings = {10344164, 10348242};
  config.compressed_vocab_size = 98627;
  return config;
}

EngramConfig Paper27BConfig() {
  EngramConfig config;
  config.layer_ids = {1, 14};
  config.vocab_sizes = {2262400, 2262400};
  config.num_embeddings = {36199972, 36204260};
  config.compressed_vocab_size = 98627;
  return config;
}

std::vector<std::int64_t> RowsByDefinition(const EngramConfig& config, const TokenMap& token_map,
                                           std::span<const std::int64_t> primes,
                                           std::span<const std::int64_t> multipliers,
                                           std::span<const std::int32_t> tokens) {
  const auto compressed = [&](std::int64_t position) -> std::int64_t {
    const bool is_pad = position < 0 || tokens[position] >= token_map.size();
    return token_map.Compress(is_pad ? config.pad_token_id : tokens[position]);
  };
  std::vector<std::int64_t> rows;
  for (std::int64_t t = 0; t < static_cast<std::int64_t>(tokens.size()); ++t) {
    std::int64_t offset = 0;
    for (int order = 2; order <= config.max_ngram_size; ++order) {
      std::int64_t mix = 0;
      for (int back = 0; back < order; ++back) mix ^= compressed(t - back) * multipliers[back];
      for (int head = 0; head < config.heads; ++head) {
        const std::int64_t prime = primes[(order - 2) * config.heads + head];
        rows.push_back(offset + mix % prime);
        offset += prime;
      }
    }
  }
  return rows;
}

}  // namespace engram::testing_support
