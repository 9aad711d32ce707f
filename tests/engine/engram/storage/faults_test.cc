// SPDX-License-Identifier: Apache-2.0
// Disks that fail, stutter or are slow, and files that change while they are served: a clear error
// or a slower right answer, never a wrong row.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/strings.h"
#include "engine/engram/storage/nvme_table.h"
#include "engine/engram/storage/pread_reader.h"
#include "engine/engram/storage/ram_table.h"
#include "engine/engram/storage/table_loader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/storage/test_tables.h"

namespace engram {
namespace {

using testing::HasSubstr;
using testing_support::ExpectAllKindsOfRows;
using testing_support::ExpectRows;
using testing_support::FaultyFile;
using testing_support::RandomIds;
using testing_support::TableOnDisk;

const EngramRowFormat kFormat = {.dtype = DType::kBF16, .head_dim = 80};

// An NVMe table whose reads go through a FaultyFile.
struct FaultyTable {
  explicit FaultyTable(const TableOnDisk& disk, const NvmeTableOptions& options = {}) {
    std::unique_ptr<TableFile> file = disk.Open();
    faults = std::make_unique<FaultyFile>(file.get());
    threads = std::make_unique<ReadThreads>(faults.get(), 8);
    auto opened = NvmeTable::OpenWith(
        std::move(file), disk.place().offset, disk.rows(), disk.format(), options,
        [this](int depth, std::span<std::byte>) { return threads->MakeReader(depth); });
    EXPECT_TRUE(opened.ok()) << opened.status();
    table = *std::move(opened);
  }
  ~FaultyTable() { threads.reset(); }

  std::unique_ptr<NvmeTable> table;
  std::unique_ptr<FaultyFile> faults;
  std::unique_ptr<ReadThreads> threads;
};

// An error, or the right rows.
absl::Status GatherStatus(const EngramTable& table, const TableOnDisk& disk,
                          const std::vector<std::int64_t>& ids) {
  std::vector<RowCopy> copies;
  for (const std::int64_t id : ids) {
    copies.push_back({.row = id, .to = static_cast<std::int64_t>(copies.size())});
  }
  std::vector<std::byte> out(ids.size() * table.row_bytes());
  const absl::Status status =
      table.Gather(copies, {.data = out.data(), .stride = table.row_bytes()});
  for (std::size_t i = 0; status.ok() && i < ids.size(); ++i) {
    EXPECT_EQ(
        std::memcmp(out.data() + i * table.row_bytes(), disk.row(ids[i]).data(), table.row_bytes()),
        0)
        << "row " << ids[i];
  }
  return status;
}

TEST(NvmeFaultsTest, AFailingReadIsAnErrorThatNamesFileAndPlace) {
  const TableOnDisk disk(20'011, kFormat);
  FaultyTable faulty(disk);
  faulty.faults->failing = {17};
  const absl::Status status = GatherStatus(*faulty.table, disk, RandomIds(disk.rows(), 500, 3));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(status), HasSubstr(disk.place().path));
  EXPECT_THAT(Message(status), HasSubstr("at byte "));
  EXPECT_THAT(Message(status), HasSubstr("Input/output error"));
  EXPECT_EQ(faulty.table->stats().disk_read_failures, 1u);
  // The drive has recovered: everything is right again.
  ExpectAllKindsOfRows(*faulty.table, disk);
}

TEST(NvmeFaultsTest, ABadSpotIsFoundByItsRowsAlone) {
  const TableOnDisk disk(20'011, kFormat);
  FaultyTable faulty(disk, {.cache_bytes = 1 << 20});
  faulty.faults->bad_begin = disk.place().offset + 1000 * kFormat.row_bytes();
  faulty.faults->bad_end = faulty.faults->bad_begin + 1;
  EXPECT_FALSE(GatherStatus(*faulty.table, disk, {5000, 1000, 1}).ok());
  EXPECT_FALSE(GatherStatus(*faulty.table, disk, {1000}).ok())
      << "it was not cached as something else";
  ExpectRows(*faulty.table, disk, {1, 5000, 20'010});
  const std::vector<std::int64_t> hint = {5000, 1000, 1};
  faulty.table->Prefetch(hint);  // says nothing
  EXPECT_FALSE(GatherStatus(*faulty.table, disk, {1000}).ok());
}

TEST(NvmeFaultsTest, ShortAndInterruptedReadsAreTriedAgain) {
  const TableOnDisk disk(20'011, kFormat);
  for (const int error : {EINTR, EAGAIN}) {
    FaultyTable faulty(disk, {.queue_depth = 8});
    faulty.faults->error = error;
    // So far apart that a read that is tried again does not meet the next one.
    for (int read = 0; read < 900; read += 40) faulty.faults->failing.insert(read);
    for (int read = 20; read < 900; read += 40) faulty.faults->short_reads.insert(read);
    ExpectRows(*faulty.table, disk, RandomIds(disk.rows(), 1000, 4));
    EXPECT_GE(faulty.table->stats().disk_read_failures, 30u);  // half may be enough
  }
}

TEST(NvmeFaultsTest, AReadThatStaysShortIsAnError) {
  const TableOnDisk disk(20'011, kFormat);
  FaultyTable faulty(disk);
  for (int read = 0; read < 100; ++read) faulty.faults->short_reads.insert(read);
  const absl::Status status = GatherStatus(*faulty.table, disk, {4});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(status), HasSubstr("only "));
  EXPECT_EQ(faulty.faults->reads(), 4) << "tries";
}

TEST(NvmeFaultsTest, ASlowDiskIsSlowAndRight) {
  const TableOnDisk disk(20'011, kFormat);
  FaultyTable faulty(disk, {.queue_depth = 4});
  faulty.faults->delay = std::chrono::milliseconds(2);
  ExpectRows(*faulty.table, disk, RandomIds(disk.rows(), 60, 5));
}

TEST(NvmeFaultsTest, ARowThatAHintIsReadingIsNotReadTwice) {
  const TableOnDisk disk(20'011, kFormat);
  FaultyTable faulty(disk, {.readers = 2, .cache_bytes = 4 << 20});
  faulty.faults->delay = std::chrono::milliseconds(50);
  const std::vector<std::int64_t> hint = {1, 5000, 9000, 13'000};
  std::thread hinting([&] { faulty.table->Prefetch(hint); });
  while (faulty.faults->reads() < 4) std::this_thread::yield();
  ExpectRows(*faulty.table, disk, {5000, 9000, 17'000});
  hinting.join();
  EXPECT_EQ(faulty.faults->reads(), 5) << "four of the hint, one of the gather";
  EXPECT_EQ(faulty.table->stats().row_cache_hits, 2u);
}

TEST(NvmeFaultsTest, ARowThatAHintCannotReadIsReadByWhoeverWaitsForIt) {
  const TableOnDisk disk(20'011, kFormat);
  FaultyTable faulty(disk, {.readers = 2, .cache_bytes = 4 << 20});
  faulty.faults->delay = std::chrono::milliseconds(50);
  faulty.faults->failing = {0};
  const std::vector<std::int64_t> hint = {5000};
  std::thread hinting([&] { faulty.table->Prefetch(hint); });
  while (faulty.faults->reads() == 0) std::this_thread::yield();
  ExpectRows(*faulty.table, disk, {5000});
  hinting.join();
  EXPECT_EQ(faulty.faults->reads(), 2);
}

TEST(NvmeFaultsTest, ThreadsThatWantTheSameRowsWaitForOneAnotherAndEnd) {
  const TableOnDisk disk(20'011, kFormat);
  // So small a cache that what one has read is often gone when the other comes for it.
  FaultyTable faulty(disk, {.readers = 4, .queue_depth = 8, .cache_bytes = 4 << 10});
  for (int read = 0; read < 100'000; read += 97) faulty.faults->short_reads.insert(read);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 40; ++i) {
        std::vector<std::int64_t> ids = RandomIds(disk.rows(), 60, i);  // the same for all
        if (t % 2 == 0) std::ranges::reverse(ids);
        if (t == 3) faulty.table->Prefetch(ids);
        ExpectRows(*faulty.table, disk, ids);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(NvmeFaultsTest, ManyThreadsOnAFailingDiskGetErrorsOrRightRows) {
  const TableOnDisk disk(20'011, kFormat);
  FaultyTable faulty(disk, {.readers = 2, .queue_depth = 8, .cache_bytes = 100 << 10});
  for (int read = 0; read < 5000; read += 50) faulty.faults->failing.insert(read);
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 20; ++i) {
        const std::vector<std::int64_t> ids = RandomIds(disk.rows(), 30, 31 * t + i);
        if (!GatherStatus(*faulty.table, disk, ids).ok()) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(failed, 0);
  faulty.faults->failing.clear();
  ExpectAllKindsOfRows(*faulty.table, disk);
}

TEST(NvmeFaultsTest, AFileThatIsCutWhileServedIsNamed) {
  const TableOnDisk disk(20'011, kFormat);
  auto table = NvmeTable::Open(disk.Open(), disk.place().offset, disk.rows(), kFormat,
                               {.cache_bytes = 1 << 20});
  ASSERT_TRUE(table.ok()) << table.status();
  ExpectRows(**table, disk, {3, 20'010});
  std::filesystem::resize_file(disk.place().path, 1 << 20);
  const absl::Status status = GatherStatus(**table, disk, {19'000});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr(disk.place().path + ": the file was cut from "));
  EXPECT_THAT(Message(status), HasSubstr("to 1048576 bytes"));
  EXPECT_FALSE(GatherStatus(**table, disk, {100}).ok()) << "not what is left of it either";
  ExpectRows(**table, disk, {3, 20'010});  // read before: still right
}

TEST(NvmeFaultsTest, AFileThatIsWrittenToWhileServedIsNamed) {
  const TableOnDisk disk(20'011, kFormat);
  auto table = NvmeTable::Open(disk.Open(), disk.place().offset, disk.rows(), kFormat, {});
  ASSERT_TRUE(table.ok()) << table.status();
  std::fstream(disk.place().path, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(50'000)
      .write("another", 7);
  const absl::Status status = GatherStatus(**table, disk, {19'000});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("was written to"));
}

TEST(NvmeFaultsTest, AFileThatIsReplacedWhileServedIsStillTheOldOne) {
  const TableOnDisk disk(20'011, kFormat);
  auto table = NvmeTable::Open(disk.Open(), disk.place().offset, disk.rows(), kFormat, {});
  ASSERT_TRUE(table.ok()) << table.status();
  const std::string other = disk.place().path + ".new";
  std::ofstream(other) << "another file";
  std::filesystem::rename(other, disk.place().path);
  ExpectAllKindsOfRows(**table, disk);
  // Who opens it now is told.
  const absl::Status status = TableFile::Open(disk.place()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("was replaced by another file"));
}

TEST(NvmeFaultsTest, WithoutIoUringThreadsRead) {
  const TableOnDisk disk(20'011, kFormat);
  auto table = NvmeTable::OpenWith(
      disk.Open(), disk.place().offset, disk.rows(), kFormat, {.threads = 3},
      [](int, std::span<std::byte>) -> absl::StatusOr<std::unique_ptr<BlockReader>> {
        return absl::ErrnoToStatus(EPERM, "io_uring_setup");
      });
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ((*table)->reader_name(), "pread");
  ExpectAllKindsOfRows(**table, disk);
}

// ---- Loading ----

struct Loaded {
  absl::Status status;
  std::vector<std::byte> memory;
};

Loaded LoadAll(const FileReader& file, const TableOnDisk& disk, int threads) {
  Loaded loaded;
  loaded.memory.resize(disk.file_bytes().size() + 4096);
  loaded.status = LoadFromFile({.file = &file,
                                .path = "the file",
                                .offset = 0,
                                .needed = disk.file_bytes().size(),
                                .memory = loaded.memory},
                               threads);
  return loaded;
}

// A file that is read through the page cache: any address and size will do.
class PlainFile final : public FileReader {
 public:
  explicit PlainFile(const TableOnDisk& disk) : disk_(disk) {}
  std::int64_t ReadAt(std::uint64_t offset, std::span<std::byte> to) const override {
    const std::size_t size = disk_.file_bytes().size();
    if (offset >= size) return 0;
    const std::size_t count = std::min(to.size(), size - offset);
    std::copy_n(disk_.file_bytes().begin() + static_cast<std::ptrdiff_t>(offset), count,
                to.begin());
    return static_cast<std::int64_t>(count);
  }

 private:
  const TableOnDisk& disk_;
};

TEST(LoadFaultsTest, ShortAndInterruptedReadsAreTriedAgain) {
  const TableOnDisk disk(300'007, kFormat);  // 45 MiB: some chunks
  const PlainFile plain(disk);
  for (const int threads : {1, 3}) {
    FaultyFile faulty(&plain);
    faulty.error = EINTR;
    faulty.failing = {0, 4};
    faulty.short_reads = {1, 2, 7};
    faulty.unit = 512;
    const Loaded loaded = LoadAll(faulty, disk, threads);
    ASSERT_TRUE(loaded.status.ok()) << loaded.status;
    EXPECT_TRUE(
        std::equal(disk.file_bytes().begin(), disk.file_bytes().end(), loaded.memory.begin()));
  }
}

TEST(LoadFaultsTest, AFailingReadEndsTheLoad) {
  const TableOnDisk disk(300'007, kFormat);
  const PlainFile plain(disk);
  FaultyFile faulty(&plain);
  faulty.bad_begin = 20'000'000;
  faulty.bad_end = 20'000'001;
  const absl::Status status = LoadAll(faulty, disk, 2).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(status), HasSubstr("the file: loading an Engram table, at byte 16777216"));
  EXPECT_THAT(Message(status), HasSubstr("Input/output error"));
}

TEST(LoadFaultsTest, AFileThatEndsTooEarly) {
  const TableOnDisk disk(20'011, kFormat);
  std::filesystem::resize_file(disk.place().path, 1 << 20);
  const absl::Status status = RamTable::Load(disk.InFile(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(status), HasSubstr("bytes came"));
}

TEST(LoadFaultsTest, AFileThatIsWrittenToMeanwhile) {
  const TableOnDisk disk(20'011, kFormat);
  std::ofstream(disk.place().path, std::ios::app) << "more";
  const absl::Status status = RamTable::Load(disk.InFile(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("has grown"));
}

// What is true of the values' file is true of that of the scales.
TEST(LoadFaultsTest, AFileOfScalesThatEndsTooEarlyOrIsWrittenTo) {
  const EngramRowFormat format = {
      .dtype = DType::kI8, .head_dim = 80, .scale_block = 80, .scale_dtype = DType::kF32};
  const TableOnDisk cut(20'011, format);
  std::filesystem::resize_file(cut.scales().place().path, 1 << 16);
  const absl::Status too_short = RamTable::Load(cut.InFile(), {}).status();
  EXPECT_EQ(too_short.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(too_short), HasSubstr(cut.scales().place().path));
  EXPECT_THAT(Message(too_short), HasSubstr("bytes came"));

  const TableOnDisk grown(20'011, format);
  std::ofstream(grown.scales().place().path, std::ios::app) << "more";
  const absl::Status changed = RamTable::Load(grown.InFile(), {}).status();
  EXPECT_EQ(changed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(changed), HasSubstr(grown.scales().place().path));
}

}  // namespace
}  // namespace engram
