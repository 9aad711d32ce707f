// SPDX-License-Identifier: Apache-2.0
#include "kernels/ref/ref_backend.h"

#include "kernels/host_memory.h"
#include "kernels/ref/ref_ops.h"

namespace engram {
namespace {

class RefBackend final : public Backend {
 public:
  std::string_view name() const override { return "ref"; }

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

  void Embed(const Context&, const EmbedArgs& args) override { ref::Embed(args); }
  void GatherRows(const Context&, const GatherRowsArgs& args) override { ref::GatherRows(args); }
  void RmsNorm(const Context&, const RmsNormArgs& args) override { ref::RmsNorm(args); }
  void MatMul(const Context&, const MatMulArgs& args) override { ref::MatMul(args); }
  void SiluMul(const Context&, const SiluMulArgs& args) override { ref::SiluMul(args); }
  void Add(const Context&, const AddArgs& args) override { ref::Add(args); }
  void Rope(const Context&, const RopeArgs& args) override { ref::Rope(args); }
  void MlaWriteCache(const Context&, const MlaWriteCacheArgs& args) override {
    ref::MlaWriteCache(args);
  }
  void MlaAbsorbQuery(const Context&, const MlaAbsorbQueryArgs& args) override {
    ref::MlaAbsorbQuery(args);
  }
  void MlaAttention(const Context&, const MlaAttentionArgs& args) override {
    ref::MlaAttention(args);
  }
  void MlaProjectValues(const Context&, const MlaProjectValuesArgs& args) override {
    ref::MlaProjectValues(args);
  }
  void MoeRoute(const Context&, const MoeRouteArgs& args) override { ref::MoeRoute(args); }
  void MoeExperts(const Context&, const MoeExpertsArgs& args) override { ref::MoeExperts(args); }
  void StreamsExpand(const Context&, const StreamsExpandArgs& args) override {
    ref::StreamsExpand(args);
  }
  void StreamsSum(const Context&, const StreamsSumArgs& args) override { ref::StreamsSum(args); }
  void HcPre(const Context&, const HcPreArgs& args) override { ref::HcPre(args); }
  void HcPost(const Context&, const HcPostArgs& args) override { ref::HcPost(args); }
  void HcHead(const Context&, const HcHeadArgs& args) override { ref::HcHead(args); }
  void EngramDecodeRows(const Context&, const EngramDecodeRowsArgs& args) override {
    ref::EngramDecodeRows(args);
  }
  void EngramGate(const Context&, const EngramGateArgs& args) override { ref::EngramGate(args); }
  void EngramConv(const Context&, const EngramConvArgs& args) override { ref::EngramConv(args); }

 private:
  HostMemory memory_;
};

}  // namespace

std::unique_ptr<Backend> MakeRefBackend() { return std::make_unique<RefBackend>(); }

}  // namespace engram
