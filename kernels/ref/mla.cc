// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "kernels/host_memory.h"
#include "kernels/op_checks.h"
#include "kernels/ref/ref_ops.h"
#include "kernels/ref/scalar.h"

namespace engram::ref {

void Rope(const RopeArgs& args) {
  CheckArgs(args);
  const int half = args.rope_dim / 2;
  for (std::int64_t t = 0; t < args.x.rows; ++t) {
    const float* cos = F32Row(args.cos_sin, IndexAt(args.positions, t, args.cos_sin.rows));
    const float* sin = cos + half;
    for (int h = 0; h < args.heads; ++h) {
      float* x = F32Row(args.x, t) + std::int64_t{h} * args.head_stride + args.offset;
      for (int i = 0; i < half; ++i) {
        float& first = args.interleaved ? x[2 * i] : x[i];
        float& second = args.interleaved ? x[2 * i + 1] : x[i + half];
        const double a = first;
        const double b = second;
        first = static_cast<float>(a * cos[i] - b * sin[i]);
        second = static_cast<float>(a * sin[i] + b * cos[i]);
      }
    }
  }
}

void MlaWriteCache(const MlaWriteCacheArgs& args) {
  CheckArgs(args);
  for (std::int64_t t = 0; t < args.latent.rows; ++t) {
    float* slot = F32Row(args.cache, IndexAt(args.slots, t, args.cache.rows));
    slot = std::copy_n(F32Row(args.latent, t), args.latent.cols, slot);
    std::copy_n(F32Row(args.k_pe, t), args.k_pe.cols, slot);
  }
}

void MlaAbsorbQuery(const MlaAbsorbQueryArgs& args) {
  CheckArgs(args);
  const std::int64_t kv_lora = args.kv_b.cols;
  std::vector<float> weight(kv_lora);
  std::vector<double> sum(kv_lora);
  for (std::int64_t t = 0; t < args.out.rows; ++t) {
    for (std::int64_t h = 0; h < args.heads; ++h) {
      const float* q = F32Row(args.q, t) + h * (args.nope + args.rope);
      std::fill(sum.begin(), sum.end(), 0.0);
      for (std::int64_t i = 0; i < args.nope; ++i) {
        WidenRow(args.kv_b, h * (args.nope + args.v) + i, weight.data());
        for (std::int64_t c = 0; c < kv_lora; ++c) sum[c] += static_cast<double>(q[i]) * weight[c];
      }
      std::copy(sum.begin(), sum.end(), F32Row(args.out, t) + h * kv_lora);
    }
  }
}

void MlaAttention(const MlaAttentionArgs& args) {
  CheckArgs(args);
  std::vector<double> scores;
  std::vector<double> sum(args.kv_lora);
  for (std::int64_t t = 0; t < args.out.rows; ++t) {
    const std::int64_t sequence = IndexAt(args.sequence, t, args.block_tables.rows);
    const std::int64_t reach = args.block_tables.cols * args.block_size;
    const std::int64_t count = IndexAt(args.positions, t, reach) + 1;
    const Tensor table = args.block_tables.Rows(sequence, 1);
    const auto entry = [&](std::int64_t p) {  // [kv_lora + rope] of position p
      const std::int64_t blocks = args.cache.rows / args.block_size;
      const std::int64_t block = IndexAt(table, p / args.block_size, blocks);
      return F32Row(args.cache, block * args.block_size + p % args.block_size);
    };
    for (std::int64_t h = 0; h < args.heads; ++h) {
      const float* q_latent = F32Row(args.q_latent, t) + h * args.kv_lora;
      const float* q_pe = F32Row(args.q, t) + h * (args.nope + args.rope) + args.nope;
      scores.resize(count);
      for (std::int64_t p = 0; p < count; ++p) {
        const float* c = entry(p);
        const float* k_pe = c + args.kv_lora;
        scores[p] =
            (Dot(q_latent, c, args.kv_lora) + Dot(q_pe, k_pe, args.rope)) * double{args.scale};
      }
      const double highest = *std::max_element(scores.begin(), scores.end());
      double total = 0;
      std::fill(sum.begin(), sum.end(), 0.0);
      for (std::int64_t p = 0; p < count; ++p) {
        const double weight = std::exp(scores[p] - highest);
        total += weight;
        const float* c = entry(p);
        for (std::int64_t i = 0; i < args.kv_lora; ++i) sum[i] += weight * c[i];
      }
      float* out = F32Row(args.out, t) + h * args.kv_lora;
      for (std::int64_t i = 0; i < args.kv_lora; ++i) out[i] = static_cast<float>(sum[i] / total);
    }
  }
}

void MlaProjectValues(const MlaProjectValuesArgs& args) {
  CheckArgs(args);
  const std::int64_t kv_lora = args.kv_b.cols;
  std::vector<float> weight(kv_lora);
  for (std::int64_t h = 0; h < args.heads; ++h) {
    for (std::int64_t i = 0; i < args.v; ++i) {
      WidenRow(args.kv_b, h * (args.nope + args.v) + args.nope + i, weight.data());
      for (std::int64_t t = 0; t < args.out.rows; ++t) {
        const float* o_latent = F32Row(args.o_latent, t) + h * kv_lora;
        F32Row(args.out, t)[h * args.v + i] =
            static_cast<float>(Dot(o_latent, weight.data(), kv_lora));
      }
    }
  }
}

}  // namespace engram::ref
