// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/devices.h"

#include <cstdio>
#include <numeric>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(CudaDevices, EveryListedDeviceComputes) {
  const auto devices = ListCudaDevices();
  if (devices.empty()) {
    std::puts("skipped: no GPU");
    EXPECT_TRUE(CudaIotaForTest(0, 4).empty());  // fails cleanly instead of crashing
    return;
  }
  std::vector<std::int32_t> want(1000);
  std::iota(want.begin(), want.end(), 7);
  EXPECT_EQ(CudaIotaForTest(7, 1000), want);
  for (const auto& device : devices) {
    std::printf("%s, %.1f GiB, compute %d.%d\n", device.name.c_str(),
                device.memory_bytes / 1073741824.0, device.compute_major, device.compute_minor);
    EXPECT_GT(device.memory_bytes, 0);
  }
}

}  // namespace
}  // namespace engram
