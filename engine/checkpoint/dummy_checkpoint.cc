// SPDX-License-Identifier: Apache-2.0
// Checkpoint::Dummy: weights from names and shapes alone, for benchmarks of shapes whose files
// nobody has. An element is a function of (seed, tensor name, index) in integer arithmetic and one
// rounding, so it is the same on every machine and with any number of threads.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/siphash.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/random_fill.h"
#include "engine/checkpoint/tensor_spec.h"

namespace engram {
namespace {

constexpr std::size_t kAlignment = 64;

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte[], Free>;

class DummyCheckpoint final : public Checkpoint {
 public:
  DummyCheckpoint(std::uint64_t seed, DType dtype) : seed_(seed), dtype_(dtype), filler_(seed) {}

  absl::StatusOr<const TensorInfo*> Get(const TensorSpec& spec) override {
    auto found = tensors_.find(spec.name);
    if (found == tensors_.end()) {
      ASSIGN_OR_RETURN(Tensor made, Make(spec));
      total_bytes_ += static_cast<std::int64_t>(made.info.bytes.size());
      found = tensors_.emplace(spec.name, std::move(made)).first;
    }
    RETURN_IF_ERROR(CheckTensor(found->second.info, spec));
    return &found->second.info;
  }

  const TensorInfo* Find(const std::string& name) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second.info;
  }

  // There is nothing but what was asked for.
  absl::Status CheckNothingLeft(const std::function<bool(std::string_view)>&) const override {
    return absl::OkStatus();
  }

  std::int64_t total_bytes() const override { return total_bytes_; }

 private:
  struct Tensor {
    TensorInfo info;
    Memory memory;
  };

  absl::StatusOr<Tensor> Make(const TensorSpec& spec) const {
    const auto& dtypes = spec.dtypes;
    const bool allowed = std::find(dtypes.begin(), dtypes.end(), dtype_) != dtypes.end();
    const DType dtype = allowed ? dtype_ : dtypes.front();
    if (!CanFillRandom(dtype)) {
      return absl::UnimplementedError(absl::StrCat("dummy weights: tensor '", spec.name, "' is ",
                                                   ToAbsl(DTypeName(dtype)),
                                                   "; only f32, bf16 and f16 can be made"));
    }
    std::size_t bytes = DTypeBytes(dtype);
    for (const std::int64_t dimension : spec.shape) bytes *= static_cast<std::size_t>(dimension);
    const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    Memory memory(static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)));
    if (memory == nullptr && rounded > 0) {
      return absl::ResourceExhaustedError(absl::StrCat("dummy weights: no memory for tensor '",
                                                       spec.name, "' of ", bytes, " bytes"));
    }
    const std::span<std::byte> out(memory.get(), bytes);
    const std::uint64_t key = SipHash({seed_, 0}, std::as_bytes(std::span(spec.name)));
    filler_.Fill(out, dtype, key, spec.dummy_std);
    return Tensor{.info = {.name = spec.name,
                           .dtype = dtype,
                           .shape = spec.shape,
                           .bytes = out,
                           .file = "dummy weights",
                           .place = std::nullopt},
                  .memory = std::move(memory)};
  }

  const std::uint64_t seed_;
  const DType dtype_;
  const RandomFiller filler_;
  std::unordered_map<std::string, Tensor> tensors_;  // by name
  std::int64_t total_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Checkpoint> Checkpoint::Dummy(std::uint64_t seed, DType dtype) {
  return std::make_unique<DummyCheckpoint>(seed, dtype);
}

}  // namespace engram
