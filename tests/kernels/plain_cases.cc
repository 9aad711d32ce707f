// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>

#include "tests/kernels/op_cases.h"

namespace engram::testing_support {
namespace {

std::string Name(const std::string& op, const std::vector<int>& shape, const std::string& more) {
  std::string name = op;
  for (const int size : shape) name += "_" + std::to_string(size);
  return more.empty() ? name : name + "_" + more;
}

// Some row of `limit` for each row number.
Tensor RandomIndices(Arrays& arrays, std::uint64_t seed, const std::vector<int>& rows, int limit) {
  std::vector<std::int32_t> indices;
  for (const int row : rows) {
    indices.push_back(
        static_cast<std::int32_t>((RandomValue(seed, row, 0) + 1) / 2 * static_cast<float>(limit)));
  }
  return arrays.I32(1, static_cast<std::int64_t>(rows.size()), indices);
}

std::int64_t Count(const std::vector<int>& rows) { return static_cast<std::int64_t>(rows.size()); }

}  // namespace

OpCase EmbedCase(DType dtype, int vocab, int hidden) {
  return {.name = Name("Embed", {vocab, hidden}, std::string(DTypeName(dtype))),
          .tolerance = 0,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const EmbedArgs args = {.out = arrays.F32(Count(rows), hidden),
                                    .table = RandomWeight(arrays, 1, dtype, vocab, hidden),
                                    .ids = RandomIndices(arrays, 2, rows, vocab)};
            return {[=, &arrays] { arrays.backend().Embed({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

OpCase GatherRowsCase(int source_rows, int hidden) {
  return {.name = Name("GatherRows", {source_rows, hidden}, ""),
          .tolerance = 0,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const GatherRowsArgs args = {.out = arrays.F32(Count(rows), hidden),
                                         .x = RandomF32(arrays, 1, source_rows, hidden),
                                         .index = RandomIndices(arrays, 2, rows, source_rows)};
            return {[=, &arrays] { arrays.backend().GatherRows({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

OpCase RmsNormCase(int hidden, bool weighted, bool in_place) {
  return {
      .name = Name("RmsNorm", {hidden},
                   std::string(weighted ? "weighted" : "plain") + (in_place ? "_in_place" : "")),
      .tolerance = 2e-6,
      .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
        const Tensor x = RandomRows(arrays, 1, rows, hidden, 3);
        const RmsNormArgs args = {.out = in_place ? x : arrays.F32(Count(rows), hidden),
                                  .x = x,
                                  .weight = weighted ? RandomF32(arrays, 2, 1, hidden) : Tensor{},
                                  .eps = 1e-6f};
        return {[=, &arrays] { arrays.backend().RmsNorm({}, args); },
                [=, &arrays] { return ReadRows(arrays, {args.out}); }};
      }};
}

OpCase MatMulCase(const MatMulShape& shape) {
  return {.name = Name("MatMul", {shape.cols, shape.depth},
                       std::string(DTypeName(shape.dtype)) + (shape.bias ? "_bias" : "")),
          // One rounding per term of some size, partly cancelling out.
          .tolerance = 8e-7 * std::sqrt(static_cast<double>(shape.depth)) + 1e-6,
          .weight_bytes =
              [=](int) {
                return 1.0 * shape.cols * shape.depth *
                       static_cast<double>(DTypeBytes(shape.dtype));
              },
          .flops_per_row = 2.0 * shape.cols * shape.depth,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            // x and out are columns of wider tensors: ops must heed the stride.
            const Tensor wide = RandomRows(arrays, 1, rows, shape.depth + 5);
            const MatMulArgs args = {
                .out = arrays.F32(Count(rows), shape.cols + 3).Cols(2, shape.cols),
                .x = wide.Cols(3, shape.depth),
                .weight = RandomWeight(arrays, 2, shape.dtype, shape.cols, shape.depth),
                .bias = shape.bias ? RandomF32(arrays, 3, 1, shape.cols) : Tensor{}};
            return {[=, &arrays] { arrays.backend().MatMul({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

OpCase SiluMulCase(int cols, bool in_place) {
  return {.name = Name("SiluMul", {cols}, in_place ? "in_place" : ""),
          .tolerance = 2e-6,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            // Gates up to ±120: both ends of the exponential.
            const Tensor gate = RandomRows(arrays, 1, rows, cols, 120);
            const SiluMulArgs args = {.out = in_place ? gate : arrays.F32(Count(rows), cols),
                                      .gate = gate,
                                      .up = RandomRows(arrays, 2, rows, cols)};
            return {[=, &arrays] { arrays.backend().SiluMul({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

OpCase AddCase(int cols) {
  return {.name = Name("Add", {cols}, ""),
          .tolerance = 0,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const AddArgs args = {.out = RandomRows(arrays, 1, rows, cols),
                                  .x = RandomRows(arrays, 2, rows, cols)};
            return {[=, &arrays] { arrays.backend().Add({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

}  // namespace engram::testing_support
