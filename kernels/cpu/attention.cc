// SPDX-License-Identifier: Apache-2.0
// Absorbed attention over the paged latent cache. The order of every sum depends on positions
// alone: a row's past is cut into segments from position 0, a segment into tiles; within a segment
// the softmax runs on from tile to tile, and the segments' results are folded in ascending order.
// Who computes which segment of which heads is free, so that few rows with a long past keep all
// threads busy and many rows need no second pass.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/op_checks.h"

namespace engram::cpu {
namespace {

constexpr int kTile = kSoftmaxTile;
constexpr std::int64_t kSegment = 1024;  // positions
// Partial results that may lie in shared scratch at a time.
constexpr std::int64_t kPartialFloatsMax = std::int64_t{16} << 20;

constexpr auto kTileColumns = [] {
  std::array<std::int64_t, kTile> columns;
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}();

std::int64_t CeilDiv(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

struct HeadGroup {
  std::int64_t row;
  int first;
  int count;  // ≤ kDotRowsMax
};

// One thread's memory for a group of heads.
struct GroupScratch {
  float*
      query;  // [kDotRowsMax, kv_lora + rope]: q' and q_pe side by side, as the cache has c, k_pe
  float* scores;  // [kDotRowsMax, kTile]
  float* part;    // [kDotRowsMax, kv_lora]: a segment's sums before they are folded

  static GroupScratch Of(Scratch& scratch, const MlaAttentionArgs& args) {
    const std::int64_t width = args.kv_lora + args.rope;
    auto* floats = scratch.Get<float>(kDotRowsMax * (width + kTile + args.kv_lora));
    return {.query = floats,
            .scores = floats + kDotRowsMax * width,
            .part = floats + kDotRowsMax * (width + kTile)};
  }
};

std::int64_t RowLength(const MlaAttentionArgs& args, std::int64_t row) {
  return IndexAt(args.positions, row, args.block_tables.cols * args.block_size) + 1;
}

void LoadQueries(const MlaAttentionArgs& args, const HeadGroup& group, float* query) {
  for (int i = 0; i < group.count; ++i) {
    const std::int64_t h = group.first + i;
    const float* q = F32Row(args.q, group.row) + h * (args.nope + args.rope);
    query = std::copy_n(F32Row(args.q_latent, group.row) + h * args.kv_lora, args.kv_lora, query);
    query = std::copy_n(q + args.nope, args.rope, query);
  }
}

// The cache rows of positions [begin, begin + count) of the row's sequence.
void LocateTile(const MlaAttentionArgs& args, std::int64_t row, std::int64_t begin, int count,
                const void** entries) {
  const std::int64_t sequence = IndexAt(args.sequence, row, args.block_tables.rows);
  const Tensor table = args.block_tables.Rows(sequence, 1);
  const std::int64_t blocks = args.cache.rows / args.block_size;
  for (int i = 0; i < count; ++i) {
    const std::int64_t p = begin + i;
    const std::int64_t block = IndexAt(table, p / args.block_size, blocks);
    entries[i] = F32Row(args.cache, block * args.block_size + p % args.block_size);
  }
}

// One segment: out(i) = Σ_p e^(score − highest) · c_p and states[i] for the heads of the group.
// `scratch.query` holds their queries.
template <typename OutRow>
void AttendSegment(const SimdKernels& simd, const MlaAttentionArgs& args, const HeadGroup& group,
                   std::int64_t segment, const GroupScratch& scratch, const OutRow& out,
                   SoftmaxState* states) {
  const void* entries[kTile];
  const float* query_rows[kDotRowsMax];
  const float* factor_rows[kDotRowsMax];
  float* score_rows[kDotRowsMax];
  float* out_rows[kDotRowsMax];
  float keep[kDotRowsMax];
  for (int i = 0; i < group.count; ++i) {
    query_rows[i] = scratch.query + i * (args.kv_lora + args.rope);
    factor_rows[i] = score_rows[i] = scratch.scores + i * kTile;
    out_rows[i] = out(i);
  }
  const std::int64_t start = segment * kSegment;
  const std::int64_t end = std::min(start + kSegment, RowLength(args, group.row));
  for (std::int64_t p = start; p < end; p += kTile) {
    const int count = static_cast<int>(std::min<std::int64_t>(kTile, end - p));
    LocateTile(args, group.row, p, count, entries);
    simd.dot[kWeightF32]({.out = score_rows,
                          .x = query_rows,
                          .w = entries,
                          .column = kTileColumns.data(),
                          .bias = nullptr,
                          .rows = group.count,
                          .cols = count,
                          .depth = args.kv_lora + args.rope});
    for (int i = 0; i < group.count; ++i) {
      simd.softmax_tile(score_rows[i], count, args.scale, p == start, &states[i]);
      keep[i] = states[i].keep;
    }
    simd.accumulate[kWeightF32]({.out = out_rows,
                                 .keep = p == start ? nullptr : keep,
                                 .factor = factor_rows,
                                 .w = entries,
                                 .rows = group.count,
                                 .depth = count,
                                 .cols = args.kv_lora});
  }
}

// Adds the next segment's result to what is there of the segments before.
void Fold(const SimdKernels& simd, float* sum, SoftmaxState& state, const float* part,
          const SoftmaxState& part_state, std::int64_t count) {
  const float highest = std::max(state.highest, part_state.highest);
  const float keep = std::exp(state.highest - highest);
  const float factor = std::exp(part_state.highest - highest);
  simd.blend(sum, keep, part, factor, count);
  state = {.highest = highest, .total = state.total * keep + part_state.total * factor, .keep = 0};
}

float* OutHead(const MlaAttentionArgs& args, std::int64_t row, std::int64_t head) {
  return F32Row(args.out, row) + head * args.kv_lora;
}

// All of a group's segments on one thread.
void AttendGroup(Machine& machine, int thread, const MlaAttentionArgs& args,
                 const HeadGroup& group) {
  const SimdKernels& simd = *machine.simd;
  const GroupScratch scratch = GroupScratch::Of(machine.own[thread], args);
  SoftmaxState states[kDotRowsMax];
  SoftmaxState part_states[kDotRowsMax];
  LoadQueries(args, group, scratch.query);
  const auto out = [&](int i) { return OutHead(args, group.row, group.first + i); };
  const auto part = [&](int i) { return scratch.part + i * args.kv_lora; };
  AttendSegment(simd, args, group, 0, scratch, out, states);
  for (std::int64_t s = 1; s < CeilDiv(RowLength(args, group.row), kSegment); ++s) {
    AttendSegment(simd, args, group, s, scratch, part, part_states);
    for (int i = 0; i < group.count; ++i) {
      Fold(simd, out(i), states[i], part(i), part_states[i], args.kv_lora);
    }
  }
  for (int i = 0; i < group.count; ++i) {
    simd.scale(out(i), out(i), nullptr, 1.0f / states[i].total, args.kv_lora);
  }
}

// Calls body(group, thread) for all heads of all rows; the threads' shares have like costs.
template <typename Body>
void ForGroups(Machine& machine, const MlaAttentionArgs& args, int heads_per_group,
               const Body& body) {
  const std::int64_t groups = CeilDiv(args.heads, heads_per_group);
  std::int64_t total = 0;
  for (std::int64_t t = 0; t < args.out.rows; ++t) total += RowLength(args, t) * groups;
  machine.pool.Run([&](int thread) {
    std::int64_t done = 0;
    for (std::int64_t t = 0; t < args.out.rows; ++t) {
      const std::int64_t cost = RowLength(args, t);
      for (std::int64_t g = 0; g < groups; ++g, done += cost) {
        if ((2 * done + cost) * machine.pool.threads() / (2 * total) != thread) continue;
        const int first = static_cast<int>(g) * heads_per_group;
        body(HeadGroup{t, first, std::min(heads_per_group, args.heads - first)}, thread);
      }
    }
  });
}

// Rows [first, first + count), each segment a task of its own, then the fold.
void AttendSegments(Machine& machine, const MlaAttentionArgs& args, std::int64_t first,
                    std::int64_t count, std::int64_t segments) {
  const SimdKernels& simd = *machine.simd;
  const std::int64_t heads = args.heads;
  const std::int64_t parts = count * segments * heads;
  auto* const sums = machine.shared.Get<float>(parts * (args.kv_lora + 4));
  auto* const states = reinterpret_cast<SoftmaxState*>(sums + parts * args.kv_lora);
  const auto part = [&](std::int64_t row, std::int64_t segment, std::int64_t head) {
    return ((row - first) * segments + segment) * heads + head;
  };
  machine.pool.ForRanges(
      count * segments, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
        const GroupScratch scratch = GroupScratch::Of(machine.own[thread], args);
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t row = first + i / segments;
          const std::int64_t segment = i % segments;
          if (segment * kSegment >= RowLength(args, row)) continue;
          for (int h = 0; h < args.heads; h += kDotRowsMax) {
            const HeadGroup group = {row, h, std::min(kDotRowsMax, args.heads - h)};
            LoadQueries(args, group, scratch.query);
            const std::int64_t at = part(row, segment, h);
            AttendSegment(
                simd, args, group, segment, scratch,
                [&](int j) { return sums + (at + j) * args.kv_lora; }, states + at);
          }
        }
      });
  machine.pool.ForRanges(count * heads, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = first + i / heads;
      float* sum = sums + part(row, 0, i % heads) * args.kv_lora;
      SoftmaxState state = states[part(row, 0, i % heads)];
      for (std::int64_t s = 1; s < CeilDiv(RowLength(args, row), kSegment); ++s) {
        const std::int64_t at = part(row, s, i % heads);
        Fold(simd, sum, state, sums + at * args.kv_lora, states[at], args.kv_lora);
      }
      simd.scale(OutHead(args, row, i % heads), sum, nullptr, 1.0f / state.total, args.kv_lora);
    }
  });
}

}  // namespace

void MlaAttention(Machine& machine, const MlaAttentionArgs& args) {
  CheckArgs(args);
  const std::int64_t rows = args.out.rows;
  if (rows == 0) return;
  const std::int64_t threads = machine.pool.threads();
  std::int64_t longest = 0;
  for (std::int64_t t = 0; t < rows; ++t) longest = std::max(longest, RowLength(args, t));
  const std::int64_t segments = CeilDiv(longest, kSegment);
  if (segments == 1 || threads == 1 || rows >= 4 * threads) {
    // As many heads together as share a cache row in the registers, yet something for every thread.
    const std::int64_t groups_wanted = CeilDiv(threads, rows);
    const std::int64_t heads = std::clamp<std::int64_t>(args.heads / groups_wanted, 1, kDotRowsMax);
    ForGroups(machine, args, static_cast<int>(heads), [&](const HeadGroup& group, int thread) {
      AttendGroup(machine, thread, args, group);
    });
    return;
  }
  const std::int64_t floats_per_row = segments * args.heads * (args.kv_lora + 4);
  const std::int64_t batch = std::clamp<std::int64_t>(kPartialFloatsMax / floats_per_row, 1, rows);
  for (std::int64_t first = 0; first < rows; first += batch) {
    AttendSegments(machine, args, first, std::min(batch, rows - first), segments);
  }
}

}  // namespace engram::cpu
