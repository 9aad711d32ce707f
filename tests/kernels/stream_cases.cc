// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>

#include "tests/kernels/op_cases.h"

namespace engram::testing_support {
namespace {

std::int64_t Count(const std::vector<int>& rows) { return static_cast<std::int64_t>(rows.size()); }

std::string Name(const std::string& op, int n, int hidden) {
  return op + "_n" + std::to_string(n) + "_hidden" + std::to_string(hidden);
}

// The bits of a number of `dtype` that is not NaN, some number or other for each (seed, row, col).
std::uint32_t RandomElement(DType dtype, std::uint64_t seed, int row, int col) {
  const float value = RandomValue(seed, row, col);
  const auto byte = static_cast<std::uint8_t>((value + 1) * 128);
  switch (dtype) {
    case DType::kF32:
      return std::bit_cast<std::uint32_t>(value);
    case DType::kBF16:
      return F32ToBF16(value);
    case DType::kF16:
      return F16BitsTowardsZero(value);
    case DType::kI8:
      return byte;
    case DType::kF8E4M3:
      return (byte & 0x7f) == 0x7f ? 0 : byte;
    default:
      return 120 + byte % 8;  // e8m0: products of moderate size
  }
}

void AppendTableRow(const EngramRowFormat& format, int row, std::vector<std::byte>* bytes) {
  const auto append = [&](DType dtype, std::uint64_t seed, int count) {
    for (int i = 0; i < count; ++i) {
      const std::uint32_t bits = RandomElement(dtype, seed, row, i);
      for (std::size_t b = 0; b < DTypeBytes(dtype); ++b) {
        bytes->push_back(static_cast<std::byte>(bits >> 8 * b));
      }
    }
  };
  append(format.dtype, 1, format.head_dim);
  append(format.scale_dtype, 2, format.scales());
}

}  // namespace

OpCase StreamsExpandCase(int n, int hidden) {
  return {.name = Name("StreamsExpand", n, hidden),
          .tolerance = 0,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const StreamsExpandArgs args = {.streams = arrays.F32(Count(rows), n * hidden),
                                            .x = RandomRows(arrays, 1, rows, hidden),
                                            .n = n};
            return {[=, &arrays] { arrays.backend().StreamsExpand({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.streams}); }};
          }};
}

OpCase StreamsSumCase(int n, int hidden) {
  return {.name = Name("StreamsSum", n, hidden),
          .tolerance = 1e-6,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const StreamsSumArgs args = {.out = arrays.F32(Count(rows), hidden),
                                         .streams = RandomRows(arrays, 1, rows, n * hidden),
                                         .n = n};
            return {[=, &arrays] { arrays.backend().StreamsSum({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

OpCase HcPreCase(int n, int hidden) {
  return {.name = Name("HcPre", n, hidden),
          .tolerance = 5e-6,
          .weight_bytes = [=](int) { return 4.0 * (2 + n) * n * n * hidden; },
          .flops_per_row = 2.0 * (2 + n) * n * n * hidden,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const int mixes = (2 + n) * n;
            const HcPreArgs args = {
                .out = arrays.F32(Count(rows), hidden),
                .post = arrays.F32(Count(rows), n),
                .comb = arrays.F32(Count(rows), n * n),
                .streams = RandomRows(arrays, 1, rows, n * hidden, 2),
                .fn = RandomF32(arrays, 2, mixes, n * hidden,
                                2.0f / std::sqrt(static_cast<float>(n * hidden))),
                .base = RandomF32(arrays, 3, 1, mixes, 2),
                .scale = RandomF32(arrays, 4, 1, 3),
                .n = n,
                .sinkhorn_iters = 20,
                .norm_eps = 1e-6f,
                .hc_eps = 1e-6f};
            return {[=, &arrays] { arrays.backend().HcPre({}, args); },
                    [=, &arrays] {
                      return ReadRows(arrays, {args.out, args.post, args.comb});
                    }};
          }};
}

OpCase HcPostCase(int n, int hidden) {
  return {.name = Name("HcPost", n, hidden),
          .tolerance = 1e-6,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const HcPostArgs args = {
                .streams = RandomRows(arrays, 1, rows, n * hidden),
                .x = RandomRows(arrays, 2, rows, hidden),
                .post = RandomRows(arrays, 3, rows, n),
                .comb = RandomRows(arrays, 4, rows, n * n, 1.0f / static_cast<float>(n)),
                .n = n};
            return {[=, &arrays] { arrays.backend().HcPost({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.streams}); }};
          }};
}

OpCase HcHeadCase(int n, int hidden) {
  return {.name = Name("HcHead", n, hidden),
          .tolerance = 5e-6,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            const HcHeadArgs args = {
                .out = arrays.F32(Count(rows), hidden),
                .streams = RandomRows(arrays, 1, rows, n * hidden, 2),
                .fn = RandomF32(arrays, 2, n, n * hidden,
                                2.0f / std::sqrt(static_cast<float>(n * hidden))),
                .base = RandomF32(arrays, 3, 1, n),
                .scale = RandomF32(arrays, 4, 1, 1),
                .n = n,
                .norm_eps = 1e-6f,
                .hc_eps = 1e-6f};
            return {[=, &arrays] { arrays.backend().HcHead({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

OpCase EngramDecodeRowsCase(const EngramRowFormat& format, int lookups) {
  return {.name = "EngramDecodeRows_" + std::to_string(lookups) + "_" +
                  std::to_string(format.head_dim) + "_" + std::string(DTypeName(format.dtype)),
          .tolerance = 0,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            std::vector<std::byte> bytes;
            for (const int row : rows) {
              for (int h = 0; h < lookups; ++h) AppendTableRow(format, row * lookups + h, &bytes);
            }
            const EngramDecodeRowsArgs args = {
                .out = arrays.F32(Count(rows), std::int64_t{lookups} * format.head_dim),
                .rows = arrays.U8(Count(rows) * lookups,
                                  static_cast<std::int64_t>(format.row_bytes()), bytes),
                .format = format};
            return {[=, &arrays] { arrays.backend().EngramDecodeRows({}, args); },
                    [=, &arrays] { return ReadRows(arrays, {args.out}); }};
          }};
}

OpCase EngramGateCase(int n, int hidden, bool gate_sqrt) {
  return {.name = Name("EngramGate", n, hidden) + (gate_sqrt ? "_sqrt" : ""),
          // The root is steep where the score is small: it doubles the digits that are lost there.
          .tolerance = gate_sqrt ? 2e-5 : 2e-6,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            // Row 5: its memory is off. Row 2: keys of zeros, a score of exactly 0.
            std::vector<std::int32_t> enabled;
            std::vector<float> kv;
            for (const int row : rows) {
              enabled.push_back(row != 5);
              for (int i = 0; i < (n + 1) * hidden; ++i) {
                kv.push_back(row == 2 && i < n * hidden ? 0.0f : RandomValue(2, row, i));
              }
            }
            const EngramGateArgs args = {.gates = arrays.F32(Count(rows), n),
                                         .value = arrays.F32(Count(rows), n * hidden),
                                         .streams = RandomRows(arrays, 1, rows, n * hidden),
                                         .kv = arrays.F32(Count(rows), (n + 1) * hidden, kv),
                                         .q_weight = RandomF32(arrays, 3, 1, n * hidden, 2),
                                         .k_weight = RandomF32(arrays, 4, 1, n * hidden, 2),
                                         .enabled = arrays.I32(1, Count(rows), enabled),
                                         .n = n,
                                         .norm_eps = 1e-6f,
                                         .gate_sqrt = gate_sqrt};
            return {[=, &arrays] { arrays.backend().EngramGate({}, args); },
                    [=, &arrays] {
                      return ReadRows(arrays, {args.gates, args.value});
                    }};
          }};
}

OpCase EngramConvCase(int n, int hidden, int taps, int dilation) {
  return {.name = Name("EngramConv", n, hidden) + "_taps" + std::to_string(taps) + "_dilation" +
                  std::to_string(dilation),
          .tolerance = 5e-6,
          .prepare = [=](Arrays& arrays, const std::vector<int>& rows) -> PreparedOp {
            // Each row is one step of its own sequence, whose window lies in an entry of its own.
            const int window = (taps - 1) * dilation;
            const int entries = *std::max_element(rows.begin(), rows.end()) + 2;
            struct Lists {
              std::vector<std::int32_t> row, one, entry;
            };
            auto lists = std::make_shared<Lists>();
            for (std::size_t i = 0; i < rows.size(); ++i) {
              lists->row.push_back(static_cast<std::int32_t>(i));
              lists->one.push_back(1);
              lists->entry.push_back(rows[i] + 1);
            }
            const EngramConvArgs args = {
                .streams = RandomRows(arrays, 1, rows, n * hidden),
                .value = RandomRows(arrays, 2, rows, n * hidden),
                .norm_weight = RandomF32(arrays, 3, 1, n * hidden),
                .conv_weight = RandomF32(arrays, 4, n * hidden, taps),
                .state = RandomF32(arrays, 5, std::int64_t{entries} * window, n * hidden),
                .normed = arrays.F32(Count(rows), n * hidden),
                .slice_first_row = lists->row,
                .slice_row_count = lists->one,
                .slice_source = lists->entry,
                .write_slice = lists->row,
                .write_after_row = lists->row,
                .write_entry = lists->entry,
                .n = n,
                .dilation = dilation,
                .eps = 1e-5f};
            return {[=, &arrays] { arrays.backend().EngramConv({}, args); },
                    [=, &arrays] {
                      std::vector<std::vector<float>> out = ReadRows(arrays, {args.streams});
                      for (std::size_t i = 0; i < out.size(); ++i) {
                        const Tensor entry =
                            args.state.Rows(std::int64_t{lists->entry[i]} * window, window);
                        const std::vector<float> values = arrays.ReadF32(entry);
                        out[i].insert(out[i].end(), values.begin(), values.end());
                      }
                      return out;
                    }};
          }};
}

}  // namespace engram::testing_support
