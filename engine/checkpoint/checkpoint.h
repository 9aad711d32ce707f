// SPDX-License-Identifier: Apache-2.0
// A checkpoint directory in Hugging Face layout: the tensors of one safetensors file, or of the
// shards that model.safetensors.index.json names. Mapped, never copied. Or, for benchmarks of big
// shapes, deterministic random weights made from names and shapes alone (LoadFormat::kDummy).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/file_identity.h"
#include "kernels/dtype.h"

namespace engram {

// Where a tensor lies on disk, for those who read the file themselves.
struct TensorPlace {
  std::string path;
  std::uint64_t offset = 0;  // of its first byte in the file
  FileIdentity identity;     // of the file that was mapped
};

// A tensor in mapped memory; valid as long as its Checkpoint.
struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  std::string file;  // base name, for messages
  std::optional<TensorPlace> place;  // absent: in no file (dummy weights)
};

// A name and shape the model wants, and the dtypes it takes for it.
struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<DType> dtypes;
  bool optional = false;
  // kDummy only: the standard deviation of the random values; 0 = all ones.
  float dummy_std = 0.02f;
};

class Checkpoint {
 public:
  virtual ~Checkpoint() = default;

  // Opens and maps; checks headers, offsets and sizes of every file, but no model's shapes.
  static absl::StatusOr<std::unique_ptr<Checkpoint>> Open(const std::string& directory);
  // Weights that are a function of (seed, tensor name, index), in `dtype`, made when first asked
  // for.
  static std::unique_ptr<Checkpoint> Dummy(std::uint64_t seed, DType dtype);

  // The tensor, or an error that names file, tensor, what was expected and what was found. NotFound
  // if it is missing (nullptr, if spec.optional).
  virtual absl::StatusOr<const TensorInfo*> Get(const TensorSpec& spec) = 0;

  // Whatever has this name, as it is; nullptr if nothing has. Does not count as asked for.
  virtual const TensorInfo* Find(const std::string& name) const = 0;

  // Call once after all Gets: an error naming tensors that nobody asked for. Names for which
  // `ignore` says true (weights of parts that the engine does not run, such as MTP layers) do not
  // count.
  virtual absl::Status CheckNothingLeft(
      const std::function<bool(std::string_view name)>& ignore) const = 0;

  virtual std::int64_t total_bytes() const = 0;
};

}  // namespace engram
