// SPDX-License-Identifier: Apache-2.0
// The specification in code: every op of kernels/ops.h as scalar loops that read like its formula.
// Tensors are f32, but whatever an op adds up inside is double: this is the oracle that the fast
// backends are held to, so it is exact rather than quick. One row at a time, hence row-invariant.
#pragma once

#include "kernels/ops.h"

namespace engram::ref {

// plain.cc
void Embed(const EmbedArgs& args);
void GatherRows(const GatherRowsArgs& args);
void RmsNorm(const RmsNormArgs& args);
void MatMul(const MatMulArgs& args);
void SiluMul(const SiluMulArgs& args);
void Add(const AddArgs& args);

// mla.cc
void Rope(const RopeArgs& args);
void MlaWriteCache(const MlaWriteCacheArgs& args);
void MlaAbsorbQuery(const MlaAbsorbQueryArgs& args);
void MlaAttention(const MlaAttentionArgs& args);
void MlaProjectValues(const MlaProjectValuesArgs& args);

// moe.cc
void MoeRoute(const MoeRouteArgs& args);
void MoeExperts(const MoeExpertsArgs& args);

// hyper_connections.cc
void StreamsExpand(const StreamsExpandArgs& args);
void StreamsSum(const StreamsSumArgs& args);
void HcPre(const HcPreArgs& args);
void HcPost(const HcPostArgs& args);
void HcHead(const HcHeadArgs& args);

// engram.cc
void EngramDecodeRows(const EngramDecodeRowsArgs& args);
void EngramGate(const EngramGateArgs& args);
void EngramConv(const EngramConvArgs& args);

}  // namespace engram::ref
