// SPDX-License-Identifier: Apache-2.0
// Every storage gives the bytes that lie in the file, whatever is asked for, however many ask.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/engram/storage/mapped_table.h"
#include "engine/engram/storage/nvme_table.h"
#include "engine/engram/storage/ram_table.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/storage/test_tables.h"

namespace engram {
namespace {

using testing_support::ExpectAllKindsOfRows;
using testing_support::ExpectRows;
using testing_support::ExpectRowsOnManyThreads;
using testing_support::RandomIds;
using testing_support::TableOnDisk;

struct Storage {
  std::string name;
  std::function<std::unique_ptr<EngramTable>(const TableOnDisk&)> open;
};

template <typename Table>
std::unique_ptr<EngramTable> Take(absl::StatusOr<std::unique_ptr<Table>> table) {
  EXPECT_TRUE(table.ok()) << table.status();
  return *std::move(table);
}

std::unique_ptr<EngramTable> OpenNvme(const TableOnDisk& disk, const NvmeTableOptions& options) {
  return Take(
      NvmeTable::Open(disk.Open(), disk.place().offset, disk.rows(), disk.format(), options));
}

std::vector<Storage> Storages() {
  return {
      {"Mapped",
       [](const TableOnDisk& disk) {
         return std::make_unique<MappedTable>(disk.bytes(), disk.rows(), disk.format());
       }},
      {"Ram", [](const TableOnDisk& disk) { return Take(RamTable::Load(disk.InFile(), {})); }},
      {"RamSmallPages",
       [](const TableOnDisk& disk) {
         return Take(RamTable::Load(disk.InFile(), {.huge_pages = HugePages::kOff, .threads = 1}));
       }},
      {"RamCopy",
       [](const TableOnDisk& disk) {
         return Take(RamTable::Copy(disk.bytes(), disk.rows(), disk.format(), {}));
       }},
      {"Nvme", [](const TableOnDisk& disk) { return OpenNvme(disk, {}); }},
      {"NvmeCached",
       [](const TableOnDisk& disk) { return OpenNvme(disk, {.cache_bytes = 64 << 10}); }},
      {"NvmeOneByOne",
       [](const TableOnDisk& disk) {
         return OpenNvme(disk, {.readers = 1, .queue_depth = 1, .cache_bytes = 8 << 10});
       }},
  };
}

class StoragesTest : public testing::TestWithParam<Storage> {};

TEST_P(StoragesTest, RowsOfEveryWidthAtEveryPlace) {
  for (const int head_dim : {1, 6, 80, 132, 3000}) {
    for (const std::uint64_t offset :
         {std::uint64_t{0}, std::uint64_t{4096}, std::uint64_t{12'345}}) {
      const TableOnDisk disk(1511, {.dtype = DType::kBF16, .head_dim = head_dim}, offset);
      const auto table = GetParam().open(disk);
      EXPECT_EQ(table->format(), disk.format());
      ExpectAllKindsOfRows(*table, disk);
    }
  }
}

TEST_P(StoragesTest, ATableOfOneRow) {
  const TableOnDisk disk(1, {.dtype = DType::kF32, .head_dim = 5}, 99);
  ExpectRows(*GetParam().open(disk), disk, {0, 0, 0});
}

TEST_P(StoragesTest, PrefetchChangesNothing) {
  const TableOnDisk disk(5003, {.dtype = DType::kBF16, .head_dim = 80});
  const auto table = GetParam().open(disk);
  table->Prefetch({});
  table->Prefetch(RandomIds(disk.rows(), 3000, 2));
  ExpectRows(*table, disk, RandomIds(disk.rows(), 3000, 2));
  table->Prefetch(std::vector<std::int64_t>{0, 5002, 0});
  ExpectAllKindsOfRows(*table, disk);
}

TEST_P(StoragesTest, ManyThreadsAtOnce) {
  const TableOnDisk disk(20'011, {.dtype = DType::kBF16, .head_dim = 80});
  const auto table = GetParam().open(disk);
  ExpectRowsOnManyThreads(*table, disk);
}

TEST_P(StoragesTest, ARowThatIsNotThereEndsTheProcess) {
  const TableOnDisk disk(10, {.dtype = DType::kU8, .head_dim = 4});
  const auto table = GetParam().open(disk);
  std::vector<std::byte> out(100);
  const auto gather = [&](std::int64_t row) {
    const std::vector<RowCopy> copies = {{.row = 3, .to = 0}, {.row = row, .to = 1}};
    (void)table->Gather(copies, {.data = out.data(), .stride = 4});
  };
  EXPECT_DEATH(gather(10), "row 10 of a table of 10");
  EXPECT_DEATH(gather(-1), "row -1 of a table of 10");
  if (GetParam().name == "Mapped" || GetParam().name == "Nvme") {
    EXPECT_DEATH(table->Prefetch(std::vector<std::int64_t>{10}), "row 10 of a table of 10");
  }
}

INSTANTIATE_TEST_SUITE_P(All, StoragesTest, testing::ValuesIn(Storages()),
                         [](const testing::TestParamInfo<Storage>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace engram
