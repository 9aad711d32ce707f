// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/devices.h"

#include <cuda_runtime.h>

namespace engram {
namespace {

// out: [count] i32
__global__ void Iota(std::int32_t* out, std::int32_t first, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) out[i] = first + i;
}

}  // namespace

std::vector<CudaDevice> ListCudaDevices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return {};
  std::vector<CudaDevice> devices;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) continue;
    devices.push_back({properties.name, static_cast<std::int64_t>(properties.totalGlobalMem),
                       properties.major, properties.minor});
  }
  return devices;
}

std::vector<std::int32_t> CudaIotaForTest(std::int32_t first, int count) {
  constexpr int kThreads = 256;
  std::int32_t* device = nullptr;
  const std::size_t bytes = sizeof(std::int32_t) * count;
  if (cudaMalloc(&device, bytes) != cudaSuccess) return {};
  Iota<<<(count + kThreads - 1) / kThreads, kThreads>>>(device, first, count);
  std::vector<std::int32_t> out(count);
  const bool ok = cudaMemcpy(out.data(), device, bytes, cudaMemcpyDeviceToHost) == cudaSuccess;
  cudaFree(device);
  return ok ? out : std::vector<std::int32_t>{};
}

}  // namespace engram
