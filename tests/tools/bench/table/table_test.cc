// SPDX-License-Identifier: Apache-2.0
// `engram-bench table` on a small generated checkpoint: what it asks for, that it checks what comes
// back, and that its report says what was done. Never how fast.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/bench/checkpoint/checkpoint_maker.h"
#include "tools/bench/table/disk_limit.h"
#include "tools/bench/table/gather_run.h"
#include "tools/bench/table/memory_limit.h"
#include "tools/bench/table/row_batches.h"
#include "tools/bench/table/storages.h"
#include "tools/bench/table/table_command.h"
#include "tools/bench/table/table_report.h"

namespace engram::bench {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kTiny[] = "tests/testdata/tiny/engram_paper";

// Made once for all tests.
std::string Generated() {
  static const std::string directory = [] {
    const std::string out = testing::TempDir() + "/generated";
    fs::remove_all(out);
    const MakeCheckpointOptions options = {.config_path = std::string(kTiny) + "/config.json",
                                           .tokenizer_directory = kTiny,
                                           .out_directory = out};
    const auto plan = PlanCheckpoint(options);
    EXPECT_TRUE(plan.ok()) << plan.status();
    EXPECT_TRUE(MakeCheckpoint(options, *plan, [](const std::string&, std::int64_t) {}).ok());
    return out;
  }();
  return directory;
}

std::vector<std::int64_t> RowsOf(const RowBatches& batches) {
  std::vector<std::int64_t> rows;
  for (const RowCopy& copy : batches.copies) rows.push_back(copy.row);
  return rows;
}

void ExpectAscendingBatches(const RowBatches& batches, std::int64_t table_rows) {
  for (std::size_t i = 0; i < batches.count(); ++i) {
    const auto batch = batches.batch(i);
    EXPECT_TRUE(std::ranges::is_sorted(batch, {}, &RowCopy::row));
    for (int k = 0; k < batches.size; ++k) {
      EXPECT_EQ(batch[k].to, k);
      EXPECT_GE(batch[k].row, 0);
      EXPECT_LT(batch[k].row, table_rows);
    }
  }
}

TEST(RowBatchesTest, RandomOnesAreWholeAscendingAndOfTheSeed) {
  const RowBatches batches = RandomBatches(1000, 8, 100, 3);
  EXPECT_EQ(batches.count(), 12u);
  ExpectAscendingBatches(batches, 1000);
  EXPECT_EQ(RowsOf(batches), RowsOf(RandomBatches(1000, 8, 100, 3)));
  EXPECT_NE(RowsOf(batches), RowsOf(RandomBatches(1000, 8, 100, 4)));
  EXPECT_EQ(RandomBatches(1000, 64, 1, 0).count(), 1u) << "one whole batch at least";
}

TEST(RowBatchesTest, TextOnesAreTheHashersRowsOfConsecutiveTokens) {
  const std::string path = testing::TempDir() + "/some.txt";
  std::ofstream(path) << "The horse is a kind of equine. The horse is a kind of equine.";
  const auto opened = OpenGenerated(Generated());
  ASSERT_TRUE(opened.ok()) << opened.status();
  const auto text = ReadTextTokens(path, Generated(), opened->config);
  ASSERT_TRUE(text.ok()) << text.status();
  ASSERT_GT(text->ids.size(), 10u);
  const int lookups = text->hasher.lookups();
  const RowBatches batches = TextBatches(text->hasher, 1, text->ids, 4, lookups, 3 * lookups);
  ASSERT_EQ(batches.count(), 3u);
  ExpectAscendingBatches(batches, text->hasher.table_rows(1));
  std::vector<std::int32_t> window(text->ids.size() + text->hasher.lookback());
  text->hasher.FillWindow({}, text->ids, window);
  std::vector<std::int64_t> rows(text->ids.size() * lookups);
  text->hasher.HashRows(1, window, rows.data());
  for (int token = 4; token < 7; ++token) {
    std::ranges::sort(std::span(rows).subspan(token * lookups, lookups));
    for (int i = 0; i < lookups; ++i) {
      EXPECT_EQ(batches.batch(token - 4)[i].row, rows[token * lookups + i]) << "token " << token;
    }
  }
}

TEST(GatherRunTest, ChecksEveryRowOfEveryThread) {
  const auto opened = OpenTable("mmap", Generated(), 1, 0);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const std::vector<RowBatches> batches = {RandomBatches(5344, 16, 4000, 0),
                                           RandomBatches(5344, 16, 4000, 1)};
  const RowContent& content = opened->checkpoint.tables[1].content;
  EXPECT_TRUE(WarmUp(*opened->table, batches).ok());
  const auto repeated = RunGather(*opened->table, content, batches,
                                  {.seconds = 0.01, .check_every = 0, .repeat = true});
  ASSERT_TRUE(repeated.ok());
  EXPECT_EQ(repeated->checked, 0);
  const std::vector<RowBatches> one = {batches[0]};
  const auto once = RunGather(*opened->table, content, one, {.seconds = 100, .repeat = false});
  ASSERT_TRUE(once.ok()) << once.status();
  EXPECT_EQ(once->rows, 4000);
  EXPECT_EQ(once->checked, 4000);
  EXPECT_GT(once->rows_per_s, 0);
  EXPECT_LE(once->p50_us, once->p99_us);
  const auto some = RunGather(*opened->table, content, one,
                              {.seconds = 100, .check_every = 100, .repeat = false});
  ASSERT_TRUE(some.ok());
  EXPECT_EQ(some->checked, 40);
}

TEST(GatherRunTest, AWrongRowIsAnErrorThatNamesIt) {
  const auto opened = OpenTable("mmap", Generated(), 0, 0);
  ASSERT_TRUE(opened.ok()) << opened.status();
  // The rows that another seed would have given.
  const RowContent other(99, 1, MadeFormat(DType::kF32, 8));
  RowBatches batches = RandomBatches(4972, 1, 1, 0);
  batches.copies[0].row = 77;
  const auto result = RunGather(*opened->table, other, {batches}, {.repeat = false});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(result.status()), HasSubstr("row 77 of 4972"));
}

TEST(MemoryLimitTest, SaysWhatItMeasured) {
  const auto limit = MeasureMemoryLimit(8 << 20, 320, {1, 2});
  ASSERT_TRUE(limit.ok()) << limit.status();
  ASSERT_EQ(limit->rows_per_s.size(), 2u);
  EXPECT_GT(limit->rows_per_s[0], 0);
  EXPECT_GE(limit->huge_page_share, 0);
  EXPECT_LE(limit->huge_page_share, 1);
  EXPECT_GT(FreeMemoryBytes(), 0);
}

TEST(DiskLimitTest, BringsAFileIntoTheCacheAndReadsIt) {
  const std::string path = Generated() + "/model-engram-layer-1.safetensors";
  ASSERT_TRUE(BringIntoCache(path).ok());
  EXPECT_EQ(*CachedShare(path), 1.0);
  EXPECT_TRUE(DropFromCache(path).ok());
  EXPECT_THAT(Message(DropFromCache("no/such")), HasSubstr("no/such"));
  const auto sequential = MeasureSequentialReads(path, 2, 10);
  if (absl::IsUnimplemented(sequential.status())) return;  // a file system without O_DIRECT
  ASSERT_TRUE(sequential.ok()) << sequential.status();
  EXPECT_GT(sequential->bytes_per_s, 0);
  const auto random = MeasureRandomReads(path, 4, 0.05);
  ASSERT_TRUE(random.ok()) << random.status();
  EXPECT_GT(random->reads_per_s, 0);
}

TEST(TableCommandTest, ReportsEveryCombination) {
  const std::string text_path = testing::TempDir() + "/long.txt";
  std::ofstream text(text_path);
  for (int i = 0; i < 300; ++i) text << "Row " << i << " of a text about horses. ";
  text.close();
  TableOptions options;
  options.directory = Generated();
  options.layer = 3;
  options.storages = {"mmap"};
  options.batches = {8, 32};
  options.text_path = text_path;
  options.seconds = 0.02;
  options.rows = 500;
  const auto report = RunTable(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->layer_id, 3);
  EXPECT_EQ(report->table_rows, 5344);
  EXPECT_EQ(report->row_bytes, 32);
  // Without cold ones where the system keeps the file in its cache, which is then said.
  const std::size_t left_out = report->notes.empty() ? 0 : 8;
  EXPECT_EQ(report->runs.size(), 2u * 2 * 2 * 2 - left_out) << MarkdownReport(*report);
  for (const TableRun& run : report->runs) {
    EXPECT_GT(run.result.rows, 0);
    EXPECT_EQ(run.result.checked, run.result.rows);
  }
  EXPECT_THAT(MarkdownReport(*report), HasSubstr("| mmap | warm | text | 2 | 32 |"));
  const auto json = nlohmann::json::parse(JsonReport(*report));
  EXPECT_EQ(json["runs"].size(), report->runs.size());
  EXPECT_EQ(json["limits"]["memory_rows_per_s_by_threads"].size(), 2u);
}

TEST(TableCommandTest, SaysWhatIsWrong) {
  TableOptions options;
  options.directory = Generated();
  options.storages = {"mmap"};
  options.layer = 2;
  EXPECT_THAT(Message(RunTable(options).status()), HasSubstr("--layer is 2"));
  options.directory = kTiny;
  EXPECT_THAT(Message(RunTable(options).status()), HasSubstr("make-checkpoint"));
}

}  // namespace
}  // namespace engram::bench
