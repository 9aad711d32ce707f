// SPDX-License-Identifier: Apache-2.0
// THE list of ops: everything the model computes is one of these calls, and every backend
// implements all of them. kernels/ref is the specification in code; the parity test holds the
// others to it.
//
// Row invariance, which every op of every backend must keep: an output row depends on that row's
// own inputs alone, bit for bit; never on how many rows the call has or what the other rows are.
// That is why a request gives the same tokens alone, batched, chunked or after a preemption.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "kernels/ops.h"
#include "kernels/tensor.h"

namespace engram {

class Backend;

// Where an op runs: a device and a queue on it. The CPU backends ignore both and are synchronous.
struct Context {
  int device = 0;
  void* stream = nullptr;
};

// Owns device memory; zero-filled when made, aligned to 64 bytes at least.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Backend* backend, void* data, std::size_t bytes)
      : backend_(backend), data_(data), bytes_(bytes) {}
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Buffer();

  std::size_t bytes() const { return bytes_; }
  // A dense [rows, cols] view that starts `offset` bytes in.
  Tensor View(std::size_t offset, DType dtype, std::int64_t rows, std::int64_t cols) const {
    CHECK(offset + static_cast<std::size_t>(rows * cols) * DTypeBytes(dtype) <= bytes_);
    return MakeTensor(static_cast<std::byte*>(data_) + offset, dtype, rows, cols);
  }

 private:
  Backend* backend_ = nullptr;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// ---- The backend ----

// One device. Not thread-safe but for Allocate and the Copy functions: the engine thread's own.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;

  virtual Buffer Allocate(std::size_t bytes) = 0;
  virtual void Free(void* data, std::size_t bytes) = 0;
  // A weight matrix that lies in host memory (a mapped checkpoint) for as long as the backend
  // lives. CPU backends return the view itself: loading costs nothing.
  virtual Tensor PlaceWeight(const Tensor& host) = 0;
  // A small tensor as f32, from any float dtype; owned by the backend.
  virtual Tensor PlaceF32(const Tensor& host) = 0;
  // `device` is dense or strided; `host` is dense, rows · cols elements.
  virtual void CopyToDevice(const Context& context, const Tensor& device, const void* host) = 0;
  virtual void CopyToHost(const Context& context, void* host, const Tensor& device) = 0;
  // Returns when everything issued on the context is done.
  virtual void Synchronize(const Context& context) = 0;

  virtual void Embed(const Context& context, const EmbedArgs& args) = 0;
  virtual void GatherRows(const Context& context, const GatherRowsArgs& args) = 0;
  virtual void RmsNorm(const Context& context, const RmsNormArgs& args) = 0;
  virtual void MatMul(const Context& context, const MatMulArgs& args) = 0;
  virtual void SiluMul(const Context& context, const SiluMulArgs& args) = 0;
  virtual void Add(const Context& context, const AddArgs& args) = 0;

  virtual void Rope(const Context& context, const RopeArgs& args) = 0;
  virtual void MlaWriteCache(const Context& context, const MlaWriteCacheArgs& args) = 0;
  virtual void MlaAbsorbQuery(const Context& context, const MlaAbsorbQueryArgs& args) = 0;
  virtual void MlaAttention(const Context& context, const MlaAttentionArgs& args) = 0;
  virtual void MlaProjectValues(const Context& context, const MlaProjectValuesArgs& args) = 0;

  virtual void MoeRoute(const Context& context, const MoeRouteArgs& args) = 0;
  virtual void MoeExperts(const Context& context, const MoeExpertsArgs& args) = 0;

  virtual void StreamsExpand(const Context& context, const StreamsExpandArgs& args) = 0;
  virtual void StreamsSum(const Context& context, const StreamsSumArgs& args) = 0;
  virtual void HcPre(const Context& context, const HcPreArgs& args) = 0;
  virtual void HcPost(const Context& context, const HcPostArgs& args) = 0;
  virtual void HcHead(const Context& context, const HcHeadArgs& args) = 0;

  virtual void EngramDecodeRows(const Context& context, const EngramDecodeRowsArgs& args) = 0;
  virtual void EngramGate(const Context& context, const EngramGateArgs& args) = 0;
  virtual void EngramConv(const Context& context, const EngramConvArgs& args) = 0;
};

inline Buffer::~Buffer() {
  if (data_ != nullptr) backend_->Free(data_, bytes_);
}

}  // namespace engram
