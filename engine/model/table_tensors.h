// SPDX-License-Identifier: Apache-2.0
// An Engram layer's table as the checkpoint has it: a tensor of values, and beside small values one
// of scales (docs/CHECKPOINT.md). Which dtypes go together, and what a row of both is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/checkpoint/checkpoint.h"
#include "engine/model/weight_loader.h"
#include "kernels/row_format.h"

namespace engram {

struct TableTensors {
  const TensorInfo* values = nullptr;  // [rows, head_dim]
  const TensorInfo* scales = nullptr;  // [rows, format.scales()]; null if the format has none
  EngramRowFormat format;

  std::size_t bytes() const {
    return values->bytes.size() + (scales != nullptr ? scales->bytes.size() : 0);
  }
};

// From `prefix`weight and `prefix`scale. Values without scales: f32, bf16, f16. With them: f8_e4m3,
// a scale (e8m0, also called u8) for 32 values; i8, a scale (f32 or bf16) for a row. Empty after an
// error, which is the loader's to keep.
TableTensors LoadTable(const std::string& prefix, std::int64_t rows, int head_dim,
                       WeightLoader* load);

}  // namespace engram
