// SPDX-License-Identifier: Apache-2.0
#include "engine/model/engram_layer.h"

namespace engram {
namespace {

// streams += silu(conv(norm(value))) + value
void AddConvolved(const ModelConfig& config, const EngramLayerArgs& args, const Tensor& value,
                  Backend* backend) {
  backend->EngramConv(Context{}, {.streams = args.streams,
                                  .value = value,
                                  .norm_weight = args.weights.conv_norm,
                                  .conv_weight = args.weights.conv,
                                  .state = args.conv_state,
                                  .normed = args.buffers.normed.Rows(0, value.rows),
                                  .slice_first_row = args.batch.slice_first_row,
                                  .slice_row_count = args.batch.slice_row_count,
                                  .slice_source = args.batch.slice_source,
                                  .write_slice = args.batch.write_slice,
                                  .write_after_row = args.batch.write_after_row,
                                  .write_entry = args.batch.write_entry,
                                  .n = config.hc_mult,
                                  .dilation = config.engram_conv_dilation,
                                  .eps = config.engram_conv_eps});
}

}  // namespace

EngramBuffers TakeEngramBuffers(const ModelConfig& config, std::size_t table_row_bytes, int rows,
                                Arena* arena) {
  const std::int64_t n = config.hc_mult;
  const std::int64_t width = config.hidden_size;
  EngramBuffers buffers;
  buffers.table_rows = arena->Take(DType::kU8, std::int64_t{rows} * config.engram.lookups(),
                                   static_cast<std::int64_t>(table_row_bytes));
  buffers.memory = arena->TakeF32(rows, config.engram.memory_dim());
  buffers.kv = arena->TakeF32(rows, (n + 1) * width);
  buffers.value = arena->TakeF32(rows, n * width);
  if (config.engram_kernel_size > 0) buffers.normed = arena->TakeF32(rows, n * width);
  return buffers;
}

void RunEngramLayer(const ModelConfig& config, const EngramLayerArgs& args, Backend* backend) {
  const Context context;
  const std::int64_t rows = args.streams.rows;
  const EngramRowFormat& format = args.table_format;
  const Tensor table_rows =
      MakeTensor(args.buffers.table_rows.data, DType::kU8, rows * config.engram.lookups(),
                 static_cast<std::int64_t>(format.row_bytes()));
  const Tensor memory = args.buffers.memory.Rows(0, rows);
  const Tensor kv = args.buffers.kv.Rows(0, rows);
  const Tensor value = args.buffers.value.Rows(0, rows);

  backend->CopyToDevice(context, table_rows, args.table_rows);
  backend->EngramDecodeRows(context, {.out = memory, .rows = table_rows, .format = format});
  backend->MatMul(
      context, {.out = kv, .x = memory, .weight = args.weights.kv, .bias = args.weights.kv_bias});
  backend->EngramGate(context, {.gates = args.gates,
                                .value = value,
                                .streams = args.streams,
                                .kv = kv,
                                .q_weight = args.weights.q_norm,
                                .k_weight = args.weights.k_norm,
                                .enabled = args.batch.engram_enabled,
                                .n = config.hc_mult,
                                .norm_eps = config.engram_norm_eps,
                                .gate_sqrt = config.engram_gate_sqrt});
  if (args.weights.conv.empty()) {
    backend->Add(context, {.out = args.streams, .x = value});
  } else {
    AddConvolved(config, args, value, backend);
  }
}

}  // namespace engram
