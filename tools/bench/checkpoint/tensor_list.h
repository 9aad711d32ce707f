// SPDX-License-Identifier: Apache-2.0
// Which tensors a model wants, found out by letting the model ask: its loader runs on a checkpoint
// that answers every question with zeros and writes down what was asked.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/model/model_config.h"

namespace engram::bench {

struct TensorList {
  std::vector<TensorSpec> weights;  // in the order of the loader; optional ones too
  std::vector<TensorSpec> tables;   // [Engram layers], each [rows, head_dim]
};

// An error is the loader's: the config has no such model, or declares other row counts than its
// primes give. Takes no memory to speak of, whatever the sizes.
absl::StatusOr<TensorList> ListTensors(const ModelConfig& config);

}  // namespace engram::bench
