// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/op_case.h"

#include <numeric>

namespace engram::testing_support {

float RandomValue(std::uint64_t seed, std::int64_t row, std::int64_t col) {
  // splitmix64 over the three numbers.
  std::uint64_t x = seed * 0x9e3779b97f4a7c15 +
                    static_cast<std::uint64_t>(row) * 0xd1b54a32d192ed03 +
                    static_cast<std::uint64_t>(col) * 0x8cb92ba72f3d8dd7 + 1;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  x ^= x >> 31;
  return static_cast<float>(static_cast<std::int64_t>(x >> 40) - (1 << 23)) * 0x1p-23f;
}

Tensor RandomRows(Arrays& arrays, std::uint64_t seed, const std::vector<int>& rows,
                  std::int64_t cols, float scale) {
  std::vector<float> values;
  values.reserve(rows.size() * static_cast<std::size_t>(cols));
  for (const int row : rows) {
    for (std::int64_t c = 0; c < cols; ++c) values.push_back(RandomValue(seed, row, c) * scale);
  }
  return arrays.F32(static_cast<std::int64_t>(rows.size()), cols, values);
}

Tensor RandomF32(Arrays& arrays, std::uint64_t seed, std::int64_t rows, std::int64_t cols,
                 float scale) {
  return RandomRows(arrays, seed, FirstRows(static_cast<int>(rows)), cols, scale);
}

Tensor RandomWeight(Arrays& arrays, std::uint64_t seed, DType dtype, std::int64_t rows,
                    std::int64_t cols, float scale) {
  std::vector<float> values(static_cast<std::size_t>(rows * cols));
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    values[i] = RandomValue(seed, i / cols, i % cols) * scale;
  }
  return arrays.Weight(dtype, rows, cols, values);
}

std::vector<int> FirstRows(int count) {
  std::vector<int> rows(count);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<std::vector<float>> ReadRows(Arrays& arrays, const std::vector<Tensor>& tensors) {
  std::vector<std::vector<float>> out(tensors.empty() ? 0 : tensors[0].rows);
  for (const Tensor& tensor : tensors) {
    std::vector<float> values;
    if (tensor.dtype == DType::kI32) {
      const std::vector<std::int32_t> integers = arrays.ReadI32(tensor);
      values.assign(integers.begin(), integers.end());
    } else {
      values = arrays.ReadF32(tensor);
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto row = values.begin() + static_cast<std::ptrdiff_t>(i) * tensor.cols;
      out[i].insert(out[i].end(), row, row + tensor.cols);
    }
  }
  return out;
}

}  // namespace engram::testing_support
