// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/table_report.h"

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

namespace engram::bench {
namespace {

const char* StateName(CacheState state) { return state == CacheState::kWarm ? "warm" : "cold"; }

// "26.3 M", "71.2 k"
std::string Rate(double per_second) {
  if (per_second >= 1e6) return absl::StrFormat("%.1f M", per_second * 1e-6);
  if (per_second >= 1e3) return absl::StrFormat("%.1f k", per_second * 1e-3);
  return absl::StrFormat("%.0f", per_second);
}

// "87 %"; nothing if there is nothing to hold it against.
std::string Share(double rate, double of) {
  return of > 0 ? absl::StrFormat("%.0f %%", 100 * rate / of) : "";
}

std::string LimitsTable(const TableReport& report) {
  const TableLimits& limits = report.limits;
  std::string out = "| limit, measured in this run | |\n|---|--:|\n";
  for (const auto& [threads, rate] : limits.memory_rows_per_s) {
    absl::StrAppendFormat(
        &out, "| memory: random rows, %d thread%s, %.2f GB, %.0f %% on huge pages | %s rows/s |\n",
        threads, threads == 1 ? "" : "s", 1e-9 * static_cast<double>(limits.memory_bytes),
        100 * limits.memory_huge_page_share, Rate(rate));
  }
  for (const auto& [depth, rate] : limits.disk_reads_per_s) {
    absl::StrAppendFormat(&out, "| drive: random 4 KiB reads, %d at a time, %s | %s reads/s |\n",
                          depth, limits.disk_way, Rate(rate));
  }
  if (limits.disk_sequential_bytes_per_s > 0) {
    absl::StrAppendFormat(&out, "| drive: front to back, 4 MiB reads | %.2f GB/s |\n",
                          1e-9 * limits.disk_sequential_bytes_per_s);
  }
  return out;
}

std::string LoadsTable(const TableReport& report) {
  if (report.loads.empty()) return "";
  std::string out =
      "\n| load | seconds | GB/s | of the drive's sequential rate | on huge pages |\n"
      "|---|--:|--:|--:|--:|\n";
  for (const TableLoad& load : report.loads) {
    const double rate = static_cast<double>(report.table_bytes()) / load.seconds;
    const double sequential = report.limits.disk_sequential_bytes_per_s;
    absl::StrAppendFormat(&out, "| %s | %.2f | %.2f | %s | %.0f %% |\n", load.storage, load.seconds,
                          1e-9 * rate, Share(rate, sequential), 100 * load.huge_page_share);
  }
  return out;
}

std::string RunsTable(const TableReport& report) {
  std::string out =
      "| storage | state | ids | threads | batch | rows/s | Gather p50 µs | p99 µs | of limit | "
      "of bare batches | rows checked |\n|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
  for (const TableRun& run : report.runs) {
    const GatherRunResult& result = run.result;
    absl::StrAppendFormat(
        &out, "| %s | %s | %s | %d | %d | %s | %.1f | %.1f | %s | %s | %d of %d |\n", run.storage,
        StateName(run.state), run.ids, run.threads, run.batch, Rate(result.rows_per_s),
        result.p50_us, result.p99_us, Share(result.rows_per_s, run.limit_rows_per_s),
        Share(result.rows_per_s, run.bare_batches_rows_per_s), result.checked, result.rows);
  }
  return out;
}

}  // namespace

std::string MarkdownReport(const TableReport& report) {
  std::string out = absl::StrFormat(
      "Layer %d of %s: %d rows of %d bytes, %.2f GB\n\n", report.layer_id, report.directory,
      report.table_rows, report.row_bytes, 1e-9 * static_cast<double>(report.table_bytes()));
  out += LimitsTable(report) + LoadsTable(report) + "\n" + RunsTable(report);
  for (const std::string& note : report.notes) out += "\n" + note + "\n";
  return out;
}

std::string JsonReport(const TableReport& report) {
  using Json = nlohmann::ordered_json;
  const auto by_count = [](const std::map<int, double>& rates) {
    Json json = Json::object();
    for (const auto& [count, rate] : rates) json[std::to_string(count)] = rate;
    return json;
  };
  Json loads = Json::array();
  for (const TableLoad& load : report.loads) {
    loads.push_back({{"storage", load.storage},
                     {"seconds", load.seconds},
                     {"huge_page_share", load.huge_page_share}});
  }
  Json runs = Json::array();
  for (const TableRun& run : report.runs) {
    runs.push_back({{"storage", run.storage},
                    {"state", StateName(run.state)},
                    {"ids", run.ids},
                    {"threads", run.threads},
                    {"batch", run.batch},
                    {"rows_per_s", run.result.rows_per_s},
                    {"gather_p50_us", run.result.p50_us},
                    {"gather_p99_us", run.result.p99_us},
                    {"rows", run.result.rows},
                    {"rows_checked", run.result.checked},
                    {"limit_rows_per_s", run.limit_rows_per_s},
                    {"bare_batches_rows_per_s", run.bare_batches_rows_per_s}});
  }
  const TableLimits& limits = report.limits;
  const Json json = {{"directory", report.directory},
                     {"layer", report.layer_id},
                     {"table_rows", report.table_rows},
                     {"row_bytes", report.row_bytes},
                     {"limits",
                      {{"memory_bytes", limits.memory_bytes},
                       {"memory_huge_page_share", limits.memory_huge_page_share},
                       {"memory_rows_per_s_by_threads", by_count(limits.memory_rows_per_s)},
                       {"disk_reads_per_s_by_depth", by_count(limits.disk_reads_per_s)},
                       {"disk_way", limits.disk_way},
                       {"disk_sequential_bytes_per_s", limits.disk_sequential_bytes_per_s}}},
                     {"loads", std::move(loads)},
                     {"runs", std::move(runs)},
                     {"notes", report.notes}};
  return json.dump(1) + "\n";
}

}  // namespace engram::bench
