// SPDX-License-Identifier: Apache-2.0
// The residual around a sub-layer: manifold-constrained hyper-connections (mHC, arXiv 2512.24880;
// spec B), where n streams are mixed into the sub-layer's input and its output is spread over them.
// At n = 1 it is the plain residual x + F(x).
#pragma once

#include "engine/model/arena.h"
#include "engine/model/deepseek_weights.h"
#include "engine/model/model_config.h"
#include "kernels/backend.h"

namespace engram {

// What EnterSite leaves for LeaveSite, and the sub-layer's input. Empty at n = 1.
struct SiteBuffers {
  Tensor input;  // [rows, D] f32
  Tensor post;   // [rows, n] f32
  Tensor comb;   // [rows, n·n] f32
};

SiteBuffers TakeSiteBuffers(const ModelConfig& config, int rows, Arena* arena);

// All streams [T, n·D] start as `x` [T, D].
void EnterStreams(const ModelConfig& config, const Tensor& streams, const Tensor& x,
                  Backend* backend);

// The sub-layer's input [T, D], from the streams [T, n·D]. It may be the streams themselves: not to
// be written to.
Tensor EnterSite(const ModelConfig& config, const HcSiteWeights& weights, const Tensor& streams,
                 const SiteBuffers& buffers, Backend* backend);

// Takes the sub-layer's output `x` [T, D] into the streams, with the mapping of the last EnterSite.
void LeaveSite(const ModelConfig& config, const Tensor& streams, const Tensor& x,
               const SiteBuffers& buffers, Backend* backend);

// out [T, D] from the streams after the last layer: the learned exit, or their sum.
void LeaveStreams(const ModelConfig& config, const HcHeadWeights& weights, const Tensor& out,
                  const Tensor& streams, Backend* backend);

}  // namespace engram
