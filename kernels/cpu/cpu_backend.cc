// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_backend.h"

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/machine.h"
#include "kernels/cpu/simd/simd_dispatch.h"
#include "kernels/host_memory.h"

namespace engram {
namespace {

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(const CpuBackendOptions& options)
      : machine_(options.threads, options.kernels != nullptr ? options.kernels
                                                             : cpu::KernelsOfThisMachine().back()) {
  }

  std::string_view name() const override { return "cpu"; }

  Buffer Allocate(std::size_t bytes) override {
    return Buffer(this, HostMemory::AllocateZeroed(bytes), bytes);
  }
  void Free(void* data, std::size_t) override { HostMemory::Free(data); }
  Tensor PlaceWeight(const Tensor& host) override { return host; }
  Tensor PlaceF32(const Tensor& host) override { return memory_.PlaceF32(host); }
  void CopyToDevice(const Context&, const Tensor& device, const void* host) override {
    HostMemory::CopyIn(device, host);
  }
  void CopyToHost(const Context&, void* host, const Tensor& device) override {
    HostMemory::CopyOut(host, device);
  }
  void Synchronize(const Context&) override {}

  void Embed(const Context&, const EmbedArgs& args) override { cpu::Embed(machine_, args); }
  void GatherRows(const Context&, const GatherRowsArgs& args) override {
    cpu::GatherRows(machine_, args);
  }
  void RmsNorm(const Context&, const RmsNormArgs& args) override { cpu::RmsNorm(machine_, args); }
  void MatMul(const Context&, const MatMulArgs& args) override { cpu::MatMul(machine_, args); }
  void SiluMul(const Context&, const SiluMulArgs& args) override { cpu::SiluMul(machine_, args); }
  void Add(const Context&, const AddArgs& args) override { cpu::Add(machine_, args); }
  void Rope(const Context&, const RopeArgs& args) override { cpu::Rope(machine_, args); }
  void MlaWriteCache(const Context&, const MlaWriteCacheArgs& args) override {
    cpu::MlaWriteCache(machine_, args);
  }
  void MlaAbsorbQuery(const Context&, const MlaAbsorbQueryArgs& args) override {
    cpu::MlaAbsorbQuery(machine_, args);
  }
  void MlaAttention(const Context&, const MlaAttentionArgs& args) override {
    cpu::MlaAttention(machine_, args);
  }
  void MlaProjectValues(const Context&, const MlaProjectValuesArgs& args) override {
    cpu::MlaProjectValues(machine_, args);
  }
  void MoeRoute(const Context&, const MoeRouteArgs& args) override {
    cpu::MoeRoute(machine_, args);
  }
  void MoeExperts(const Context&, const MoeExpertsArgs& args) override {
    cpu::MoeExperts(machine_, args);
  }
  void StreamsExpand(const Context&, const StreamsExpandArgs& args) override {
    cpu::StreamsExpand(machine_, args);
  }
  void StreamsSum(const Context&, const StreamsSumArgs& args) override {
    cpu::StreamsSum(machine_, args);
  }
  void HcPre(const Context&, const HcPreArgs& args) override { cpu::HcPre(machine_, args); }
  void HcPost(const Context&, const HcPostArgs& args) override { cpu::HcPost(machine_, args); }
  void HcHead(const Context&, const HcHeadArgs& args) override { cpu::HcHead(machine_, args); }
  void EngramDecodeRows(const Context&, const EngramDecodeRowsArgs& args) override {
    cpu::EngramDecodeRows(machine_, args);
  }
  void EngramGate(const Context&, const EngramGateArgs& args) override {
    cpu::EngramGate(machine_, args);
  }
  void EngramConv(const Context&, const EngramConvArgs& args) override {
    cpu::EngramConv(machine_, args);
  }

 private:
  HostMemory memory_;
  cpu::Machine machine_;
};

}  // namespace

std::unique_ptr<Backend> MakeCpuBackend(const CpuBackendOptions& options) {
  return std::make_unique<CpuBackend>(options);
}

}  // namespace engram
