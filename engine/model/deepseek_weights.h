// SPDX-License-Identifier: Apache-2.0
// The tensors of a DeepSeek-V3 checkpoint, with the additions of mHC and Engram, on a device: which
// names, shapes and dtypes the file must have (spec C.6, D.2; docs/CHECKPOINT.md) and where each
// goes. An empty tensor is a part that the model does not have.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/model/model_config.h"
#include "engine/model/table_tensors.h"
#include "kernels/backend.h"

namespace engram {

// The mapping around a sub-layer; n = hc_mult. Empty at n = 1.
struct HcSiteWeights {
  Tensor fn;     // [(2+n)·n, n·D] f32
  Tensor base;   // [1, (2+n)·n] f32
  Tensor scale;  // [1, 3] f32
};

// The learned exit. Empty if streams are summed.
struct HcHeadWeights {
  Tensor fn;     // [n, n·D] f32
  Tensor base;   // [1, n] f32
  Tensor scale;  // [1, 1] f32
};

struct MlaWeights {
  Tensor q_down;        // [q_lora, D]; empty without q-LoRA
  Tensor q_down_norm;   // [1, q_lora] f32; empty without q-LoRA
  Tensor q_up;          // [heads · (nope + rope), q_lora or D]
  Tensor kv_down;       // [kv_lora + rope, D]
  Tensor kv_down_norm;  // [1, kv_lora] f32
  Tensor kv_up;         // [heads · (nope + v), kv_lora]
  Tensor output;        // [D, heads · v]
};

struct FfnWeights {
  ExpertWeights dense;                 // a dense layer's FFN, or the shared experts of a MoE layer
  Tensor router;                       // [experts, D]; empty in a dense layer
  Tensor router_bias;                  // [1, experts] f32; empty = 0
  std::vector<ExpertWeights> experts;  // empty in a dense layer
};

struct EngramWeights {
  Tensor kv;         // [(n+1)·D, d_mem]: n keys, then the value
  Tensor kv_bias;    // [1, (n+1)·D] f32 or empty
  Tensor q_norm;     // [1, n·D] f32
  Tensor k_norm;     // [1, n·D] f32
  Tensor conv_norm;  // [1, n·D] f32; empty without the short convolution, as conv
  Tensor conv;       // [n·D, w] f32
};

struct LayerWeights {
  std::optional<int> engram_index;  // which Engram layer this is
  EngramWeights engram;
  HcSiteWeights attention_site;
  Tensor attention_norm;  // [1, D] f32
  MlaWeights attention;
  HcSiteWeights ffn_site;
  Tensor ffn_norm;  // [1, D] f32
  FfnWeights ffn;
};

struct DeepseekWeights {
  Tensor embedding;  // [vocab, D]
  std::vector<LayerWeights> layers;
  HcHeadWeights hc_head;
  Tensor final_norm;                        // [1, D] f32
  Tensor lm_head;                           // [vocab, D]
  std::vector<TableTensors> engram_tables;  // [Engram layers], in the checkpoint
};

// `table_rows`: rows of each Engram layer's table. Fails with the checkpoint's error about the
// first tensor that is missing or not as it must be, or about tensors that the model has no use
// for.
absl::StatusOr<DeepseekWeights> LoadDeepseekWeights(const ModelConfig& config,
                                                    std::span<const std::int64_t> table_rows,
                                                    Checkpoint* checkpoint, Backend* backend);

}  // namespace engram
