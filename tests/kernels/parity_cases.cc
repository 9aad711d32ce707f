// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/parity_cases.h"

#include "tests/kernels/op_cases.h"

namespace engram::testing_support {
namespace {

constexpr DType kWeightDTypes[] = {DType::kF32, DType::kBF16, DType::kF16};

void AddPlainCases(std::vector<OpCase>& cases) {
  for (const DType dtype : kWeightDTypes) {
    for (const int hidden : {1, 7, 64, 100}) cases.push_back(EmbedCase(dtype, 37, hidden));
    // Depths around a vector and around the inner loops' depth block; columns around their tiles
    // and blocks.
    for (const int depth : {1, 7, 16, 33, 100, 1024, 1030, 2049}) {
      cases.push_back(MatMulCase({.cols = 19, .depth = depth, .dtype = dtype}));
    }
    for (const int cols : {1, 2, 3, 8, 48, 50, 97}) {
      cases.push_back(MatMulCase({.cols = cols, .depth = 70, .dtype = dtype, .bias = true}));
    }
    // Large enough for all threads to get a part.
    cases.push_back(MatMulCase({.cols = 200, .depth = 1100, .dtype = dtype}));
  }
  for (const int hidden : {5, 64}) cases.push_back(GatherRowsCase(41, hidden));
  for (const int hidden : {1, 5, 64, 257}) {
    cases.push_back(RmsNormCase(hidden, true, false));
    cases.push_back(RmsNormCase(hidden, false, true));
  }
  for (const int cols : {1, 7, 64, 133}) {
    cases.push_back(SiluMulCase(cols, false));
    cases.push_back(SiluMulCase(cols, true));
    cases.push_back(AddCase(cols));
  }
}

void AddMlaCases(std::vector<OpCase>& cases) {
  for (const DType dtype : kWeightDTypes) {
    for (const MlaShape& shape :
         {MlaShape{.heads = 3, .nope = 5, .rope = 6, .v = 7, .kv_lora = 20, .dtype = dtype},
          MlaShape{.heads = 4, .nope = 130, .rope = 8, .v = 33, .kv_lora = 70, .dtype = dtype},
          MlaShape{.heads = 1, .nope = 16, .rope = 16, .v = 16, .kv_lora = 64, .dtype = dtype}}) {
      cases.push_back(MlaAbsorbQueryCase(shape));
      cases.push_back(MlaProjectValuesCase(shape));
    }
  }
  const MlaShape odd = {.heads = 3, .nope = 5, .rope = 6, .v = 7, .kv_lora = 20};
  const MlaShape even = {.heads = 8, .nope = 16, .rope = 16, .v = 16, .kv_lora = 64};
  const MlaShape many = {.heads = 101, .nope = 3, .rope = 2, .v = 3, .kv_lora = 9};
  for (const MlaShape& shape : {odd, even}) {
    cases.push_back(RopeCase(shape, true));
    cases.push_back(RopeCase(shape, false));
    cases.push_back(MlaWriteCacheCase(shape));
    // Shorter than a tile, around tiles, beyond one and two segments; blocks that do and do not
    // divide a tile.
    cases.push_back(MlaAttentionCase(shape, {1, 2, 5}, 1));
    cases.push_back(MlaAttentionCase(shape, {31, 32, 33, 96, 100}, 16));
    cases.push_back(MlaAttentionCase(shape, {1023, 7, 1025, 2200}, 12));
  }
  cases.push_back(MlaAttentionCase(many, {40, 1100}, 64));
}

void AddMoeCases(std::vector<OpCase>& cases) {
  cases.push_back(MoeRouteCase({.experts = 16, .top_k = 4, .n_group = 4, .topk_group = 2}));
  cases.push_back(MoeRouteCase({.experts = 256, .top_k = 8, .n_group = 8, .topk_group = 4}));
  cases.push_back(MoeRouteCase({.experts = 3, .top_k = 3, .bias = false, .normalise = false}));
  cases.push_back(MoeRouteCase({.experts = 6, .top_k = 2, .n_group = 6, .topk_group = 3}));
  cases.push_back(MoeRouteCase({.experts = 12,
                                .top_k = 3,
                                .n_group = 3,
                                .topk_group = 1,
                                .scoring = MoeScoring::kSoftmax,
                                .bias = false,
                                .normalise = false}));
  for (const DType dtype : kWeightDTypes) {
    cases.push_back(
        MoeExpertsCase({.experts = 5, .top_k = 2, .inner = 9, .hidden = 17, .dtype = dtype}));
    cases.push_back(
        MoeExpertsCase({.experts = 9, .top_k = 4, .inner = 40, .hidden = 64, .dtype = dtype}));
    cases.push_back(
        MoeExpertsCase({.experts = 1, .top_k = 1, .inner = 130, .hidden = 200, .dtype = dtype}));
  }
}

void AddStreamCases(std::vector<OpCase>& cases) {
  for (const int n : {1, 2, 4, 8}) {
    for (const int hidden : {5, 64, 300}) {
      cases.push_back(StreamsExpandCase(n, hidden));
      cases.push_back(StreamsSumCase(n, hidden));
      cases.push_back(HcPreCase(n, hidden));
      cases.push_back(HcPostCase(n, hidden));
      cases.push_back(HcHeadCase(n, hidden));
      cases.push_back(EngramGateCase(n, hidden, true));
      cases.push_back(EngramGateCase(n, hidden, false));
      cases.push_back(EngramConvCase(n, hidden, 4, 3));
    }
  }
  for (const DType dtype : kWeightDTypes) {
    cases.push_back(EngramDecodeRowsCase({.dtype = dtype, .head_dim = 8}, 16));
    cases.push_back(EngramDecodeRowsCase({.dtype = dtype, .head_dim = 5}, 3));
  }
  for (const int width : {5, 32, 80, 256}) {  // 80: the last block of 32 has 16
    cases.push_back(EngramDecodeRowsCase({.dtype = DType::kF8E4M3,
                                          .head_dim = width,
                                          .scale_block = 32,
                                          .scale_dtype = DType::kE8M0},
                                         16));
    cases.push_back(
        EngramDecodeRowsCase({.dtype = DType::kI8, .head_dim = width, .scale_block = width}, 3));
  }
}

}  // namespace

std::vector<OpCase> ParityCases() {
  std::vector<OpCase> cases;
  AddPlainCases(cases);
  AddMlaCases(cases);
  AddMoeCases(cases);
  AddStreamCases(cases);
  return cases;
}

}  // namespace engram::testing_support
