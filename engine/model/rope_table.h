// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding with YaRN (Peng et al., arXiv 2309.00071; spec C.3), as Hugging Face's
// DeepSeek-V3 does it: the configured scaling is always on, whatever the sequence's length. All of
// it is computed once, in float64, on the host.
#pragma once

#include <vector>

#include "engine/model/model_config.h"
#include "kernels/backend.h"

namespace engram {

// Radians per position of each rotated pair, [qk_rope_head_dim / 2].
std::vector<double> RopeFrequencies(const ModelConfig& config);

// What cosines and sines are multiplied by; 1 for DeepSeek-V3, where mscale = mscale_all_dim.
double RopeAmplitude(const ModelConfig& config);

// What attention scores are multiplied by: (nope + rope)^−½ · m², m = 1 without YaRN.
double AttentionScale(const ModelConfig& config);

// [positions, qk_rope_head_dim]: half cosines, half sines, amplitude included.
std::vector<float> RopeCosSin(const ModelConfig& config, int positions);

// The above on a device.
struct RopeTable {
  Buffer memory;
  Tensor cos_sin;  // [positions, qk_rope_head_dim] f32
  float attention_scale = 0;
};

RopeTable MakeRopeTable(const ModelConfig& config, int positions, Backend* backend);

}  // namespace engram
