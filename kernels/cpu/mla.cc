// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/op_checks.h"

namespace engram::cpu {
namespace {

void RotatePairs(float* x, const float* cos, const float* sin, int half, bool interleaved) {
  const int step = interleaved ? 2 : 1;
  const int partner = interleaved ? 1 : half;
  for (int i = 0; i < half; ++i) {
    const float a = x[i * step];
    const float b = x[i * step + partner];
    x[i * step] = a * cos[i] - b * sin[i];
    x[i * step + partner] = a * sin[i] + b * cos[i];
  }
}

// Calls body(head, begin, end) so that every head meets every row once. Heads first: a
// thread then reads its own part of kv_b only. Rows are cut where there are more threads than
// heads.
template <typename Body>
void ForHeadsAndRows(Machine& machine, int heads, std::int64_t rows, std::int64_t grain,
                     const Body& body) {
  const std::int64_t row_parts =
      std::clamp<std::int64_t>(machine.pool.threads() / heads, 1, std::max<std::int64_t>(1, rows));
  machine.pool.ForRanges(heads * row_parts, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t part = i % row_parts;
      body(i / row_parts, rows * part / row_parts, rows * (part + 1) / row_parts);
    }
  });
}

}  // namespace

void Rope(Machine& machine, const RopeArgs& args) {
  CheckArgs(args);
  const int half = args.rope_dim / 2;
  machine.pool.ForRanges(
      args.x.rows, RowGrain(std::int64_t{4} * args.heads * args.rope_dim),
      [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t t = begin; t < end; ++t) {
          const float* cos = F32Row(args.cos_sin, IndexAt(args.positions, t, args.cos_sin.rows));
          for (int h = 0; h < args.heads; ++h) {
            float* x = F32Row(args.x, t) + std::int64_t{h} * args.head_stride + args.offset;
            RotatePairs(x, cos, cos + half, half, args.interleaved);
          }
        }
      });
}

void MlaWriteCache(Machine&, const MlaWriteCacheArgs& args) {
  CheckArgs(args);
  for (std::int64_t t = 0; t < args.latent.rows; ++t) {
    float* slot = F32Row(args.cache, IndexAt(args.slots, t, args.cache.rows));
    slot = std::copy_n(F32Row(args.latent, t), args.latent.cols, slot);
    std::copy_n(F32Row(args.k_pe, t), args.k_pe.cols, slot);
  }
}

void MlaAbsorbQuery(Machine& machine, const MlaAbsorbQueryArgs& args) {
  CheckArgs(args);
  const std::int64_t kv_lora = args.kv_b.cols;
  ForHeadsAndRows(
      machine, args.heads, args.out.rows, RowGrain(args.nope * kv_lora / 4),
      [&](std::int64_t head, std::int64_t begin, std::int64_t end) {
        AccumulateRange(
            *machine.simd, begin, end,
            [&](std::int64_t t) { return F32Row(args.q, t) + head * (args.nope + args.rope); },
            [&](std::int64_t t) { return F32Row(args.out, t) + head * kv_lora; },
            args.kv_b.Rows(head * (args.nope + args.v), args.nope));
      });
}

void MlaProjectValues(Machine& machine, const MlaProjectValuesArgs& args) {
  CheckArgs(args);
  const std::int64_t kv_lora = args.kv_b.cols;
  ForHeadsAndRows(
      machine, args.heads, args.out.rows, RowGrain(args.v * kv_lora / 4),
      [&](std::int64_t head, std::int64_t begin, std::int64_t end) {
        DotRange(
            *machine.simd, end - begin,
            [&](std::int64_t r) { return F32Row(args.o_latent, begin + r) + head * kv_lora; },
            [&](std::int64_t r) { return F32Row(args.out, begin + r) + head * args.v; },
            args.kv_b.Rows(head * (args.nope + args.v) + args.nope, args.v), nullptr, 0, args.v);
      });
}

}  // namespace engram::cpu
