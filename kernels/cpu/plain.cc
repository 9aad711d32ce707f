// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/op_checks.h"

namespace engram::cpu {

void Embed(Machine& machine, const EmbedArgs& args) {
  CheckArgs(args);
  const std::int64_t cols = args.table.cols;
  machine.pool.ForRanges(args.out.rows, RowGrain(cols),
                         [&](std::int64_t begin, std::int64_t end, int) {
                           for (std::int64_t t = begin; t < end; ++t) {
                             const std::int64_t id = IndexAt(args.ids, t, args.table.rows);
                             machine.simd->widen[KindOf(args.table)](
                                 F32Row(args.out, t), WeightRow(args.table, id), cols);
                           }
                         });
}

void GatherRows(Machine& machine, const GatherRowsArgs& args) {
  CheckArgs(args);
  machine.pool.ForRanges(args.out.rows, RowGrain(args.x.cols),
                         [&](std::int64_t begin, std::int64_t end, int) {
                           for (std::int64_t r = begin; r < end; ++r) {
                             const std::int64_t row = IndexAt(args.index, r, args.x.rows);
                             std::copy_n(F32Row(args.x, row), args.x.cols, F32Row(args.out, r));
                           }
                         });
}

void RmsNorm(Machine& machine, const RmsNormArgs& args) {
  CheckArgs(args);
  const SimdKernels& simd = *machine.simd;
  const std::int64_t cols = args.x.cols;
  const float* weight = args.weight.empty() ? nullptr : args.weight.as<float>();
  machine.pool.ForRanges(
      args.x.rows, RowGrain(cols), [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t t = begin; t < end; ++t) {
          const float* x = F32Row(args.x, t);
          const float mean = simd.sum_squares(x, cols) / static_cast<float>(cols);
          simd.scale(F32Row(args.out, t), x, weight, 1.0f / std::sqrt(mean + args.eps), cols);
        }
      });
}

void MatMul(Machine& machine, const MatMulArgs& args) {
  CheckArgs(args);
  const std::int64_t rows = args.x.rows;
  const std::int64_t cols = args.weight.rows;
  const float* bias = args.bias.empty() ? nullptr : args.bias.as<float>();
  // A grid of threads: as many column ranges as keep the inner loops' tiles whole, since then each
  // weight is read by one thread alone; rows are cut only when the threads are not used up by that.
  constexpr std::int64_t kColsPerThread = 16;
  constexpr std::int64_t kMultipliesPerThread = 32768;
  const std::int64_t threads = std::clamp<std::int64_t>(
      rows * cols * args.x.cols / kMultipliesPerThread, 1, machine.pool.threads());
  const std::int64_t col_parts = std::clamp<std::int64_t>(cols / kColsPerThread, 1, threads);
  const std::int64_t row_parts =
      std::clamp<std::int64_t>(threads / col_parts, 1, std::max<std::int64_t>(rows, 1));
  const auto run = [&](std::int64_t part) {
    const std::int64_t row_part = part / col_parts;
    const std::int64_t col_part = part % col_parts;
    const std::int64_t row = rows * row_part / row_parts;
    DotRange(
        *machine.simd, rows * (row_part + 1) / row_parts - row,
        [&](std::int64_t r) { return F32Row(args.x, row + r); },
        [&](std::int64_t r) { return F32Row(args.out, row + r); }, args.weight, bias,
        cols * col_part / col_parts, cols * (col_part + 1) / col_parts);
  };
  if (col_parts * row_parts == 1) return run(0);
  machine.pool.Run([&](int thread) {
    if (thread < col_parts * row_parts) run(thread);
  });
}

void SiluMul(Machine& machine, const SiluMulArgs& args) {
  CheckArgs(args);
  machine.pool.ForRanges(args.out.rows, RowGrain(args.out.cols),
                         [&](std::int64_t begin, std::int64_t end, int) {
                           for (std::int64_t t = begin; t < end; ++t) {
                             machine.simd->silu_mul(F32Row(args.out, t), F32Row(args.gate, t),
                                                    F32Row(args.up, t), args.out.cols);
                           }
                         });
}

void Add(Machine& machine, const AddArgs& args) {
  CheckArgs(args);
  machine.pool.ForRanges(
      args.out.rows, RowGrain(args.out.cols), [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t t = begin; t < end; ++t) {
          machine.simd->add(F32Row(args.out, t), F32Row(args.x, t), args.out.cols);
        }
      });
}

}  // namespace engram::cpu
