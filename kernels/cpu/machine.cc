// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/machine.h"

#include <algorithm>

#include "kernels/host_memory.h"

namespace engram::cpu {

void Scratch::Free::operator()(void* data) const { HostMemory::Free(data); }

void* Scratch::Bytes(std::size_t bytes) {
  if (bytes > capacity_) {
    data_.reset();  // never both at once
    capacity_ = std::max(bytes, capacity_ * 2);
    data_.reset(HostMemory::AllocateZeroed(capacity_));
  }
  return data_.get();
}

Machine::Machine(int threads, const SimdKernels* kernels)
    : pool(threads), simd(kernels), own(pool.threads()) {}

}  // namespace engram::cpu
