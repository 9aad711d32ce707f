// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/mapped_table.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

std::vector<std::byte> RandomBytes(std::size_t size) {
  std::mt19937 random(static_cast<unsigned>(size));
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Row ids[i] as row i.
std::vector<std::byte> Gathered(const EngramTable& table, const std::vector<std::int64_t>& ids) {
  std::vector<RowCopy> copies;
  for (const std::int64_t id : ids) {
    copies.push_back({.row = id, .to = static_cast<std::int64_t>(copies.size())});
  }
  std::vector<std::byte> out(ids.size() * table.row_bytes());
  EXPECT_TRUE(table.Gather(copies, {out.data(), table.row_bytes()}).ok());
  return out;
}

void ExpectRows(const EngramTable& table, std::span<const std::byte> bytes,
                const std::vector<std::int64_t>& ids) {
  const std::vector<std::byte> out = Gathered(table, ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(std::memcmp(out.data() + i * table.row_bytes(),
                          bytes.data() + ids[i] * table.row_bytes(), table.row_bytes()),
              0)
        << "row " << ids[i] << " at " << i;
  }
}

TEST(MappedTableTest, GathersRowsOfEveryWidth) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF8E4M3}) {
    for (const int head_dim : {1, 6, 32, 80, 1000}) {
      const std::int64_t rows = 301;
      const std::vector<std::byte> memory = RandomBytes(1 + rows * head_dim * DTypeBytes(dtype));
      const std::span<const std::byte> bytes = std::span(memory).subspan(1);  // at an odd address
      const MappedTable table(bytes, rows, {.dtype = dtype, .head_dim = head_dim});
      EXPECT_EQ(table.rows(), rows);
      EXPECT_EQ(table.format().head_dim, head_dim);
      EXPECT_EQ(table.format().dtype, dtype);
      EXPECT_EQ(table.row_bytes(), head_dim * DTypeBytes(dtype));
      ExpectRows(table, bytes, {0});
      ExpectRows(table, bytes, {300, 0, 7, 7, 7, 299, 1, 300});
      std::mt19937 random(1);
      std::vector<std::int64_t> ids(97);
      for (std::int64_t& id : ids) id = static_cast<std::int64_t>(random() % rows);
      ExpectRows(table, bytes, ids);
    }
  }
}

TEST(MappedTableTest, RowsGoWhereTheyAreWantedAndNowhereElse) {
  const std::vector<std::byte> bytes = RandomBytes(40);
  const MappedTable table(bytes, 10, {.dtype = DType::kU8, .head_dim = 4});
  std::vector<std::byte> out(5 * 4, std::byte{0xee});
  const std::vector<RowCopy> copies = {
      {.row = 2, .to = 4}, {.row = 2, .to = 0}, {.row = 9, .to = 2}};
  EXPECT_TRUE(table.Gather(copies, {out.data(), 4}).ok());
  const std::vector<std::byte> untouched(4, std::byte{0xee});
  EXPECT_EQ(std::memcmp(out.data(), bytes.data() + 8, 4), 0);
  EXPECT_EQ(std::memcmp(out.data() + 4, untouched.data(), 4), 0);
  EXPECT_EQ(std::memcmp(out.data() + 8, bytes.data() + 36, 4), 0);
  EXPECT_EQ(std::memcmp(out.data() + 12, untouched.data(), 4), 0);
  EXPECT_EQ(std::memcmp(out.data() + 16, bytes.data() + 8, 4), 0);
}

TEST(MappedTableTest, NoIdsNoBytes) {
  const std::vector<std::byte> bytes = RandomBytes(40);
  EXPECT_TRUE(Gathered(MappedTable(bytes, 10, {.dtype = DType::kU8, .head_dim = 4}), {}).empty());
}

// The VmFlags of the mapping that begins at `address`.
std::string MappingFlags(const void* address) {
  std::ostringstream begin;
  begin << std::hex << reinterpret_cast<std::uintptr_t>(address) << "-";
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool found = false;
  while (std::getline(smaps, line)) {
    if (line.starts_with(begin.str())) found = true;
    if (found && line.starts_with("VmFlags:")) return line + " ";
  }
  return "no VmFlags";
}

TEST(MappedTableTest, TellsTheKernelThatReadsAreRandom) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const std::vector<std::byte> contents = RandomBytes(1 << 20);
  ASSERT_EQ(std::fwrite(contents.data(), 1, contents.size(), file), contents.size());
  std::fflush(file);
  void* mapped = mmap(nullptr, contents.size(), PROT_READ, MAP_PRIVATE, fileno(file), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_EQ(MappingFlags(mapped).find(" rr "), std::string::npos);
  {
    const std::span bytes(static_cast<const std::byte*>(mapped), contents.size());
    const MappedTable table(bytes, 1 << 14, {.dtype = DType::kBF16, .head_dim = 32});
    EXPECT_NE(MappingFlags(mapped).find(" rr "), std::string::npos) << MappingFlags(mapped);
    ExpectRows(table, contents, {0, 16383, 64, 65});
  }
  munmap(mapped, contents.size());
  std::fclose(file);
}

TEST(MappedTableDeathTest, WrongRowsEndTheProcess) {
  const std::vector<std::byte> bytes = RandomBytes(40);
  const MappedTable table(bytes, 10, {.dtype = DType::kU8, .head_dim = 4});
  EXPECT_DEATH(Gathered(table, {3, 10}), "row 10 of a table of 10");
  EXPECT_DEATH(Gathered(table, {-1}), "row -1 of a table of 10");
  EXPECT_DEATH(Gathered(table, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 99}), "row 99");
}

TEST(MappedTableDeathTest, BytesMustBeTheTable) {
  const std::vector<std::byte> bytes = RandomBytes(40);
  EXPECT_DEATH(MappedTable(bytes, 10, EngramRowFormat{.dtype = DType::kU8, .head_dim = 5}),
               "40 vs. 50");
  EXPECT_DEATH(MappedTable(bytes, 0, EngramRowFormat{.dtype = DType::kU8, .head_dim = 4}),
               "rows > 0");
}

}  // namespace
}  // namespace engram
