// SPDX-License-Identifier: Apache-2.0
// Tables whose values and scales are two tensors in two files: every storage puts the same rows
// together, opened as the server opens them.
#include <memory>
#include <string>
#include <vector>

#include "engine/engram/storage/table_storage.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/keeper/running_keeper.h"
#include "tests/engine/engram/storage/test_tables.h"

namespace engram {
namespace {

using testing_support::ExpectAllKindsOfRows;
using testing_support::ExpectRows;
using testing_support::ExpectRowsOnManyThreads;
using testing_support::RandomIds;
using testing_support::RunningKeeper;
using testing_support::SocketPath;
using testing_support::TableOnDisk;

constexpr EngramRowFormat kF8 = {
    .dtype = DType::kF8E4M3, .head_dim = 80, .scale_block = 32, .scale_dtype = DType::kE8M0};

std::vector<EngramRowFormat> Formats() {
  std::vector<EngramRowFormat> formats = {kF8};
  for (const int head_dim : {5, 256}) formats.push_back(kF8), formats.back().head_dim = head_dim;
  for (const DType scale : {DType::kF32, DType::kBF16}) {
    formats.push_back(
        {.dtype = DType::kI8, .head_dim = 33, .scale_block = 33, .scale_dtype = scale});
  }
  return formats;
}

struct Storage {
  std::string name;
  EngramPlacement placement;
  std::int64_t cache_bytes = 0;
  bool kept = false;
};

std::unique_ptr<EngramTable> Open(const Storage& storage, const TableOnDisk& disk) {
  EngramStorageOptions options;
  if (storage.kept) options.keeper = SocketPath();
  const PlacementChoice choice = {.placement = storage.placement,
                                  .reason = "",
                                  .tables_bytes = 0,
                                  .cache_bytes = storage.cache_bytes};
  const TableSource source = disk.Source();
  auto tables = OpenTables(options, choice, {&source, 1}, /*readers=*/4);
  EXPECT_TRUE(tables.ok()) << tables.status();
  return std::move(tables->front());
}

class ScaledStorages : public testing::TestWithParam<Storage> {
 protected:
  const RunningKeeper keeper_{/*bytes_max=*/100'000'000};
};

TEST_P(ScaledStorages, RowsOfEveryFormat) {
  for (const EngramRowFormat& format : Formats()) {
    for (const std::uint64_t offset : {0, 4096, 12'345}) {
      const TableOnDisk disk(1511, format, offset);
      const auto table = Open(GetParam(), disk);
      EXPECT_EQ(table->format(), format);
      EXPECT_EQ(table->stats().bytes, 1511 * format.row_bytes());
      ExpectAllKindsOfRows(*table, disk);
      table->Prefetch(RandomIds(disk.rows(), 500, 2));
      ExpectRows(*table, disk, RandomIds(disk.rows(), 500, 2));
    }
  }
}

// More than two of the pieces that a load is cut into.
TEST_P(ScaledStorages, ATableOfManyPieces) {
  const TableOnDisk disk(230'003, kF8);
  ExpectAllKindsOfRows(*Open(GetParam(), disk), disk);
}

TEST_P(ScaledStorages, ManyThreadsAtOnce) {
  const TableOnDisk disk(20'011, kF8);
  const auto table = Open(GetParam(), disk);
  ExpectRowsOnManyThreads(*table, disk);
}

INSTANTIATE_TEST_SUITE_P(All, ScaledStorages,
                         testing::Values(Storage{"Mapped", EngramPlacement::kMapped},
                                         Storage{"Ram", EngramPlacement::kRam},
                                         Storage{"Kept", EngramPlacement::kRam, 0, /*kept=*/true},
                                         Storage{"Nvme", EngramPlacement::kNvme},
                                         Storage{"NvmeCached", EngramPlacement::kNvme, 64 << 10}),
                         [](const testing::TestParamInfo<Storage>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace engram
