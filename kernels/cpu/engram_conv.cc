// SPDX-License-Identifier: Apache-2.0
// The short convolution and its state. Three phases: x̂ of all rows; the convolution, which reads
// the slices' source entries; then the windows that the state is to keep. The last two are cut
// between the threads by columns, which never meet, so that every column's reads and writes stay in
// order without a barrier.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/op_checks.h"

namespace engram::cpu {
namespace {

void NormaliseValues(Machine& machine, const EngramConvArgs& args) {
  const std::int64_t n = args.n;
  const std::int64_t hidden = args.value.cols / n;
  machine.pool.ForRanges(
      args.value.rows * n, RowGrain(hidden), [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t at = i % n * hidden;
          const float* value = F32Row(args.value, i / n) + at;
          const float mean = machine.simd->sum_squares(value, hidden) / static_cast<float>(hidden);
          machine.simd->scale(F32Row(args.normed, i / n) + at, value,
                              args.norm_weight.as<float>() + at, 1.0f / std::sqrt(mean + args.eps),
                              hidden);
        }
      });
}

// x̂ at `row` of the step, or before its slice's first row, from the slice's source entry.
float* NormedAt(const EngramConvArgs& args, std::size_t slice, std::int64_t row) {
  const std::int64_t before = args.slice_first_row[slice] - row;  // > 0: in the past
  if (before <= 0) return F32Row(args.normed, row);
  return F32Row(args.state,
                (args.slice_source[slice] + std::int64_t{1}) * ConvWindow(args) - before);
}

// For each slice, one after the other: its rows of `streams` and `value`, and the x̂ that its
// convolution sees, oldest first.
std::size_t PointersOf(const EngramConvArgs& args, std::size_t slice) {
  return static_cast<std::size_t>(3 * args.slice_row_count[slice] + ConvWindow(args));
}

float** ListRows(Machine& machine, const EngramConvArgs& args) {
  std::size_t count = 0;
  for (std::size_t s = 0; s < args.slice_first_row.size(); ++s) count += PointersOf(args, s);
  float** const lists = machine.lists.Get<float*>(count);
  float** next = lists;
  for (std::size_t s = 0; s < args.slice_first_row.size(); ++s) {
    const std::int64_t first = args.slice_first_row[s];
    const std::int64_t end = first + args.slice_row_count[s];
    for (std::int64_t t = first; t < end; ++t) *next++ = F32Row(args.streams, t);
    for (std::int64_t t = first; t < end; ++t) *next++ = F32Row(args.value, t);
    for (std::int64_t t = first - ConvWindow(args); t < end; ++t) *next++ = NormedAt(args, s, t);
  }
  return lists;
}

void Convolve(const SimdKernels& simd, const EngramConvArgs& args, float** lists,
              std::int64_t begin, std::int64_t end) {
  for (std::size_t s = 0; s < args.slice_first_row.size(); ++s) {
    const int rows = args.slice_row_count[s];
    simd.conv({.streams = lists,
               .value = lists + rows,
               .history = lists + 2 * rows,
               .weight = args.conv_weight.as<float>(),
               .weight_stride = args.conv_weight.stride,
               .begin = begin,
               .end = end,
               .rows = rows,
               .taps = static_cast<int>(args.conv_weight.cols),
               .dilation = args.dilation});
    lists += PointersOf(args, s);
  }
}

// All windows are read before the first is written: one may reach back into the very entry that
// another replaces. A few columns at a time, so that what is read stays in the cache.
void StoreWindows(Scratch& scratch, const EngramConvArgs& args, std::int64_t begin,
                  std::int64_t end) {
  constexpr std::int64_t kColumns = 128;
  const std::int64_t window = ConvWindow(args);
  const std::size_t writes = args.write_slice.size();
  auto* const windows = scratch.Get<float>(writes * static_cast<std::size_t>(window * kColumns));
  for (std::int64_t c = begin; c < end; c += kColumns) {
    const std::int64_t columns = std::min(kColumns, end - c);
    float* to = windows;
    for (std::size_t w = 0; w < writes; ++w) {
      for (std::int64_t i = 0; i < window; ++i) {
        const std::int64_t row = args.write_after_row[w] - (window - 1 - i);
        to = std::copy_n(NormedAt(args, args.write_slice[w], row) + c, columns, to);
      }
    }
    const float* from = windows;
    for (std::size_t w = 0; w < writes; ++w) {
      for (std::int64_t i = 0; i < window; ++i, from += columns) {
        std::copy_n(from, columns, F32Row(args.state, args.write_entry[w] * window + i) + c);
      }
    }
  }
}

}  // namespace

void EngramConv(Machine& machine, const EngramConvArgs& args) {
  CheckArgs(args);
  CHECK_LE(args.conv_weight.cols, kConvTapsMax);
  NormaliseValues(machine, args);
  float** const lists = ListRows(machine, args);
  machine.pool.ForRanges(args.streams.cols, RowGrain(args.streams.rows),
                         [&](std::int64_t begin, std::int64_t end, int thread) {
                           Convolve(*machine.simd, args, lists, begin, end);
                           StoreWindows(machine.own[thread], args, begin, end);
                         });
}

}  // namespace engram::cpu
