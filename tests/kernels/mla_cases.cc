// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>

#include "tests/kernels/op_cases.h"

namespace engram::testing_support {
namespace {

std::string Name(const std::string& op, const MlaShape& shape, const std::string& more) {
  std::string name = op + "_h" + std::to_string(shape.heads) + "_nope" +
                     std::to_string(shape.nope) + "_rope" + std::to_string(shape.rope) + "_v" +
                     std::to_string(shape.v) + "_lora" + std::to_string(shape.kv_lora) + "_" +
                     std::string(DTypeName(shape.dtype));
  return more.empty() ? name : name + "_" + more;
}

std::int64_t Count(const std::vector<int>& rows) { return static_cast<std::int64_t>(rows.size()); }

Tensor Integers(Arrays& arrays, const std::vector<int>& rows, const std::function<int(int)>& of) {
  std::vector<std::int32_t> values;
  for (const int row : rows) values.push_back(of(row));
  return arrays.I32(1, Count(rows), values);
}

Tensor KvB(Arrays& arrays, const MlaShape& shape) {
  return RandomWeight(arrays, 7, shape.dtype, shape.heads * (shape.nope + shape.v), shape.kv_lora);
}

double KvBBytes(const MlaShape& shape, int rows_per_head) {
  return static_cast<double>(shape.heads) * rows_per_head * shape.kv_lora *
         static_cast<double>(DTypeBytes(shape.dtype));
}

}  // namespace

OpCase RopeCase(const MlaShape& shape, bool interleaved) {
  return {.name = Name("Rope", shape, interleaved ? "pairs" : "halves"),
          .tolerance = 1e-6,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            constexpr int kPositions = 100;
            const RopeArgs args = {
                .x = RandomRows(arrays, 1, rows, shape.heads * (shape.nope + shape.rope)),
                .positions = Integers(arrays, rows, [](int row) { return row * 13 % kPositions; }),
                .cos_sin = RandomF32(arrays, 2, kPositions, shape.rope),
                .heads = shape.heads,
                .head_stride = shape.nope + shape.rope,
                .offset = shape.nope,
                .rope_dim = shape.rope,
                .interleaved = interleaved};
            return {[=, &arrays] { arrays.backend().Rope({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.x}); }};
          }};
}

OpCase MlaWriteCacheCase(const MlaShape& shape) {
  return {.name = Name("MlaWriteCache", shape, ""),
          .tolerance = 0,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            constexpr int kSlots = 128;
            const auto slot = [](int row) { return row * 37 % kSlots; };
            const MlaWriteCacheArgs args = {
                .cache = RandomF32(arrays, 3, kSlots, shape.kv_lora + shape.rope),
                .latent = RandomRows(arrays, 1, rows, shape.kv_lora),
                .k_pe = RandomRows(arrays, 2, rows, shape.rope),
                .slots = Integers(arrays, rows, slot)};
            return {[=, &arrays] { arrays.backend().MlaWriteCache({}, args); },
                    [=, &arrays] {
                      std::vector<std::vector<float>> out;
                      for (const int row : rows) {
                        out.push_back(arrays.ReadF32(args.cache.Rows(slot(row), 1)));
                      }
                      return out;
                    }};
          }};
}

OpCase MlaAbsorbQueryCase(const MlaShape& shape) {
  return {.name = Name("MlaAbsorbQuery", shape, ""),
          .tolerance = 8e-7 * std::sqrt(static_cast<double>(shape.nope)) + 1e-6,
          .weight_bytes = [=](int) { return KvBBytes(shape, shape.nope); },
          .flops_per_row = 2.0 * shape.heads * shape.nope * shape.kv_lora,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const MlaAbsorbQueryArgs args = {
                .out = arrays.F32(Count(rows), shape.heads * shape.kv_lora),
                .q = RandomRows(arrays, 1, rows, shape.heads * (shape.nope + shape.rope)),
                .kv_b = KvB(arrays, shape),
                .heads = shape.heads,
                .nope = shape.nope,
                .rope = shape.rope,
                .v = shape.v};
            return {[=, &arrays] { arrays.backend().MlaAbsorbQuery({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

OpCase MlaProjectValuesCase(const MlaShape& shape) {
  return {.name = Name("MlaProjectValues", shape, ""),
          .tolerance = 8e-7 * std::sqrt(static_cast<double>(shape.kv_lora)) + 1e-6,
          .weight_bytes = [=](int) { return KvBBytes(shape, shape.v); },
          .flops_per_row = 2.0 * shape.heads * shape.v * shape.kv_lora,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const MlaProjectValuesArgs args = {
                .out = arrays.F32(Count(rows), shape.heads * shape.v),
                .o_latent = RandomRows(arrays, 1, rows, shape.heads * shape.kv_lora),
                .kv_b = KvB(arrays, shape),
                .heads = shape.heads,
                .nope = shape.nope,
                .v = shape.v};
            return {[=, &arrays] { arrays.backend().MlaProjectValues({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

OpCase MlaAttentionCase(const MlaShape& shape, const std::vector<int>& lengths, int block_size) {
  const int longest = *std::max_element(lengths.begin(), lengths.end());
  const int sequences = static_cast<int>(lengths.size());
  const int blocks_per_sequence = (longest + block_size - 1) / block_size;
  const std::string more = std::to_string(sequences) + "x" + std::to_string(longest) + "_block" +
                           std::to_string(block_size);
  const double past = std::accumulate(lengths.begin(), lengths.end(), 0.0) / sequences;
  return {.name = Name("MlaAttention", shape, more),
          .tolerance = 5e-6,
          .flops_per_row = 2.0 * shape.heads * past * (2.0 * shape.kv_lora + shape.rope),
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const int blocks = blocks_per_sequence * sequences;
            std::vector<std::int32_t> table(blocks);
            for (int i = 0; i < blocks; ++i) {
              const int sequence = i / blocks_per_sequence;
              const int block = i % blocks_per_sequence;
              table[i] = (blocks_per_sequence - 1 - block) * sequences + sequence;
            }
            const auto sequence = [=](int row) { return row % sequences; };
            const auto position = [=](int row) {
              const int length = lengths[sequence(row)];
              return length - 1 - row / sequences * 29 % length;
            };
            const MlaAttentionArgs args = {
                .out = arrays.F32(Count(rows), shape.heads * shape.kv_lora),
                .q_latent = RandomRows(arrays, 1, rows, shape.heads * shape.kv_lora, 2),
                .q = RandomRows(arrays, 2, rows, shape.heads * (shape.nope + shape.rope), 2),
                .cache = RandomF32(arrays, 3, std::int64_t{blocks} * block_size,
                                   shape.kv_lora + shape.rope),
                .positions = Integers(arrays, rows, position),
                .sequence = Integers(arrays, rows, sequence),
                .block_tables = arrays.I32(sequences, blocks_per_sequence, table),
                .heads = shape.heads,
                .nope = shape.nope,
                .rope = shape.rope,
                .kv_lora = shape.kv_lora,
                .block_size = block_size,
                // Scores of a size that makes some positions count far more than others.
                .scale = 3.0f / std::sqrt(static_cast<float>(shape.kv_lora + shape.rope))};
            return {[=, &arrays] { arrays.backend().MlaAttention({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

}  // namespace engram::testing_support
