// SPDX-License-Identifier: Apache-2.0
// What the ops of the CPU backend work with: the threads, the inner loops for this processor, and
// scratch memory that grows to what the largest step needs and is then reused, so that a running
// server allocates nothing in an op.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/cpu/simd/simd_kernels.h"
#include "kernels/cpu/thread_pool.h"

namespace engram::cpu {

// Uninitialised memory, 64-byte aligned; a call invalidates what the former ones returned.
class Scratch {
 public:
  template <typename T>
  T* Get(std::size_t count) {
    return static_cast<T*>(Bytes(count * sizeof(T)));
  }

 private:
  struct Free {
    void operator()(void* data) const;
  };
  void* Bytes(std::size_t bytes);

  std::unique_ptr<void, Free> data_;
  std::size_t capacity_ = 0;
};

struct Machine {
  Machine(int threads, const SimdKernels* simd);

  ThreadPool pool;
  const SimdKernels* simd;   // not owned: tables are constant
  std::vector<Scratch> own;  // [threads] for what a thread does alone
  Scratch shared;            // for what the threads hand to each other within an op
  Scratch lists;             // index lists that the caller prepares for the threads
};

}  // namespace engram::cpu
