// SPDX-License-Identifier: Apache-2.0
// Engram at one layer (paper §2.2–2.4; spec A.4 – A.6): rows of the memory, gated by what the
// streams ask for, convolved over the sequence and added to the streams before the block's
// attention. Row ids and the gather are engine/engram's; here the rows are already on their way.
#pragma once

#include <cstddef>

#include "engine/model/arena.h"
#include "engine/model/deepseek_weights.h"
#include "engine/model/model.h"
#include "engine/model/model_config.h"
#include "kernels/backend.h"
#include "kernels/row_format.h"

namespace engram {

// Workspace for `rows` rows; nothing in it lives from one call to the next.
struct EngramBuffers {
  Tensor table_rows;  // [rows · H, table_row_bytes] u8
  Tensor memory;      // [rows, d_mem] f32
  Tensor kv;          // [rows, (n+1)·D] f32
  Tensor value;       // [rows, n·D] f32
  Tensor normed;      // [rows, n·D] f32; empty without the short convolution
};

// `table_row_bytes`: of the table whose rows are longest.
EngramBuffers TakeEngramBuffers(const ModelConfig& config, std::size_t table_row_bytes, int rows,
                                Arena* arena);

struct EngramLayerArgs {
  Tensor streams;               // [T, n·D] f32, in and out
  Tensor gates;                 // [T, n] f32 out
  Tensor conv_state;            // [entries · window, n·D] f32: this layer's
  const std::byte* table_rows;  // host, [T · H] rows of table_format
  EngramRowFormat table_format;
  const ModelBatch& batch;
  const EngramWeights& weights;
  const EngramBuffers& buffers;
};

void RunEngramLayer(const ModelConfig& config, const EngramLayerArgs& args, Backend* backend);

}  // namespace engram
