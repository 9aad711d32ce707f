// SPDX-License-Identifier: Apache-2.0
// The metrics say what prefetcher and tables counted, once each, and the log note what is new.
#include "engine/engram/engram_metrics.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/random_steps.h"

namespace engram {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using testing_support::EngramWorld;
using testing_support::MakeWorld;
using testing_support::MapTables;

// A table with numbers to show.
class CountingTable final : public EngramTable {
 public:
  explicit CountingTable(const EngramTable* table) : table_(table) {}

  std::int64_t rows() const override { return table_->rows(); }
  const EngramRowFormat& format() const override { return table_->format(); }
  absl::Status Gather(std::span<const RowCopy> copies, RowSink out) const override {
    return table_->Gather(copies, out);
  }
  EngramTableStats stats() const override { return shown; }

  EngramTableStats shown{.tier = "nvme", .bytes = 1000, .huge_page_bytes = 0};

 private:
  const EngramTable* table_;
};

class EngramMetricsTest : public testing::Test {
 protected:
  static constexpr int kLayers = 3;

  EngramMetricsTest()
      : world_(MakeWorld(/*max_ngram_size=*/3)),
        mapped_(MapTables(world_)),
        counting_{CountingTable(mapped_[0].get()), CountingTable(mapped_[1].get()),
                  CountingTable(mapped_[2].get())},
        tables_{&counting_[0], &counting_[1], &counting_[2]},
        prefetcher_(world_.config, world_.token_map, tables_, {.rows_max = 8}),
        metrics_(&registry_, world_.config.layer_ids, tables_, &prefetcher_) {}

  // Five times the same token: H lookups each, 2 different bigrams and 3 different trigrams.
  void Step() {
    StepPlan plan;
    plan.token_ids = {5, 5, 5, 5, 5};
    plan.slices.resize(1);
    plan.slices[0].row_count = 5;
    prefetcher_.Start(plan);
    for (int layer = 0; layer < kLayers; ++layer) prefetcher_.Rows(layer);
  }

  // `series` as in the text: name and labels.
  double Value(const std::string& series) const {
    const std::string text = "\n" + registry_.RenderPrometheus();
    const auto at = text.find("\n" + series + " ");
    EXPECT_NE(at, std::string::npos) << series << " is not in\n" << text;
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
  }
  std::string Layer(int index, const std::string& more = "") const {
    return "{layer=\"" + std::to_string(world_.config.layer_ids[index]) + "\"" + more + "}";
  }

  const EngramWorld world_;
  const std::vector<std::unique_ptr<EngramTable>> mapped_;
  CountingTable counting_[kLayers];
  const std::vector<const EngramTable*> tables_;
  EngramPrefetcher prefetcher_;
  MetricsRegistry registry_;
  EngramMetrics metrics_;
};

TEST_F(EngramMetricsTest, ShowsWhatThePrefetcherCountedPerLayer) {
  Step();
  metrics_.Update();
  metrics_.Update();  // nothing is counted twice
  EXPECT_EQ(Value("engram_steps_total"), 1);
  for (int layer = 0; layer < kLayers; ++layer) {
    const EngramPrefetchStats stats = prefetcher_.layer_stats(layer);
    EXPECT_EQ(Value("engram_lookups_total" + Layer(layer)), 5 * 8);
    EXPECT_EQ(Value("engram_unique_rows_total" + Layer(layer)), stats.rows);
    EXPECT_LE(stats.rows, 5u * 4);
    EXPECT_DOUBLE_EQ(Value("engram_gather_seconds_total" + Layer(layer)), stats.gather_ns * 1e-9);
    EXPECT_DOUBLE_EQ(Value("engram_stall_seconds_total" + Layer(layer)), stats.stall_ns * 1e-9);
    EXPECT_EQ(Value("engram_row_bytes_total" + Layer(layer, ",tier=\"nvme\"")), stats.bytes);
    EXPECT_EQ(Value("engram_row_bytes_total" + Layer(layer, ",tier=\"row_cache\"")), 0);
    EXPECT_EQ(Value("engram_table_bytes" + Layer(layer, ",tier=\"nvme\"")), 1000);
  }
  Step();
  metrics_.Update();
  EXPECT_EQ(Value("engram_steps_total"), 2);
  EXPECT_EQ(Value("engram_lookups_total" + Layer(0)), 2 * 5 * 8);
}

TEST_F(EngramMetricsTest, ShowsWhatTheStorageCounted) {
  Step();
  counting_[1].shown.huge_page_bytes = 512;
  counting_[1].shown.row_cache_lookups = 9;
  counting_[1].shown.row_cache_hits = 4;
  counting_[1].shown.disk_reads = 5;
  counting_[1].shown.disk_read_bytes = 5 * 4096;
  counting_[1].shown.disk_read_ns = 1'500'000'000;
  counting_[1].shown.disk_read_failures = 3;
  metrics_.Update();
  EXPECT_EQ(Value("engram_table_huge_page_bytes" + Layer(1)), 512);
  EXPECT_EQ(Value("engram_row_cache_lookups_total" + Layer(1)), 9);
  EXPECT_EQ(Value("engram_row_cache_hits_total" + Layer(1)), 4);
  EXPECT_EQ(Value("engram_disk_reads_total" + Layer(1)), 5);
  EXPECT_EQ(Value("engram_disk_read_bytes_total" + Layer(1)), 5 * 4096);
  EXPECT_DOUBLE_EQ(Value("engram_disk_read_seconds_total" + Layer(1)), 1.5);
  EXPECT_EQ(Value("engram_disk_read_failures_total" + Layer(1)), 3);
  EXPECT_EQ(Value("engram_row_cache_hits_total" + Layer(0)), 0);
  // Bytes that the cache had did not come from the drive.
  const std::size_t row_bytes = counting_[1].row_bytes();
  const double fetched = prefetcher_.layer_stats(1).bytes;
  EXPECT_EQ(Value("engram_row_bytes_total" + Layer(1, ",tier=\"row_cache\"")), 4 * row_bytes);
  EXPECT_EQ(Value("engram_row_bytes_total" + Layer(1, ",tier=\"nvme\"")), fetched - 4 * row_bytes);
}

TEST_F(EngramMetricsTest, LogNoteTellsWhatIsNew) {
  EXPECT_EQ(metrics_.TakeLogNote(), "");
  Step();
  metrics_.Update();
  EXPECT_THAT(metrics_.TakeLogNote(),
              AllOf(StartsWith("Engram: 120 rows ("), HasSubstr("% unique, "), HasSubstr("gather "),
                    HasSubstr("stall "), Not(HasSubstr("cache"))));
  EXPECT_EQ(metrics_.TakeLogNote(), "");
  Step();
  counting_[0].shown.row_cache_lookups = 10;
  counting_[0].shown.row_cache_hits = 4;
  metrics_.Update();
  EXPECT_THAT(metrics_.TakeLogNote(),
              AllOf(StartsWith("Engram: 120 rows ("), HasSubstr("row cache hit rate: 40.0%")));
}

}  // namespace
}  // namespace engram
