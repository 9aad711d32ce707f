// SPDX-License-Identifier: Apache-2.0
// The ops of kernels/ops.h for this machine's processors. How an op is cut between threads and
// blocks is free here; the order in which an output's terms are added is not (see simd_kernels.h
// and, for attention, attention.cc), and that makes every op row-invariant and independent of the
// number of threads.
#pragma once

#include "kernels/cpu/machine.h"
#include "kernels/ops.h"

namespace engram::cpu {

// plain.cc
void Embed(Machine& machine, const EmbedArgs& args);
void GatherRows(Machine& machine, const GatherRowsArgs& args);
void RmsNorm(Machine& machine, const RmsNormArgs& args);
void MatMul(Machine& machine, const MatMulArgs& args);
void SiluMul(Machine& machine, const SiluMulArgs& args);
void Add(Machine& machine, const AddArgs& args);

// mla.cc
void Rope(Machine& machine, const RopeArgs& args);
void MlaWriteCache(Machine& machine, const MlaWriteCacheArgs& args);
void MlaAbsorbQuery(Machine& machine, const MlaAbsorbQueryArgs& args);
void MlaProjectValues(Machine& machine, const MlaProjectValuesArgs& args);

// attention.cc
void MlaAttention(Machine& machine, const MlaAttentionArgs& args);

// moe.cc
void MoeRoute(Machine& machine, const MoeRouteArgs& args);
void MoeExperts(Machine& machine, const MoeExpertsArgs& args);

// hyper_connections.cc
void StreamsExpand(Machine& machine, const StreamsExpandArgs& args);
void StreamsSum(Machine& machine, const StreamsSumArgs& args);
void HcPre(Machine& machine, const HcPreArgs& args);
void HcPost(Machine& machine, const HcPostArgs& args);
void HcHead(Machine& machine, const HcHeadArgs& args);

// engram.cc, engram_conv.cc
void EngramDecodeRows(Machine& machine, const EngramDecodeRowsArgs& args);
void EngramGate(Machine& machine, const EngramGateArgs& args);
void EngramConv(Machine& machine, const EngramConvArgs& args);

}  // namespace engram::cpu
