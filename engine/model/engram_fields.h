// SPDX-License-Identifier: Apache-2.0
// The part of config.json that DeepSeek-V3 does not have: hyper-connections (hc_*) and Engram
// (engram_*), with the names that the demo code, MaxText and Megatron use for the same numbers.
#pragma once

#include "engine/model/json_fields.h"
#include "engine/model/model_config.h"

namespace engram {

// Both need model_type, vocab_size, hidden_size and num_layers of `config` and keep errors in
// `json`.
void ReadHyperConnectionFields(JsonFields* json, ModelConfig* config);
void ReadEngramFields(JsonFields* json, ModelConfig* config);

}  // namespace engram
