// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "kernels/host_memory.h"
#include "kernels/op_checks.h"
#include "kernels/ref/ref_ops.h"
#include "kernels/ref/scalar.h"

namespace engram::ref {

void Embed(const EmbedArgs& args) {
  CheckArgs(args);
  for (std::int64_t t = 0; t < args.out.rows; ++t) {
    WidenRow(args.table, IndexAt(args.ids, t, args.table.rows), F32Row(args.out, t));
  }
}

void GatherRows(const GatherRowsArgs& args) {
  CheckArgs(args);
  for (std::int64_t r = 0; r < args.out.rows; ++r) {
    WidenRow(args.x, IndexAt(args.index, r, args.x.rows), F32Row(args.out, r));
  }
}

void RmsNorm(const RmsNormArgs& args) {
  CheckArgs(args);
  const float* weight = args.weight.empty() ? nullptr : args.weight.as<float>();
  for (std::int64_t t = 0; t < args.out.rows; ++t) {
    const float* x = F32Row(args.x, t);
    float* out = F32Row(args.out, t);
    const double scale = InverseRms(x, args.x.cols, args.eps);
    for (std::int64_t d = 0; d < args.x.cols; ++d) {
      out[d] = static_cast<float>(x[d] * scale * (weight != nullptr ? weight[d] : 1.0f));
    }
  }
}

void MatMul(const MatMulArgs& args) {
  CheckArgs(args);
  std::vector<float> weight(args.weight.cols);
  for (std::int64_t n = 0; n < args.weight.rows; ++n) {
    WidenRow(args.weight, n, weight.data());
    const double bias = args.bias.empty() ? 0.0 : args.bias.as<float>()[n];
    for (std::int64_t t = 0; t < args.x.rows; ++t) {
      const double product = Dot(F32Row(args.x, t), weight.data(), args.x.cols);
      F32Row(args.out, t)[n] = static_cast<float>(product + bias);
    }
  }
}

void SiluMul(const SiluMulArgs& args) {
  CheckArgs(args);
  for (std::int64_t t = 0; t < args.out.rows; ++t) {
    const float* gate = F32Row(args.gate, t);
    const float* up = F32Row(args.up, t);
    float* out = F32Row(args.out, t);
    for (std::int64_t f = 0; f < args.out.cols; ++f) {
      out[f] = static_cast<float>(Silu(gate[f]) * up[f]);
    }
  }
}

void Add(const AddArgs& args) {
  CheckArgs(args);
  for (std::int64_t t = 0; t < args.out.rows; ++t) {
    const float* x = F32Row(args.x, t);
    float* out = F32Row(args.out, t);
    for (std::int64_t d = 0; d < args.out.cols; ++d) out[d] += x[d];
  }
}

}  // namespace engram::ref
