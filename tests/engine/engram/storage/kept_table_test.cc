// SPDX-License-Identifier: Apache-2.0
// A table that outlives the server: the same bytes, found again; and never another table's.
#include "engine/engram/storage/kept_table.h"

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "engine/engram/keeper/keeper_client.h"
#include "engine/engram/keeper/sealed_memory.h"
#include "engine/engram/storage/segment_identity.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/keeper/running_keeper.h"
#include "tests/engine/engram/storage/test_tables.h"

namespace engram {
namespace {

using testing::HasSubstr;
using testing_support::ExpectAllKindsOfRows;
using testing_support::RunningKeeper;
using testing_support::SocketPath;
using testing_support::TableOnDisk;

constexpr std::int64_t kRows = 40'000;
constexpr EngramRowFormat kFormat = {.dtype = DType::kBF16, .head_dim = 33};

absl::StatusOr<std::unique_ptr<KeptTable>> Open(const TableInFile& table) {
  return KeptTable::Open(KeeperClient(SocketPath()), table, {.threads = 2});
}

bool IsKept(const TableInFile& table) {
  const auto kept = KeptTable::IsKept(KeeperClient(SocketPath()), table);
  EXPECT_TRUE(kept.ok()) << kept.status();
  return kept.ok() && *kept;
}

TEST(KeptTable, IsReadOnceAndThenFoundWithTheSameBytes) {
  const RunningKeeper keeper;
  const TableOnDisk disk(kRows, kFormat);
  EXPECT_FALSE(IsKept(disk.InFile()));
  for (const char* server : {"first", "second", "third"}) {
    const auto table = Open(disk.InFile());
    ASSERT_TRUE(table.ok()) << server << table.status();
    ExpectAllKindsOfRows(**table, disk);
    EXPECT_TRUE(IsKept(disk.InFile()));
    EXPECT_EQ((*table)->stats().bytes, kRows * kFormat.row_bytes());
  }
}

TEST(KeptTable, LivesOnInAServerWhenTheKeeperHasGone) {
  const TableOnDisk disk(kRows, kFormat);
  std::unique_ptr<KeptTable> table;
  {
    const RunningKeeper keeper;
    table = *Open(disk.InFile());
  }
  ExpectAllKindsOfRows(*table, disk);
}

TEST(KeptTable, AnythingElseIsAnotherTable) {
  const RunningKeeper keeper;
  const TableOnDisk disk(kRows, kFormat);
  ASSERT_TRUE(Open(disk.InFile()).ok());
  TableInFile other = disk.InFile();
  other.hash_checksum = 8;
  EXPECT_FALSE(IsKept(other)) << "the same bytes, but n-grams lead elsewhere";
  other = disk.InFile();
  other.rows -= 1;
  EXPECT_FALSE(IsKept(other));
  other = disk.InFile();
  other.format.dtype = DType::kF16;
  EXPECT_FALSE(IsKept(other));
  other = disk.InFile();
  other.name = "model.layers.14.engram.table";
  EXPECT_FALSE(IsKept(other));
  const TableOnDisk retrained(kRows, kFormat, /*offset=*/12'346);
  EXPECT_FALSE(IsKept(retrained.InFile()));
  EXPECT_TRUE(IsKept(disk.InFile()));
}

// Values of f8_e4m3, and their scales in another file.
constexpr EngramRowFormat kScaled = {
    .dtype = DType::kF8E4M3, .head_dim = 80, .scale_block = 32, .scale_dtype = DType::kE8M0};

TEST(KeptTable, OtherScalesAreAnotherTable) {
  const RunningKeeper keeper;
  const TableOnDisk disk(kRows, kScaled);
  ASSERT_TRUE(Open(disk.InFile()).ok());
  EXPECT_TRUE(IsKept(disk.InFile()));
  // The same values beside what may be scales, but are not theirs.
  const TableOnDisk other(kRows, kScaled, /*offset=*/12'347);
  TableInFile mixed = disk.InFile();
  mixed.scales = other.InFile().scales;
  EXPECT_FALSE(IsKept(mixed));
  TableInFile shifted = disk.InFile();
  ++shifted.scales.offset;
  EXPECT_FALSE(IsKept(shifted));
  TableInFile named = disk.InFile();
  named.format.scale_dtype = DType::kU8;
  EXPECT_FALSE(IsKept(named));
}

// Whoever left it there: what is under the right name and has the wrong rows is not used.
TEST(KeptTable, WrongRowsUnderTheRightNameAreRefused) {
  const RunningKeeper keeper;
  const TableOnDisk disk(kRows, kFormat);
  const std::size_t begin = disk.place().offset % disk.Open()->alignment();
  const std::size_t bytes = begin + disk.bytes().size() + 8192;
  auto memory = UnsealedMemory::Create("wrong", bytes, /*pooled=*/false);
  ASSERT_TRUE(memory.ok());
  std::memcpy(memory->bytes().data() + begin, disk.bytes().data(), disk.bytes().size());
  // The last tenth of the table is another's.
  const std::size_t tail = disk.bytes().size() / 10;
  std::memset(memory->bytes().data() + begin + disk.bytes().size() - tail, 0, tail);
  const auto sealed = UnsealedMemory::Seal(*std::move(memory));
  ASSERT_TRUE(sealed.ok());
  const auto identity = SegmentIdentity(disk.InFile());
  ASSERT_TRUE(identity.ok());
  ASSERT_TRUE(KeeperClient(SocketPath()).Keep(*identity, bytes, *sealed).ok());
  const absl::Status status = Open(disk.InFile()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is another in ram than in "));
}

TEST(KeptTable, WithoutAKeeperTheErrorSaysSo) {
  const TableOnDisk disk(kRows, kFormat);
  const absl::Status status = Open(disk.InFile()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no table keeper answers"));
}

TEST(KeptTable, AFullKeeperDoesNotKeepTheServerFromStarting) {
  const RunningKeeper keeper(/*bytes_max=*/1000);
  const TableOnDisk disk(kRows, kFormat);
  const auto table = Open(disk.InFile());
  ASSERT_TRUE(table.ok());
  ExpectAllKindsOfRows(**table, disk);
  EXPECT_FALSE(IsKept(disk.InFile()));
}

}  // namespace
}  // namespace engram
