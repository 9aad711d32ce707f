// SPDX-License-Identifier: Apache-2.0
// What kernels/ops.h promises about shapes and dtypes, checked. Every backend calls this first in
// every op, so that a wrong graph ends with the name of the tensor instead of reading past it.
// Values in device memory (ids, slots) are the backends' own to check.
#pragma once

#include "kernels/ops.h"

namespace engram {

void CheckArgs(const EmbedArgs& args);
void CheckArgs(const GatherRowsArgs& args);
void CheckArgs(const RmsNormArgs& args);
void CheckArgs(const MatMulArgs& args);
void CheckArgs(const SiluMulArgs& args);
void CheckArgs(const AddArgs& args);
void CheckArgs(const RopeArgs& args);
void CheckArgs(const MlaWriteCacheArgs& args);
void CheckArgs(const MlaAbsorbQueryArgs& args);
void CheckArgs(const MlaAttentionArgs& args);
void CheckArgs(const MlaProjectValuesArgs& args);
void CheckArgs(const MoeRouteArgs& args);
void CheckArgs(const MoeExpertsArgs& args);
void CheckArgs(const StreamsExpandArgs& args);
void CheckArgs(const StreamsSumArgs& args);
void CheckArgs(const HcPreArgs& args);
void CheckArgs(const HcPostArgs& args);
void CheckArgs(const HcHeadArgs& args);
void CheckArgs(const EngramDecodeRowsArgs& args);
void CheckArgs(const EngramGateArgs& args);
void CheckArgs(const EngramConvArgs& args);

// Rows of the window that EngramConv's state keeps: (w − 1) · dilation.
inline std::int64_t ConvWindow(const EngramConvArgs& args) {
  return (args.conv_weight.cols - 1) * args.dilation;
}

}  // namespace engram
