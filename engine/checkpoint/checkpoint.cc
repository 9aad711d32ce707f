// SPDX-License-Identifier: Apache-2.0
// Checkpoint::Open: the files of a directory, mapped, and the tensors in them by name. The dummy is
// in dummy_checkpoint.cc.
#include "engine/checkpoint/checkpoint.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/limits.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/checkpoint/shard_index.h"
#include "engine/checkpoint/tensor_aliases.h"
#include "engine/checkpoint/tensor_spec.h"

namespace engram {
namespace {

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";
constexpr std::size_t kNamesShownMax = 8;

bool Exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

// `status` with the file it is about in front.
absl::Status InFile(const std::string& file, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(file, ": ", status.message()));
}

class DirectoryCheckpoint final : public Checkpoint {
 public:
  explicit DirectoryCheckpoint(std::string directory) : directory_(std::move(directory)) {}

  absl::Status OpenAll() {
    const bool single = Exists(directory_ + "/" + kSingleFile);
    const bool sharded = Exists(directory_ + "/" + kIndexFile);
    if (single && sharded) {
      return absl::FailedPreconditionError(
          absl::StrCat(directory_, " has both ", kSingleFile, " and ", kIndexFile,
                       "; remove the one that is not this checkpoint's"));
    }
    if (!single && !sharded) {
      return absl::NotFoundError(absl::StrCat(directory_, " has neither ", kSingleFile, " nor ",
                                              kIndexFile,
                                              "; is it a checkpoint in Hugging Face layout?"));
    }
    return single ? AddFile(kSingleFile, nullptr) : OpenShards();
  }

  absl::StatusOr<const TensorInfo*> Get(const TensorSpec& spec) override {
    const auto found = tensors_.find(spec.name);
    if (found == tensors_.end()) {
      if (spec.optional) return nullptr;
      return absl::NotFoundError(absl::StrCat(directory_, ": tensor '", spec.name,
                                              "' is missing; expected ", SpecToString(spec)));
    }
    found->second.asked_for = true;
    RETURN_IF_ERROR(CheckTensor(found->second.info, spec));
    return &found->second.info;
  }

  const TensorInfo* Find(const std::string& name) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second.info;
  }

  absl::Status CheckNothingLeft(
      const std::function<bool(std::string_view name)>& ignore) const override {
    std::vector<const TensorInfo*> left;
    for (const auto& [name, tensor] : tensors_) {
      if (!tensor.asked_for && !ignore(name)) left.push_back(&tensor.info);
    }
    if (left.empty()) return absl::OkStatus();
    std::sort(left.begin(), left.end(),
              [](const TensorInfo* a, const TensorInfo* b) { return a->name < b->name; });
    std::string names;
    for (std::size_t i = 0; i < std::min(left.size(), kNamesShownMax); ++i) {
      absl::StrAppend(&names, i == 0 ? "" : ", ", left[i]->name, " (", left[i]->file, ")");
    }
    if (left.size() > kNamesShownMax) absl::StrAppend(&names, ", …");
    return absl::InvalidArgumentError(absl::StrCat(
        directory_, ": ", left.size(), left.size() == 1 ? " tensor has" : " tensors have",
        " no place in the model that config.json describes: ", names));
  }

  std::int64_t total_bytes() const override { return total_bytes_; }

 private:
  struct Tensor {
    TensorInfo info;
    bool asked_for = false;
  };

  absl::Status OpenShards() {
    ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(directory_ + "/" + kIndexFile));
    if (file.bytes().size() > limits::kConfigFileBytesMax) {
      return InFile(kIndexFile, absl::InvalidArgumentError(
                                    absl::StrCat(file.bytes().size(), " bytes; at most ",
                                                 limits::kConfigFileBytesMax, " are allowed")));
    }
    const auto index =
        ParseShardIndex({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()});
    if (!index.ok()) return InFile(directory_ + "/" + kIndexFile, index.status());
    std::set<std::string> shards;
    for (const auto& [name, shard] : *index) shards.insert(shard);
    for (const std::string& shard : shards) RETURN_IF_ERROR(AddFile(shard, &*index));
    return CheckIndexComplete(*index);
  }

  // Maps a file and adds its tensors; all of them must be where `index` (null: no index) says.
  absl::Status AddFile(const std::string& name, const ShardIndex* index) {
    const std::string path = directory_ + "/" + name;
    auto file = MappedFile::Open(path);
    if (absl::IsNotFound(file.status()) && index != nullptr) {
      return absl::NotFoundError(
          absl::StrCat(path, ": there is no such file, but ", kIndexFile, " names it"));
    }
    if (!file.ok()) return file.status();
    auto tensors = ParseSafetensors(file->bytes());
    if (!tensors.ok()) return InFile(path, tensors.status());
    for (SafetensorsTensor& tensor : *tensors) {
      const auto offset = static_cast<std::uint64_t>(tensor.bytes.data() - file->bytes().data());
      TensorPlace place{.path = path, .offset = offset, .identity = file->identity()};
      if (index != nullptr) RETURN_IF_ERROR(CheckPlace(path, name, tensor.name, *index));
      RETURN_IF_ERROR(AddTensor(name, std::move(tensor), std::move(place)));
    }
    files_.push_back(*std::move(file));
    return absl::OkStatus();
  }

  // `tensor` was found in the file `name`: that is where the index must say it is.
  static absl::Status CheckPlace(const std::string& path, const std::string& name,
                                 const std::string& tensor, const ShardIndex& index) {
    const auto entry = index.find(tensor);
    if (entry == index.end()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": tensor '", tensor, "' is here, but ",
                                                     kIndexFile, " does not name it"));
    }
    if (entry->second == name) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(path, ": tensor '", tensor, "' is here, but ",
                                                   kIndexFile, " says it is in ", entry->second));
  }

  absl::Status AddTensor(const std::string& file, SafetensorsTensor tensor, TensorPlace place) {
    const auto canonical = CanonicalTensorName(tensor.name);
    if (!canonical.ok()) return InFile(directory_ + "/" + file, canonical.status());
    const auto other = tensors_.find(*canonical);
    if (other != tensors_.end()) {
      return InFile(
          directory_ + "/" + file,
          absl::InvalidArgumentError(absl::StrCat(
              "tensor '", tensor.name, "' is another spelling of '", other->second.info.name,
              "' in ", other->second.info.file, "; keep one of them")));
    }
    total_bytes_ += static_cast<std::int64_t>(tensor.bytes.size());
    tensors_[*canonical].info = {.name = std::move(tensor.name),
                                 .dtype = tensor.dtype,
                                 .shape = std::move(tensor.shape),
                                 .bytes = tensor.bytes,
                                 .file = file,
                                 .place = std::move(place)};
    return absl::OkStatus();
  }

  absl::Status CheckIndexComplete(const ShardIndex& index) const {
    if (index.size() == tensors_.size()) return absl::OkStatus();
    std::set<std::string_view> present;
    for (const auto& [canonical, tensor] : tensors_) present.insert(tensor.info.name);
    for (const auto& [name, shard] : index) {
      if (present.count(name) > 0) continue;
      return InFile(directory_ + "/" + shard,
                    absl::InvalidArgumentError(absl::StrCat("tensor '", name, "' is not here, but ",
                                                            kIndexFile, " says so")));
    }
    return absl::OkStatus();
  }

  const std::string directory_;
  std::vector<MappedFile> files_;
  std::unordered_map<std::string, Tensor> tensors_;  // by canonical name
  std::int64_t total_bytes_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Checkpoint>> Checkpoint::Open(const std::string& directory) {
  auto checkpoint = std::make_unique<DirectoryCheckpoint>(directory);
  RETURN_IF_ERROR(checkpoint->OpenAll());
  return checkpoint;
}

}  // namespace engram
