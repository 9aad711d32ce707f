// SPDX-License-Identifier: Apache-2.0
// An op with a shape and inputs: what the parity tests run on every backend and the kernel
// benchmark times. Inputs are a function of the case's seed, the row and the column, so that any
// choice of rows, in any order, can be run again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "tests/kernels/arrays.h"

namespace engram::testing_support {

// The op with its tensors on one backend. `run` may be called again; ops that work in place then
// start from their own result.
struct PreparedOp {
  std::function<void()> run;
  // Everything the op wrote for each row: [rows][…]. Integers as floats.
  std::function<std::vector<std::vector<float>>()> read;
};

struct OpCase {
  std::string name;
  // |actual − expected| ≤ tolerance · max(1, |expected|), expected being the reference's.
  double tolerance = 1e-5;
  // What one run must read and compute, for the benchmark: `weight_bytes` with that many rows,
  // empty where weights do not count.
  std::function<double(int rows)> weight_bytes = nullptr;
  double flops_per_row = 0;
  // `rows` are the numbers of the rows that the call has, in order.
  std::function<PreparedOp(Arrays&, const std::vector<int>& rows)> prepare;
};

// In [−1, 1), the same for the same arguments.
float RandomValue(std::uint64_t seed, std::int64_t row, std::int64_t col);

// [rows.size(), cols]: row i has the values of row number rows[i], times `scale`.
Tensor RandomRows(Arrays& arrays, std::uint64_t seed, const std::vector<int>& rows,
                  std::int64_t cols, float scale = 1);
// [rows, cols] of values that no row selection changes.
Tensor RandomF32(Arrays& arrays, std::uint64_t seed, std::int64_t rows, std::int64_t cols,
                 float scale = 1);
Tensor RandomWeight(Arrays& arrays, std::uint64_t seed, DType dtype, std::int64_t rows,
                    std::int64_t cols, float scale = 1);

// {0, 1, … count − 1}
std::vector<int> FirstRows(int count);

// Row i: the rows i of all `tensors`, f32 or i32, one after the other.
std::vector<std::vector<float>> ReadRows(Arrays& arrays, const std::vector<Tensor>& tensors);

}  // namespace engram::testing_support
