// SPDX-License-Identifier: Apache-2.0
// Reference data for the Engram tests: configs of the checkpoints and module vectors, token maps
// made by DeepSeek's demo code, and the hash written down once more, as slowly as the paper states
// it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/engram/engram_config.h"
#include "engine/engram/token_map.h"

namespace engram::testing_support {

// The engram_* fields of a checkpoint's config.json ("tests/testdata/tiny/engram_paper").
EngramConfig CheckpointEngramConfig(const std::string& directory);
// Those of one file of tests/testdata/modules ("engram_layer_paper.safetensors").
EngramConfig ModuleEngramConfig(const std::string& file);

// "deepseek_v3" (128,815 tokens → 98,627 ids) or "tiny" (2,048 → 1,737).
TokenMap ReferenceTokenMap(const std::string& tokenizer);

// Configs of the specification's golden layouts, for the V3 token map.
EngramConfig DemoConfig();      // layers 1, 15; base 646,400
EngramConfig Paper27BConfig();  // layers 1, 14; base 2,262,400

// [tokens, H] rows of a whole sequence from position 0: spec A.3 with its primes and multipliers
// handed in, a remainder for each lookup and no shortcut.
std::vector<std::int64_t> RowsByDefinition(const EngramConfig& config, const TokenMap& token_map,
                                           std::span<const std::int64_t> primes,
                                           std::span<const std::int64_t> multipliers,
                                           std::span<const std::int32_t> tokens);

}  // namespace engram::testing_support
