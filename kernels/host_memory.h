// SPDX-License-Identifier: Apache-2.0
// The memory half of a backend whose device is the host itself: the CPU backends hold one of these
// and forward to it. Copies are plain copies, and placing a mapped weight costs nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "kernels/tensor.h"

namespace engram {

class HostMemory {
 public:
  // Zero-filled, 64-byte aligned (2 MiB when larger than that, so that huge pages fit). Ends the
  // process when the machine has no more: the memory plan was wrong.
  static void* AllocateZeroed(std::size_t bytes);
  static void Free(void* data);

  // REQUIRES: `host` is f32, bf16 or f16. The copy is dense and lives as long as this object.
  Tensor PlaceF32(const Tensor& host);

  // Thread-safe. The tensor may be strided, the flat side is dense: rows · cols elements.
  static void CopyIn(const Tensor& tensor, const void* flat);
  static void CopyOut(void* flat, const Tensor& tensor);

 private:
  std::vector<std::unique_ptr<float[]>> placed_;
};

// Row `row` of an f32, bf16 or f16 tensor as f32 in `out` [cols].
void WidenRow(const Tensor& tensor, std::int64_t row, float* out);

}  // namespace engram
