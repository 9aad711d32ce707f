// SPDX-License-Identifier: Apache-2.0
// The reference backend: host memory and the scalar ops of kernels/ref/ref_ops.h, on the caller's
// thread.
#pragma once

#include <memory>

#include "kernels/backend.h"

namespace engram {

std::unique_ptr<Backend> MakeRefBackend();

}  // namespace engram
