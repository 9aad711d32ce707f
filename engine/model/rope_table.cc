// SPDX-License-Identifier: Apache-2.0
#include "engine/model/rope_table.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "base/check.h"

namespace engram {
namespace {

// YaRN's m: how much sharper attention must become when positions are squeezed by `factor`.
double YarnMagnitude(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

// The pair index (not whole) that turns `rotations` times over the original context.
double PairOfRotations(double rotations, const ModelConfig& config) {
  const double length = config.rope_scaling->original_max_position_embeddings;
  return config.qk_rope_head_dim * std::log(length / (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(config.rope_theta));
}

// 0: the pair turns fast and keeps its frequency; 1: slow, all of it is interpolated.
std::vector<double> YarnRamp(const ModelConfig& config) {
  const RopeScaling& scaling = *config.rope_scaling;
  double low = PairOfRotations(scaling.beta_fast, config);
  double high = PairOfRotations(scaling.beta_slow, config);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, config.qk_rope_head_dim - 1.0);
  if (low == high) high += 0.001;
  std::vector<double> ramp(config.qk_rope_head_dim / 2);
  for (std::size_t i = 0; i < ramp.size(); ++i) {
    ramp[i] = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
  }
  return ramp;
}

}  // namespace

std::vector<double> RopeFrequencies(const ModelConfig& config) {
  const int dim = config.qk_rope_head_dim;
  std::vector<double> frequencies(dim / 2);
  for (int i = 0; i < dim / 2; ++i) {
    frequencies[i] = std::pow(config.rope_theta, -2.0 * i / dim);
  }
  if (!config.rope_scaling) return frequencies;
  const std::vector<double> ramp = YarnRamp(config);
  for (int i = 0; i < dim / 2; ++i) {
    const double interpolated = frequencies[i] / config.rope_scaling->factor;
    frequencies[i] = interpolated * ramp[i] + frequencies[i] * (1 - ramp[i]);
  }
  return frequencies;
}

double RopeAmplitude(const ModelConfig& config) {
  if (!config.rope_scaling) return 1.0;
  const RopeScaling& scaling = *config.rope_scaling;
  if (scaling.attention_factor) return *scaling.attention_factor;
  if (scaling.mscale != 0 && scaling.mscale_all_dim != 0) {
    return YarnMagnitude(scaling.factor, scaling.mscale) /
           YarnMagnitude(scaling.factor, scaling.mscale_all_dim);
  }
  return YarnMagnitude(scaling.factor, 1.0);
}

double AttentionScale(const ModelConfig& config) {
  const double scale = 1 / std::sqrt(config.qk_nope_head_dim + config.qk_rope_head_dim);
  if (!config.rope_scaling || config.rope_scaling->mscale_all_dim == 0) return scale;
  const double m = YarnMagnitude(config.rope_scaling->factor, config.rope_scaling->mscale_all_dim);
  return scale * m * m;
}

std::vector<float> RopeCosSin(const ModelConfig& config, int positions) {
  const std::vector<double> frequencies = RopeFrequencies(config);
  const double amplitude = RopeAmplitude(config);
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(positions) * config.qk_rope_head_dim);
  for (int position = 0; position < positions; ++position) {
    for (const double f : frequencies) {
      table.push_back(static_cast<float>(std::cos(position * f) * amplitude));
    }
    for (const double f : frequencies) {
      table.push_back(static_cast<float>(std::sin(position * f) * amplitude));
    }
  }
  return table;
}

RopeTable MakeRopeTable(const ModelConfig& config, int positions, Backend* backend) {
  CHECK_GT(positions, 0);
  const std::vector<float> host = RopeCosSin(config, positions);
  RopeTable table;
  table.memory = backend->Allocate(host.size() * sizeof(float));
  table.cos_sin = table.memory.View(0, DType::kF32, positions, config.qk_rope_head_dim);
  table.attention_scale = static_cast<float>(AttentionScale(config));
  backend->CopyToDevice(Context{}, table.cos_sin, host.data());
  backend->Synchronize(Context{});  // `host` goes away
  return table;
}

}  // namespace engram
