// SPDX-License-Identifier: Apache-2.0
// Which CUDA devices this machine has. The first stone of the CUDA backend: it shows that the
// toolchain compiles, links and runs, and asks nothing of a machine without a GPU.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace engram {

struct CudaDevice {
  std::string name;
  std::int64_t memory_bytes = 0;
  int compute_major = 0;
  int compute_minor = 0;
};

// Empty without a GPU or a driver.
std::vector<CudaDevice> ListCudaDevices();

// Fills `count` integers on the current device with `first`, first + 1, … and returns them: a round
// trip through allocation, launch and copy. Empty if any of these fails.
std::vector<std::int32_t> CudaIotaForTest(std::int32_t first, int count);

}  // namespace engram
