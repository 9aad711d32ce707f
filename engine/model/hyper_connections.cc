// SPDX-License-Identifier: Apache-2.0
#include "engine/model/hyper_connections.h"

#include "base/check.h"

namespace engram {

SiteBuffers TakeSiteBuffers(const ModelConfig& config, int rows, Arena* arena) {
  if (config.hc_mult == 1) return {};
  const int n = config.hc_mult;
  return {.input = arena->TakeF32(rows, config.hidden_size),
          .post = arena->TakeF32(rows, n),
          .comb = arena->TakeF32(rows, n * n)};
}

void EnterStreams(const ModelConfig& config, const Tensor& streams, const Tensor& x,
                  Backend* backend) {
  backend->StreamsExpand(Context{}, {.streams = streams, .x = x, .n = config.hc_mult});
}

Tensor EnterSite(const ModelConfig& config, const HcSiteWeights& weights, const Tensor& streams,
                 const SiteBuffers& buffers, Backend* backend) {
  if (config.hc_mult == 1) return streams;
  const Tensor input = buffers.input.Rows(0, streams.rows);
  backend->HcPre(Context{}, {.out = input,
                             .post = buffers.post.Rows(0, streams.rows),
                             .comb = buffers.comb.Rows(0, streams.rows),
                             .streams = streams,
                             .fn = weights.fn,
                             .base = weights.base,
                             .scale = weights.scale,
                             .n = config.hc_mult,
                             .sinkhorn_iters = config.hc_sinkhorn_iters,
                             .norm_eps = config.rms_norm_eps,
                             .hc_eps = config.hc_eps});
  return input;
}

void LeaveSite(const ModelConfig& config, const Tensor& streams, const Tensor& x,
               const SiteBuffers& buffers, Backend* backend) {
  if (config.hc_mult == 1) {
    backend->Add(Context{}, {.out = streams, .x = x});
    return;
  }
  backend->HcPost(Context{}, {.streams = streams,
                              .x = x,
                              .post = buffers.post.Rows(0, streams.rows),
                              .comb = buffers.comb.Rows(0, streams.rows),
                              .n = config.hc_mult});
}

void LeaveStreams(const ModelConfig& config, const HcHeadWeights& weights, const Tensor& out,
                  const Tensor& streams, Backend* backend) {
  if (weights.fn.empty()) {
    backend->StreamsSum(Context{}, {.out = out, .streams = streams, .n = config.hc_mult});
    return;
  }
  backend->HcHead(Context{}, {.out = out,
                              .streams = streams,
                              .fn = weights.fn,
                              .base = weights.base,
                              .scale = weights.scale,
                              .n = config.hc_mult,
                              .norm_eps = config.rms_norm_eps,
                              .hc_eps = config.hc_eps});
}

}  // namespace engram
