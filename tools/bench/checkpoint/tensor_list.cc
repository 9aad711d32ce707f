// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/tensor_list.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "engine/model/model.h"
#include "kernels/backend_factory.h"

namespace engram::bench {
namespace {

// Zeros to read: pages without memory behind them.
class Zeros {
 public:
  static absl::StatusOr<Zeros> Make(std::size_t bytes) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* data = mmap(nullptr, bytes, PROT_READ, kFlags, -1, 0);
    if (data == MAP_FAILED) {
      return absl::ErrnoToStatus(errno, absl::StrCat("no address space for ", bytes, " bytes"));
    }
    return Zeros({static_cast<const std::byte*>(data), bytes});
  }
  Zeros(Zeros&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Zeros& operator=(Zeros&&) = delete;
  ~Zeros() {
    if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit Zeros(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

class AskedCheckpoint final : public Checkpoint {
 public:
  explicit AskedCheckpoint(DType dtype) : dtype_(dtype) {}

  absl::StatusOr<const TensorInfo*> Get(const TensorSpec& spec) override {
    const auto& dtypes = spec.dtypes;
    const bool allowed = std::find(dtypes.begin(), dtypes.end(), dtype_) != dtypes.end();
    const DType dtype = allowed ? dtype_ : dtypes.front();
    std::size_t bytes = DTypeBytes(dtype);
    for (const std::int64_t dimension : spec.shape) bytes *= static_cast<std::size_t>(dimension);
    ASSIGN_OR_RETURN(Zeros zeros, Zeros::Make(bytes));
    memory_.push_back(std::move(zeros));
    asked_.push_back(spec);
    return &tensors_.emplace_back(TensorInfo{.name = spec.name,
                                             .dtype = dtype,
                                             .shape = spec.shape,
                                             .bytes = memory_.back().bytes(),
                                             .file = "zeros",
                                             .place = std::nullopt});
  }

  const TensorInfo* Find(const std::string&) const override { return nullptr; }

  absl::Status CheckNothingLeft(const std::function<bool(std::string_view)>&) const override {
    return absl::OkStatus();
  }
  std::int64_t total_bytes() const override { return 0; }

  const std::vector<TensorSpec>& asked() const { return asked_; }

 private:
  const DType dtype_;
  std::vector<TensorSpec> asked_;
  std::deque<TensorInfo> tensors_;
  std::deque<Zeros> memory_;
};

}  // namespace

absl::StatusOr<TensorList> ListTensors(const ModelConfig& config) {
  AskedCheckpoint asked(config.dtype);
  const std::unique_ptr<Backend> backend = MakeBackend("ref", {});
  ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, LoadModel(config, &asked, backend.get()));
  TensorList list;
  for (const TensorSpec& spec : asked.asked()) {
    const auto tables = model->engram_tables();
    const bool is_table = std::ranges::any_of(
        tables, [&](const TableTensors& table) { return table.values->name == spec.name; });
    (is_table ? list.tables : list.weights).push_back(spec);
  }
  CHECK_EQ(list.tables.size(), config.engram.layer_ids.size());
  return list;
}

}  // namespace engram::bench
