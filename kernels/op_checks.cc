// SPDX-License-Identifier: Apache-2.0
#include "kernels/op_checks.h"

#include <cstdint>
#include <string>

namespace engram {
namespace {

std::string Show(const Tensor& t) {
  return std::string(DTypeName(t.dtype)) + " [" + std::to_string(t.rows) + ", " +
         std::to_string(t.cols) + "] stride " + std::to_string(t.stride);
}

void CheckShape(const char* name, const Tensor& t, std::int64_t rows, std::int64_t cols) {
  const bool ok = t.rows == rows && t.cols == cols && t.stride >= cols &&
                  (t.data != nullptr || rows == 0 || cols == 0);
  CHECK_MSG(ok, std::string(name) + " is " + (t.empty() ? "empty" : Show(t)) + ", expected [" +
                    std::to_string(rows) + ", " + std::to_string(cols) + "]");
}

void CheckF32(const char* name, const Tensor& t, std::int64_t rows, std::int64_t cols) {
  CheckShape(name, t, rows, cols);
  CHECK_MSG(t.dtype == DType::kF32, std::string(name) + " is " + Show(t) + ", expected f32");
}

void CheckI32(const char* name, const Tensor& t, std::int64_t rows, std::int64_t cols) {
  CheckShape(name, t, rows, cols);
  CHECK_MSG(t.dtype == DType::kI32, std::string(name) + " is " + Show(t) + ", expected i32");
}

void CheckWeight(const char* name, const Tensor& t, std::int64_t rows, std::int64_t cols) {
  CheckShape(name, t, rows, cols);
  CHECK_MSG(t.dtype == DType::kF32 || t.dtype == DType::kBF16 || t.dtype == DType::kF16,
            std::string(name) + " is " + Show(t) + ", expected f32, bf16 or f16");
}

}  // namespace

void CheckArgs(const EmbedArgs& args) {
  CheckI32("ids", args.ids, 1, args.out.rows);
  CheckF32("out", args.out, args.ids.cols, args.table.cols);
  CheckWeight("table", args.table, args.table.rows, args.out.cols);
}

void CheckArgs(const GatherRowsArgs& args) {
  CheckI32("index", args.index, 1, args.out.rows);
  CheckF32("out", args.out, args.index.cols, args.x.cols);
  CheckF32("x", args.x, args.x.rows, args.out.cols);
}

void CheckArgs(const RmsNormArgs& args) {
  CheckF32("out", args.out, args.x.rows, args.x.cols);
  CheckF32("x", args.x, args.out.rows, args.out.cols);
  if (!args.weight.empty()) CheckF32("weight", args.weight, 1, args.x.cols);
}

void CheckArgs(const MatMulArgs& args) {
  CheckF32("x", args.x, args.x.rows, args.weight.cols);
  CheckWeight("weight", args.weight, args.out.cols, args.x.cols);
  CheckF32("out", args.out, args.x.rows, args.weight.rows);
  if (!args.bias.empty()) CheckF32("bias", args.bias, 1, args.weight.rows);
}

void CheckArgs(const SiluMulArgs& args) {
  CheckF32("out", args.out, args.gate.rows, args.gate.cols);
  CheckF32("gate", args.gate, args.out.rows, args.out.cols);
  CheckF32("up", args.up, args.out.rows, args.out.cols);
}

void CheckArgs(const AddArgs& args) {
  CheckF32("out", args.out, args.x.rows, args.x.cols);
  CheckF32("x", args.x, args.out.rows, args.out.cols);
}

void CheckArgs(const RopeArgs& args) {
  CHECK(args.rope_dim > 0 && args.rope_dim % 2 == 0);
  CHECK(args.offset >= 0 && args.offset + args.rope_dim <= args.head_stride);
  CheckF32("x", args.x, args.x.rows, std::int64_t{args.heads} * args.head_stride);
  CheckI32("positions", args.positions, 1, args.x.rows);
  CheckF32("cos_sin", args.cos_sin, args.cos_sin.rows, args.rope_dim);
}

void CheckArgs(const MlaWriteCacheArgs& args) {
  CheckF32("latent", args.latent, args.k_pe.rows, args.latent.cols);
  CheckF32("k_pe", args.k_pe, args.latent.rows, args.k_pe.cols);
  CheckF32("cache", args.cache, args.cache.rows, args.latent.cols + args.k_pe.cols);
  CheckI32("slots", args.slots, 1, args.latent.rows);
}

void CheckArgs(const MlaAbsorbQueryArgs& args) {
  const std::int64_t heads = args.heads;
  CHECK(heads > 0 && args.nope > 0 && args.v > 0);
  CheckWeight("kv_b", args.kv_b, heads * (args.nope + args.v), args.kv_b.cols);
  CheckF32("q", args.q, args.out.rows, heads * (args.nope + args.rope));
  CheckF32("out", args.out, args.q.rows, heads * args.kv_b.cols);
}

void CheckArgs(const MlaAttentionArgs& args) {
  const std::int64_t rows = args.out.rows;
  const std::int64_t heads = args.heads;
  CHECK(heads > 0 && args.kv_lora > 0 && args.rope >= 0 && args.block_size > 0);
  CheckF32("out", args.out, rows, heads * args.kv_lora);
  CheckF32("q_latent", args.q_latent, rows, heads * args.kv_lora);
  CheckF32("q", args.q, rows, heads * (args.nope + args.rope));
  CheckF32("cache", args.cache, args.cache.rows, args.kv_lora + args.rope);
  CHECK_EQ(args.cache.rows % args.block_size, 0);
  CheckI32("positions", args.positions, 1, rows);
  CheckI32("sequence", args.sequence, 1, rows);
  CheckI32("block_tables", args.block_tables, args.block_tables.rows, args.block_tables.cols);
}

void CheckArgs(const MlaProjectValuesArgs& args) {
  const std::int64_t heads = args.heads;
  CHECK(heads > 0 && args.nope > 0 && args.v > 0);
  CheckWeight("kv_b", args.kv_b, heads * (args.nope + args.v), args.kv_b.cols);
  CheckF32("o_latent", args.o_latent, args.out.rows, heads * args.kv_b.cols);
  CheckF32("out", args.out, args.o_latent.rows, heads * args.v);
}

void CheckArgs(const MoeRouteArgs& args) {
  const std::int64_t experts = args.logits.cols;
  CheckF32("logits", args.logits, args.indices.rows, experts);
  CheckI32("indices", args.indices, args.logits.rows, args.weights.cols);
  CheckF32("weights", args.weights, args.logits.rows, args.indices.cols);
  if (!args.bias.empty()) CheckF32("bias", args.bias, 1, experts);
  CHECK(args.n_group > 0 && experts % args.n_group == 0);
  CHECK(args.topk_group > 0 && args.topk_group <= args.n_group);
  CHECK_LE(args.indices.cols, experts / args.n_group * args.topk_group);
}

void CheckArgs(const MoeExpertsArgs& args) {
  const std::int64_t rows = args.x.rows;
  const std::int64_t top_k = args.indices.cols;
  CHECK(!args.experts.empty());
  const std::int64_t inner = args.experts[0].gate.rows;
  const std::int64_t hidden = args.x.cols;
  CheckF32("x", args.x, rows, hidden);
  CheckF32("out", args.out, rows, hidden);
  CheckI32("indices", args.indices, rows, top_k);
  CheckF32("weights", args.weights, rows, top_k);
  CheckF32("workspace", args.workspace, rows * top_k, 2 * inner + hidden);
  for (const ExpertWeights& expert : args.experts) {
    CheckWeight("gate", expert.gate, inner, hidden);
    CheckWeight("up", expert.up, inner, hidden);
    CheckWeight("down", expert.down, hidden, inner);
  }
}

void CheckArgs(const StreamsExpandArgs& args) {
  CHECK_GT(args.n, 0);
  CheckF32("x", args.x, args.streams.rows, args.x.cols);
  CheckF32("streams", args.streams, args.x.rows, args.n * args.x.cols);
}

void CheckArgs(const StreamsSumArgs& args) {
  CHECK_GT(args.n, 0);
  CheckF32("out", args.out, args.streams.rows, args.out.cols);
  CheckF32("streams", args.streams, args.out.rows, args.n * args.out.cols);
}

void CheckArgs(const HcPreArgs& args) {
  const std::int64_t n = args.n;
  const std::int64_t rows = args.out.rows;
  CHECK(n > 0 && args.sinkhorn_iters > 0);
  CheckF32("out", args.out, rows, args.out.cols);
  CheckF32("streams", args.streams, rows, n * args.out.cols);
  CheckF32("post", args.post, rows, n);
  CheckF32("comb", args.comb, rows, n * n);
  CheckF32("fn", args.fn, (2 + n) * n, n * args.out.cols);
  CheckF32("base", args.base, 1, (2 + n) * n);
  CheckF32("scale", args.scale, 1, 3);
}

void CheckArgs(const HcPostArgs& args) {
  const std::int64_t n = args.n;
  const std::int64_t rows = args.streams.rows;
  CHECK_GT(n, 0);
  CheckF32("x", args.x, rows, args.x.cols);
  CheckF32("streams", args.streams, rows, n * args.x.cols);
  CheckF32("post", args.post, rows, n);
  CheckF32("comb", args.comb, rows, n * n);
}

void CheckArgs(const HcHeadArgs& args) {
  const std::int64_t n = args.n;
  CHECK_GT(n, 0);
  CheckF32("out", args.out, args.streams.rows, args.out.cols);
  CheckF32("streams", args.streams, args.out.rows, n * args.out.cols);
  CheckF32("fn", args.fn, n, n * args.out.cols);
  CheckF32("base", args.base, 1, n);
  CheckF32("scale", args.scale, 1, 1);
}

void CheckArgs(const EngramDecodeRowsArgs& args) {
  const EngramRowFormat& format = args.format;
  CHECK_GT(format.head_dim, 0);
  CHECK_EQ(args.out.cols % format.head_dim, 0);
  const std::int64_t lookups = args.out.cols / format.head_dim;
  CheckF32("out", args.out, args.out.rows, args.out.cols);
  CheckShape("rows", args.rows, args.out.rows * lookups,
             static_cast<std::int64_t>(format.row_bytes()));
  CHECK_MSG(args.rows.dtype == DType::kU8, "rows are " + Show(args.rows) + ", expected u8");
  CHECK_MSG(IsDecodable(format), "rows of " + std::string(DTypeName(format.dtype)) +
                                     ", a scale of " + std::string(DTypeName(format.scale_dtype)) +
                                     " for " + std::to_string(format.scale_block));
  // What is read as whole elements lies on whole elements.
  CHECK(format.scaled() || args.rows.stride % DTypeBytes(format.dtype) == 0);
}

void CheckArgs(const EngramGateArgs& args) {
  const std::int64_t n = args.n;
  CHECK(n > 0 && args.value.cols % n == 0);
  const std::int64_t rows = args.value.rows;
  const std::int64_t hidden = args.value.cols / n;
  CheckF32("gates", args.gates, rows, n);
  CheckF32("value", args.value, rows, n * hidden);
  CheckF32("streams", args.streams, rows, n * hidden);
  CheckF32("kv", args.kv, rows, (n + 1) * hidden);
  CheckF32("q_weight", args.q_weight, 1, n * hidden);
  CheckF32("k_weight", args.k_weight, 1, n * hidden);
  CheckI32("enabled", args.enabled, 1, rows);
}

void CheckArgs(const EngramConvArgs& args) {
  const std::int64_t rows = args.streams.rows;
  const std::int64_t channels = args.streams.cols;
  CHECK(args.n > 0 && args.dilation > 0 && channels % args.n == 0);
  CheckF32("streams", args.streams, rows, channels);
  CheckF32("value", args.value, rows, channels);
  CheckF32("norm_weight", args.norm_weight, 1, channels);
  CheckF32("conv_weight", args.conv_weight, channels, args.conv_weight.cols);
  CheckF32("state", args.state, args.state.rows, channels);
  CheckF32("normed", args.normed, rows, channels);
  const std::int64_t window = ConvWindow(args);
  CHECK_GE(window, 0);
  CHECK(window == 0 || args.state.rows % window == 0);
  const std::int64_t entries = window == 0 ? INT32_MAX : args.state.rows / window;
  const std::size_t slices = args.slice_first_row.size();
  CHECK_EQ(args.slice_row_count.size(), slices);
  CHECK_EQ(args.slice_source.size(), slices);
  for (std::size_t s = 0; s < slices; ++s) {
    CHECK(args.slice_first_row[s] >= 0 && args.slice_row_count[s] >= 0);
    CHECK_LE(args.slice_first_row[s] + args.slice_row_count[s], rows);
    CHECK(args.slice_source[s] >= 0 && args.slice_source[s] < entries);
  }
  CHECK_EQ(args.write_after_row.size(), args.write_slice.size());
  CHECK_EQ(args.write_entry.size(), args.write_slice.size());
  for (std::size_t w = 0; w < args.write_slice.size(); ++w) {
    const std::int32_t slice = args.write_slice[w];
    CHECK(slice >= 0 && static_cast<std::size_t>(slice) < slices);
    const std::int32_t row = args.write_after_row[w] - args.slice_first_row[slice];
    CHECK(row >= 0 && row < args.slice_row_count[slice]);
    CHECK(args.write_entry[w] > 0 && args.write_entry[w] < entries);
  }
}

}  // namespace engram
