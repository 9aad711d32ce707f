// SPDX-License-Identifier: Apache-2.0
// Makers of OpCases, one per op: the shape is the caller's, the inputs are seeded. EngramConv is
// not among them, because its rows are the steps of sequences: see engram_conv_test.cc.
#pragma once

#include <vector>

#include "tests/kernels/op_case.h"

namespace engram::testing_support {

// ---- plain_cases.cc ----

OpCase EmbedCase(DType dtype, int vocab, int hidden);
OpCase GatherRowsCase(int source_rows, int hidden);
OpCase RmsNormCase(int hidden, bool weighted, bool in_place);
struct MatMulShape {
  int cols;
  int depth;
  DType dtype = DType::kF32;
  bool bias = false;
};
OpCase MatMulCase(const MatMulShape& shape);
OpCase SiluMulCase(int cols, bool in_place);
OpCase AddCase(int cols);

// ---- mla_cases.cc ----

struct MlaShape {
  int heads;
  int nope;
  int rope;
  int v;
  int kv_lora;
  DType dtype = DType::kF32;
};
OpCase RopeCase(const MlaShape& shape, bool interleaved);
OpCase MlaWriteCacheCase(const MlaShape& shape);
OpCase MlaAbsorbQueryCase(const MlaShape& shape);
OpCase MlaProjectValuesCase(const MlaShape& shape);
// `lengths` holds sequence lengths; row number r is a position of sequence r mod lengths.size(),
// the last one for the first rows and then earlier ones. The blocks of all sequences are
// interleaved.
OpCase MlaAttentionCase(const MlaShape& shape, const std::vector<int>& lengths, int block_size);

// ---- moe_cases.cc ----

struct RouteShape {
  int experts;
  int top_k;
  int n_group = 1;
  int topk_group = 1;
  MoeScoring scoring = MoeScoring::kSigmoid;
  bool bias = true;
  bool normalise = true;
};
OpCase MoeRouteCase(const RouteShape& shape);
struct ExpertsShape {
  int experts;
  int top_k;
  int inner;
  int hidden;
  DType dtype = DType::kF32;
};
OpCase MoeExpertsCase(const ExpertsShape& shape);

// ---- stream_cases.cc: hyper-connections and Engram ----

OpCase StreamsExpandCase(int n, int hidden);
OpCase StreamsSumCase(int n, int hidden);
OpCase HcPreCase(int n, int hidden);
OpCase HcPostCase(int n, int hidden);
OpCase HcHeadCase(int n, int hidden);
OpCase EngramDecodeRowsCase(const EngramRowFormat& format, int lookups);
OpCase EngramGateCase(int n, int hidden, bool gate_sqrt);
// Single steps of many sequences; engram_conv_test.cc has the other ways to cut them.
OpCase EngramConvCase(int n, int hidden, int taps, int dilation);

}  // namespace engram::testing_support
