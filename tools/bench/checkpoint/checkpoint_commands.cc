// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/checkpoint_commands.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/status_macros.h"
#include "config/limits.h"
#include "tools/bench/checkpoint/table_checker.h"

namespace engram::bench {
namespace {

using SteadyTime = std::chrono::steady_clock;

double SecondsSince(SteadyTime::time_point begin) {
  return std::chrono::duration<double>(SteadyTime::now() - begin).count();
}

double Gigabytes(std::int64_t bytes) { return 1e-9 * static_cast<double>(bytes); }

// Rewritten in place on a terminal, a line every ten seconds anywhere else.
class MakeProgressLine {
 public:
  explicit MakeProgressLine(std::int64_t total_bytes)
      : terminal_(isatty(STDERR_FILENO) != 0), total_bytes_(total_bytes) {}

  void Show(const std::string& file, std::int64_t file_bytes) {
    if (file != file_) {
      done_bytes_ += file_bytes_;
      file_ = file;
    }
    file_bytes_ = file_bytes;
    if (SecondsSince(shown_) < (terminal_ ? 0.5 : 10)) return;
    shown_ = SteadyTime::now();
    const double done = Gigabytes(done_bytes_ + file_bytes_);
    const double rate = done / std::max(SecondsSince(began_), 1e-3);
    const double left = Gigabytes(total_bytes_) - done;
    std::fprintf(stderr, "%s%.2f of %.2f GB, %.2f GB/s, %.0f s left: %s%s",
                 terminal_ ? "\r\033[K" : "", done, Gigabytes(total_bytes_), rate,
                 rate > 0 ? left / rate : 0.0, file.c_str(), terminal_ ? "" : "\n");
  }
  void End() const {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }

 private:
  const bool terminal_;
  const std::int64_t total_bytes_;
  const SteadyTime::time_point began_ = SteadyTime::now();
  SteadyTime::time_point shown_ = began_;
  std::string file_;
  std::int64_t file_bytes_ = 0;
  std::int64_t done_bytes_ = 0;  // of the files before
};

// By name, those that tables may have.
const std::map<std::string, DType>& TableDTypes() {
  static const std::map<std::string, DType> kTypes = [] {
    std::map<std::string, DType> types;
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kF8E4M3, DType::kI8}) {
      types.emplace(DTypeName(dtype), dtype);
    }
    return types;
  }();
  return kTypes;
}

}  // namespace

void AddMakeCheckpointFlags(CLI::App& command, MakeCheckpointOptions* options) {
  command.add_option("--config", options->config_path, "config.json of a model with Engram")
      ->required();
  command
      .add_option("--tokenizer", options->tokenizer_directory,
                  "Directory whose tokenizer.json and tokenizer_config.json are copied")
      ->required();
  command.add_option("--out", options->out_directory, "Directory to make; must not exist")
      ->required();
  command.add_option("--seed", options->seed, "Of rows and weights")->capture_default_str();
  command
      .add_option_function<std::string>(
          "--table-dtype",
          [options](const std::string& name) { options->table_dtype = TableDTypes().at(name); },
          "Of the tables' values: bf16, f16, f32, f8_e4m3 or i8; without it, the config's")
      ->check(CLI::IsMember(TableDTypes()));
  options->threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  command.add_option("--threads", options->threads, "That compute and write the tables")
      ->check(CLI::Range(1, limits::kThreadsMax))
      ->capture_default_str();
}

absl::Status RunMakeCheckpoint(const MakeCheckpointOptions& options) {
  const auto began = SteadyTime::now();
  ASSIGN_OR_RETURN(const CheckpointPlan plan, PlanCheckpoint(options));
  std::printf("%s: %.2f GB of tables, %.2f GB of other weights\n", options.out_directory.c_str(),
              Gigabytes(plan.table_bytes()), Gigabytes(plan.weight_bytes()));
  for (std::size_t i = 0; i < plan.tables.size(); ++i) {
    const ShardTensor& table = plan.tables[i];
    std::printf("  layer %d: %lld rows of %d values, %lld bytes each\n",
                plan.config.engram.layer_ids[i], static_cast<long long>(table.shape[0]),
                plan.config.engram.head_dim, static_cast<long long>(plan.row_format.row_bytes()));
  }
  std::fflush(stdout);
  MakeProgressLine line(plan.table_bytes() + plan.weight_bytes());
  const absl::Status made = MakeCheckpoint(
      options, plan, [&](const std::string& file, std::int64_t bytes) { line.Show(file, bytes); });
  line.End();
  RETURN_IF_ERROR(made);
  const double seconds = SecondsSince(began);
  std::printf("Written in %.1f s, %.2f GB/s\n", seconds,
              Gigabytes(plan.table_bytes() + plan.weight_bytes()) / seconds);
  return absl::OkStatus();
}

void AddCheckTablesFlags(CLI::App& command, CheckTablesOptions* options) {
  command.add_option("directory", options->directory, "What make-checkpoint made")->required();
  command.add_option("--rows", options->rows, "Random rows of each table")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--seed", options->pick_seed, "Picks the rows")->capture_default_str();
}

absl::Status RunCheckTables(const CheckTablesOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<CheckedTable> tables,
                   CheckTables(options.directory, options.rows, options.pick_seed));
  for (const CheckedTable& table : tables) {
    std::printf("layer %d: %lld of %lld rows read, all as the formula gives them\n", table.layer_id,
                static_cast<long long>(table.checked), static_cast<long long>(table.rows));
  }
  return absl::OkStatus();
}

}  // namespace engram::bench
