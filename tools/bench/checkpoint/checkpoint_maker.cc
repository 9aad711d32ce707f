// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/checkpoint_maker.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/limits.h"
#include "config/read_file.h"
#include "engine/engram/engram_layout.h"
#include "engine/engram/token_map.h"
#include "server/text/token_sources.h"
#include "server/text/tokenizer.h"
#include "tools/bench/checkpoint/row_content.h"
#include "tools/bench/checkpoint/table_mark.h"
#include "tools/bench/checkpoint/table_writer.h"
#include "tools/bench/checkpoint/tensor_list.h"
#include "tools/bench/checkpoint/weight_writer.h"

namespace engram::bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTokenizerFiles[] = {"tokenizer.json", "tokenizer_config.json"};
// Beside weights and tables: headers, index, tokenizer.
constexpr std::int64_t kOtherBytes = 64 << 20;

// Without the slashes that a shell's completion leaves at the end.
std::string OutPath(const MakeCheckpointOptions& options) {
  std::string path = options.out_directory;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string PartialPath(const MakeCheckpointOptions& options) {
  return OutPath(options) + ".partial";
}

std::int64_t SumBytes(const std::vector<ShardTensor>& tensors) {
  std::int64_t bytes = 0;
  for (const ShardTensor& tensor : tensors) bytes += tensor.bytes();
  return bytes;
}

absl::Status CheckTokenizer(const ModelConfig& config, const std::string& directory) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, Tokenizer::Load(directory));
  if (tokenizer->size() > config.vocab_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        directory, ": the tokenizer has ", tokenizer->size(), " ids, more than vocab_size, ",
        config.vocab_size, "; raise vocab_size or take another tokenizer"));
  }
  return CheckTokenMap(config.engram, BuildTokenMap(TokenSources(*tokenizer)));
}

absl::Status CheckIsNew(const std::string& path, const char* what_to_do) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(path, " exists already; ", what_to_do));
}

absl::Status CheckRoom(const std::string& directory, std::int64_t bytes) {
  const fs::path parent = fs::absolute(directory).parent_path();
  struct statvfs info {};
  if (::statvfs(parent.c_str(), &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(parent.string(), ": cannot be written to"));
  }
  const std::int64_t available =
      static_cast<std::int64_t>(info.f_bavail) * static_cast<std::int64_t>(info.f_frsize);
  if (bytes <= available) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat(
      "%s: the checkpoint takes %.2f GB and the disk has %.2f GB free; nothing was written",
      directory, 1e-9 * static_cast<double>(bytes), 1e-9 * static_cast<double>(available)));
}

absl::Status CopyFile(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::copy_file(from, to, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot copy ", from, " to ", to, ": ", error.message()));
}

std::string TableFile(const ModelConfig& config, std::size_t index, const char* part) {
  return absl::StrCat("model-engram-layer-", config.engram.layer_ids[index], part, ".safetensors");
}

// "….embed.weight" → "….embed.scale"
std::string ScaleName(const std::string& values_name) {
  constexpr std::size_t kWeight = sizeof("weight") - 1;
  return values_name.substr(0, values_name.size() - kWeight) + "scale";
}

absl::Status WriteFiles(const MakeCheckpointOptions& options, const CheckpointPlan& plan,
                        const std::string& directory, const MakeProgress& progress) {
  for (const char* name : kTokenizerFiles) {
    RETURN_IF_ERROR(
        CopyFile(absl::StrCat(options.tokenizer_directory, "/", name), directory + "/" + name));
  }
  RETURN_IF_ERROR(WriteTextFile(directory + "/config.json", plan.config_json));
  RETURN_IF_ERROR(WriteTableMark(directory, {.seed = options.seed}));

  ShardMap shards;
  const std::string weights_file = "model-weights.safetensors";
  const auto report = [&](const std::string& file) {
    return [&progress, file](std::int64_t bytes) { progress(file, bytes); };
  };
  for (const ShardTensor& tensor : plan.weights) shards.emplace_back(tensor.name, weights_file);
  RETURN_IF_ERROR(WriteDummyShard(directory + "/" + weights_file, plan.weights, plan.weight_stds,
                                  options.seed, report(weights_file)));
  for (std::size_t i = 0; i < plan.tables.size(); ++i) {
    const RowContent content(options.seed, plan.config.engram.layer_ids[i], plan.row_format);
    const auto write = [&](const ShardTensor& tensor, const char* part, const FillTensor& fill) {
      const std::string file = TableFile(plan.config, i, part);
      shards.emplace_back(tensor.name, file);
      return WriteTableShard(directory + "/" + file, tensor, fill, options.threads, report(file));
    };
    RETURN_IF_ERROR(
        write(plan.tables[i], "", [&](std::int64_t offset, std::size_t bytes, std::byte* out) {
          content.FillValues(offset, bytes, out);
        }));
    if (plan.scales.empty()) continue;
    RETURN_IF_ERROR(write(plan.scales[i], "-scales",
                          [&](std::int64_t offset, std::size_t bytes, std::byte* out) {
                            content.FillScales(offset, bytes, out);
                          }));
  }
  return WriteIndex(directory, shards, plan.weight_bytes() + plan.table_bytes());
}

}  // namespace

std::int64_t CheckpointPlan::weight_bytes() const { return SumBytes(weights); }
std::int64_t CheckpointPlan::table_bytes() const { return SumBytes(tables) + SumBytes(scales); }

absl::StatusOr<CheckpointPlan> PlanCheckpoint(const MakeCheckpointOptions& options) {
  CheckpointPlan plan;
  ASSIGN_OR_RETURN(plan.config_json,
                   ReadSmallFile(options.config_path, limits::kConfigFileBytesMax));
  ASSIGN_OR_RETURN(plan.config, ModelConfig::Parse(plan.config_json));
  if (!plan.config.has_engram()) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.config_path, ": engram_layer_ids names no layer, so there is no table to make"));
  }
  RETURN_IF_ERROR(CheckTokenizer(plan.config, options.tokenizer_directory));
  ASSIGN_OR_RETURN(const TensorList list, ListTensors(plan.config));
  for (const TensorSpec& spec : list.weights) {
    plan.weights.push_back({.name = spec.name, .dtype = plan.config.dtype, .shape = spec.shape});
    plan.weight_stds.push_back(spec.dummy_std);
  }
  plan.row_format =
      MadeFormat(options.table_dtype.value_or(plan.config.dtype), plan.config.engram.head_dim);
  for (const TensorSpec& spec : list.tables) {
    plan.tables.push_back({.name = spec.name, .dtype = plan.row_format.dtype, .shape = spec.shape});
    if (!plan.row_format.scaled()) continue;
    plan.scales.push_back({.name = ScaleName(spec.name),
                           .dtype = plan.row_format.scale_dtype,
                           .shape = {spec.shape[0], plan.row_format.scales()}});
  }
  RETURN_IF_ERROR(CheckIsNew(OutPath(options), "remove it or choose another --out"));
  RETURN_IF_ERROR(CheckIsNew(PartialPath(options),
                             "another run writes it, or one was interrupted: remove it then"));
  RETURN_IF_ERROR(
      CheckRoom(OutPath(options), plan.weight_bytes() + plan.table_bytes() + kOtherBytes));
  return plan;
}

absl::Status MakeCheckpoint(const MakeCheckpointOptions& options, const CheckpointPlan& plan,
                            const MakeProgress& progress) {
  const std::string partial = PartialPath(options);
  std::error_code error;
  if (!fs::create_directory(partial, error)) {
    return absl::UnavailableError(absl::StrCat(partial, ": cannot be made: ", error.message()));
  }
  const absl::Status status = WriteFiles(options, plan, partial, progress);
  if (status.ok()) {
    fs::rename(partial, OutPath(options), error);
    if (!error) return absl::OkStatus();
  }
  std::error_code ignored;
  fs::remove_all(partial, ignored);
  if (!status.ok()) return status;
  return absl::UnavailableError(
      absl::StrCat(options.out_directory, ": cannot rename to it: ", error.message()));
}

}  // namespace engram::bench
