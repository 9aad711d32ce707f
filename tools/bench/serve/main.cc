// SPDX-License-Identifier: Apache-2.0
// engram-bench: measures servers that speak OpenAI's HTTP API or engram.v1 over gRPC, and compares
// results. That part shares no code with the server; what measures Engram tables (table_commands.h)
// does.
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "base/strings.h"
#include "tools/bench/serve/compare.h"
#include "tools/bench/serve/options.h"
#include "tools/bench/serve/result.h"
#include "tools/bench/serve/serve_command.h"
#include "tools/bench/serve/write_file.h"
#include "tools/bench/table_commands.h"

namespace engram::bench {
namespace {

int Complain(const absl::Status& status) {
  std::fprintf(stderr, "engram-bench: %s\n", Message(status).c_str());
  return 1;
}

// 0: measured, even if requests failed: the report says so. 2: not one succeeded.
int Serve(const RawFlags& raw, Options* options) {
  if (const absl::Status status = ResolveOptions(raw, options); !status.ok()) {
    return Complain(status);
  }
  const absl::StatusOr<RunResult> result = RunServe(options);
  if (!result.ok()) return Complain(result.status());
  std::fputs(ConsoleReport(*result, *options).c_str(), stdout);
  std::vector<std::string> written;
  const absl::Status saved = SaveResult(*result, *options, &written);
  for (const std::string& path : written) std::printf("Written: %s\n", path.c_str());
  if (!saved.ok()) return Complain(saved);
  return result->metrics.completed > 0 ? 0 : 2;
}

int Compare(const std::string& a_path, const std::string& b_path, const std::string& html) {
  const auto a = ReadResult(a_path);
  if (!a.ok()) return Complain(a.status());
  const auto b = ReadResult(b_path);
  if (!b.ok()) return Complain(b.status());
  std::printf("A: %s\nB: %s\n", a_path.c_str(), b_path.c_str());
  std::fputs(ComparisonText(CompareResults(*a, *b)).c_str(), stdout);
  if (html.empty()) return 0;
  const absl::Status written =
      WriteFile(html, ComparisonHtml({a_path, *a}, {b_path, *b}), /*append=*/false);
  if (!written.ok()) return Complain(written);
  std::printf("Written: %s\n", html.c_str());
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Measures LLM servers over HTTP (OpenAI's API) and gRPC (engram.v1), and tables.",
               "engram-bench");
  app.require_subcommand(1);
  Options options;
  RawFlags raw;
  CLI::App* serve = app.add_subcommand("serve", "Send a load, report latencies and throughput");
  AddServeFlags(*serve, &options, &raw);
  std::string a_path, b_path, html;
  CLI::App* compare = app.add_subcommand("compare", "Two result files side by side");
  compare->add_option("A", a_path, "Result file")->required();
  compare->add_option("B", b_path, "Result file")->required();
  compare->add_option("--html", html, "Write both runs' plots on the same axes, one file");
  const TableCommands tables(&app);
  CLI11_PARSE(app, argc, argv);
  if (const std::optional<absl::Status> done = tables.RunIfNamed(); done.has_value()) {
    return done->ok() ? 0 : Complain(*done);
  }
  return serve->parsed() ? Serve(raw, &options) : Compare(a_path, b_path, html);
}

}  // namespace
}  // namespace engram::bench

int main(int argc, char** argv) { return engram::bench::Main(argc, argv); }
