// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/table/gather_run.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cmath>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace engram::bench {
namespace {

using SteadyTime = std::chrono::steady_clock;

// A slice ends with this or with kSliceRows: enough to make the threads' uneven start and end
// small, and few enough rows for memory.
constexpr double kSliceSeconds = 0.1;

double Seconds(SteadyTime::time_point begin, SteadyTime::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

// Interpolated between the two nearest values.
double Percentile(const std::vector<double>& ascending, double percent) {
  if (ascending.empty()) return 0;
  const double place = percent / 100 * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, ascending.size() - 1);
  return std::lerp(ascending[below], ascending[above], place - static_cast<double>(below));
}

// One thread's work and what came of it.
class Gatherer {
 public:
  Gatherer(const EngramTable* table, const RowContent* content, const RowBatches* batches,
           const GatherRunOptions* options)
      : table_(table), content_(content), batches_(batches), options_(options) {
    CHECK_GT(batches->count(), 0u);
    slice_batches_ = std::max<std::int64_t>(1, kSliceRows / batches->size);
    out_.resize(slice_batches_ * batch_bytes());
  }

  bool used_up() const { return !options_->repeat && next_ >= batches_->count(); }

  // Gathers one slice.
  void Gather() {
    const SteadyTime::time_point begin = SteadyTime::now();
    SteadyTime::time_point last = begin;
    gathered_ = 0;
    first_ = next_;
    while (gathered_ < slice_batches_ && !used_up() && Seconds(begin, last) < kSliceSeconds) {
      const RowSink out = {.data = out_.data() + gathered_ * batch_bytes(),
                           .stride = table_->row_bytes()};
      const absl::Status status = table_->Gather(batches_->batch(next_ % batches_->count()), out);
      if (status_.ok()) status_ = status;
      ++next_;
      ++gathered_;
      const SteadyTime::time_point now = SteadyTime::now();
      latencies_us_.push_back(1e6 * Seconds(last, now));
      last = now;
    }
    seconds_ += Seconds(begin, last);
    rows_ += gathered_ * batches_->size;
  }

  // Compares the slice's rows; remembers the first wrong one.
  void Check() {
    if (options_->check_every == 0) return;
    for (std::int64_t b = 0; b < gathered_; ++b) {
      const auto batch = batches_->batch((first_ + b) % batches_->count());
      for (const RowCopy& copy : batch) {
        if (unchecked_++ % options_->check_every != 0) continue;
        ++checked_;
        const std::byte* found = out_.data() + b * batch_bytes() + copy.to * table_->row_bytes();
        if (!status_.ok() || content_->IsRow(copy.row, found)) continue;
        status_ = absl::DataLossError(absl::StrCat("row ", copy.row, " of ", table_->rows(),
                                                   " came back with other bytes than were ",
                                                   "written: the storage is wrong, or the file"));
      }
    }
  }

  double rate() const { return seconds_ == 0 ? 0 : static_cast<double>(rows_) / seconds_; }
  double seconds() const { return seconds_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t checked() const { return checked_; }
  const std::vector<double>& latencies_us() const { return latencies_us_; }
  const absl::Status& status() const { return status_; }

 private:
  std::size_t batch_bytes() const { return batches_->size * table_->row_bytes(); }

  const EngramTable* table_;
  const RowContent* content_;
  const RowBatches* batches_;
  const GatherRunOptions* options_;
  std::int64_t slice_batches_ = 0;
  std::vector<std::byte> out_;  // [slice_batches_, batch size, row bytes]

  std::size_t next_ = 0;   // batch
  std::size_t first_ = 0;  // batch of the slice
  std::int64_t gathered_ = 0;
  std::int64_t unchecked_ = 0;
  std::int64_t checked_ = 0;
  std::int64_t rows_ = 0;
  double seconds_ = 0;
  std::vector<double> latencies_us_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<GatherRunResult> RunGather(const EngramTable& table, const RowContent& content,
                                          const std::vector<RowBatches>& batches,
                                          const GatherRunOptions& options) {
  CHECK_EQ(table.row_bytes(), content.row_bytes());
  std::vector<Gatherer> gatherers;
  for (const RowBatches& own : batches) gatherers.emplace_back(&table, &content, &own, &options);

  std::atomic<bool> done = false;  // written while all threads wait
  std::barrier together(static_cast<std::ptrdiff_t>(gatherers.size()), [&]() noexcept {
    done = std::ranges::any_of(gatherers, [&](const Gatherer& gatherer) {
      return gatherer.used_up() || gatherer.seconds() >= options.seconds || !gatherer.status().ok();
    });
  });
  const auto run = [&](Gatherer* gatherer) {
    for (together.arrive_and_wait(); !done; together.arrive_and_wait()) {
      gatherer->Gather();
      gatherer->Check();
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < gatherers.size(); ++i) threads.emplace_back(run, &gatherers[i]);
  run(&gatherers[0]);
  for (std::thread& thread : threads) thread.join();

  GatherRunResult result;
  std::vector<double> latencies_us;
  for (const Gatherer& gatherer : gatherers) {
    if (!gatherer.status().ok()) return gatherer.status();
    result.rows_per_s += gatherer.rate();
    result.rows += gatherer.rows();
    result.checked += gatherer.checked();
    latencies_us.insert(latencies_us.end(), gatherer.latencies_us().begin(),
                        gatherer.latencies_us().end());
  }
  std::ranges::sort(latencies_us);
  result.p50_us = Percentile(latencies_us, 50);
  result.p99_us = Percentile(latencies_us, 99);
  return result;
}

absl::Status WarmUp(const EngramTable& table, const std::vector<RowBatches>& batches) {
  std::vector<absl::Status> statuses(batches.size());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < batches.size(); ++t) {
    threads.emplace_back([&table, own = &batches[t], status = &statuses[t]] {
      std::vector<std::byte> out(own->size * table.row_bytes());
      const RowSink sink = {.data = out.data(), .stride = table.row_bytes()};
      for (std::size_t i = 0; i < own->count() && status->ok(); ++i) {
        *status = table.Gather(own->batch(i), sink);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

}  // namespace engram::bench
