// SPDX-License-Identifier: Apache-2.0
// Asks a checkpoint for tensors and puts them on a backend. The first error is kept and everything
// after it gives empty tensors, so that the list of a model's weights reads as a list.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "engine/checkpoint/checkpoint.h"
#include "kernels/backend.h"

namespace engram {

class WeightLoader {
 public:
  // Both must outlive the tensors. `backend` may be null for who asks for HostTensors alone.
  WeightLoader(Checkpoint* checkpoint, Backend* backend)
      : checkpoint_(checkpoint), backend_(backend) {}

  // [rows, cols], kept in the file's dtype: f32, bf16 or f16.
  Tensor Matrix(const std::string& name, std::int64_t rows, std::int64_t cols);
  // Any small tensor as [1, elements] f32; see TensorSpec::dummy_std.
  Tensor Vector(const std::string& name, std::vector<std::int64_t> shape, float dummy_std);
  // As Vector; empty if the checkpoint has none.
  Tensor OptionalVector(const std::string& name, std::vector<std::int64_t> shape, float dummy_std);
  // As Vector, ones in dummy weights.
  Tensor Norm(const std::string& name, std::vector<std::int64_t> shape) {
    return Vector(name, std::move(shape), 0.0f);
  }
  // Not placed anywhere: the tensor in the checkpoint. nullptr after an error.
  const TensorInfo* HostTensor(const std::string& name, std::vector<std::int64_t> shape,
                               std::vector<DType> dtypes);
  // Whatever the checkpoint has under this name, without asking for it; nullptr: nothing.
  const TensorInfo* Find(const std::string& name) const { return checkpoint_->Find(name); }

  // Keeps the error, if it is the first.
  void Fail(const absl::Status& error) { status_.Update(error); }

  // The first error so far.
  const absl::Status& status() const { return status_; }

 private:
  const TensorInfo* Get(const TensorSpec& spec);
  Tensor PlaceVector(const TensorSpec& spec);

  Checkpoint* const checkpoint_;
  Backend* const backend_;
  absl::Status status_;
};

// The same elements as [rows, cols]. REQUIRES: dense, and the counts agree.
Tensor Reshape(const Tensor& tensor, std::int64_t rows, std::int64_t cols);

}  // namespace engram
