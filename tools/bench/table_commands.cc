// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table_commands.h"

#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "tools/bench/checkpoint/checkpoint_commands.h"
#include "tools/bench/table/table_command.h"
#include "tools/bench/table/table_report.h"

namespace engram::bench {
namespace {

absl::Status Measure(const TableOptions& options) {
  ASSIGN_OR_RETURN(const TableReport report, RunTable(options));
  std::fputs(MarkdownReport(report).c_str(), stdout);
  if (options.json_path.empty()) return absl::OkStatus();
  std::ofstream file(options.json_path);
  file << JsonReport(report);
  file.close();
  if (file.good()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(options.json_path, ": cannot write"));
}

}  // namespace

struct TableCommands::Impl {
  MakeCheckpointOptions make_options;
  CheckTablesOptions check_options;
  TableOptions table_options;
  const CLI::App* make = nullptr;
  const CLI::App* check = nullptr;
  const CLI::App* table = nullptr;
};

TableCommands::TableCommands(CLI::App* app) : impl_(std::make_unique<Impl>()) {
  CLI::App* make = app->add_subcommand(
      "make-checkpoint", "Make a checkpoint with generated Engram tables of any size");
  AddMakeCheckpointFlags(*make, &impl_->make_options);
  CLI::App* check = app->add_subcommand("check-tables", "Read random rows of one and check them");
  AddCheckTablesFlags(*check, &impl_->check_options);
  CLI::App* table = app->add_subcommand("table", "Measure its tables, storage by storage");
  AddTableFlags(*table, &impl_->table_options);
  impl_->make = make;
  impl_->check = check;
  impl_->table = table;
}

TableCommands::~TableCommands() = default;

std::optional<absl::Status> TableCommands::RunIfNamed() const {
  if (impl_->make->parsed()) return RunMakeCheckpoint(impl_->make_options);
  if (impl_->check->parsed()) return RunCheckTables(impl_->check_options);
  if (impl_->table->parsed()) return Measure(impl_->table_options);
  return std::nullopt;
}

}  // namespace engram::bench
