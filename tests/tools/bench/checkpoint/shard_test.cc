// SPDX-License-Identifier: Apache-2.0
// What the writers write, read back by the server's own parser.
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/strings.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/bench/checkpoint/direct_file.h"
#include "tools/bench/checkpoint/row_content.h"
#include "tools/bench/checkpoint/shard_header.h"
#include "tools/bench/checkpoint/table_writer.h"

namespace engram::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string NewPath(const std::string& name) {
  const std::string path = testing::TempDir() + "/" + name;
  std::filesystem::remove(path);
  return path;
}

TEST(ShardHeaderTest, PlacesTensorsSideBySideAndTheFirstOnAMultiple) {
  const std::vector<ShardTensor> tensors = {{"b", DType::kBF16, {2, 3}}, {"a", DType::kF32, {5}}};
  std::string file = ShardHeader(tensors, 4096);
  EXPECT_EQ(file.size(), 4096u);
  file.append(2 * 3 * 2 + 5 * 4, 'x');
  const auto parsed = ParseSafetensors(std::as_bytes(std::span(file)));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->size(), 2u);
  EXPECT_EQ(parsed->at(0).name, "b");
  EXPECT_THAT(parsed->at(0).shape, ElementsAre(2, 3));
  EXPECT_EQ(parsed->at(1).name, "a");
  EXPECT_EQ(parsed->at(1).dtype, DType::kF32);
  EXPECT_EQ(parsed->at(1).bytes.size(), 20u);
}

TEST(ShardHeaderTest, NamesQuantizedDTypesAsTheFormatDoes) {
  std::string file = ShardHeader({{"v", DType::kF8E4M3, {3, 4}}, {"s", DType::kE8M0, {3, 1}}}, 8);
  file.append(15, 'x');
  const auto parsed = ParseSafetensors(std::as_bytes(std::span(file)));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->at(0).dtype, DType::kF8E4M3);
  EXPECT_EQ(parsed->at(1).dtype, DType::kE8M0);
}

class TableShardTest : public testing::TestWithParam<int> {};

// Rows that end within the first chunk, at the end of one, and some chunks on.
TEST_P(TableShardTest, HoldsTheTableWhateverTheThreads) {
  for (const std::int64_t rows : {1, 1000, 52'000, 400'000}) {
    const std::string path = NewPath("table.safetensors");
    const RowContent content(9, 2, MadeFormat(DType::kBF16, 20));
    const FillTensor fill = [&](std::int64_t offset, std::size_t bytes, std::byte* out) {
      content.FillValues(offset, bytes, out);
    };
    std::int64_t reported = 0;
    const absl::Status status =
        WriteTableShard(path, {"the.table", DType::kBF16, {rows, 20}}, fill, GetParam(),
                        [&](std::int64_t bytes) { reported = bytes; });
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_GT(reported, rows * 40);
    const auto file = MappedFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    const auto parsed = ParseSafetensors(file->bytes());
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ASSERT_EQ(parsed->size(), 1u);
    const SafetensorsTensor& table = parsed->front();
    EXPECT_EQ(table.name, "the.table");
    EXPECT_THAT(table.shape, ElementsAre(rows, 20));
    EXPECT_EQ((table.bytes.data() - file->bytes().data()) % 4096, 0);
    for (std::int64_t row = 0; row < rows; ++row) {
      ASSERT_TRUE(content.IsRow(row, table.bytes.data() + row * 40)) << "row " << row;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, TableShardTest, testing::Values(1, 3));

TEST(DirectFileTest, DoesNotOverwrite) {
  const std::string path = NewPath("there");
  ASSERT_TRUE(DirectFile::Create(path, 5000)->Finish().ok());
  EXPECT_EQ(std::filesystem::file_size(path), 5000u);
  const absl::Status status = DirectFile::Create(path, 5000).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(Message(status), HasSubstr("there"));
}

TEST(DirectFileTest, MoreThanTheDiskHasIsAnErrorBeforeAnythingIsWritten) {
  const absl::Status status = DirectFile::Create(NewPath("huge"), std::int64_t{1} << 52).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(Message(status), HasSubstr("huge: cannot reserve"));
}

}  // namespace
}  // namespace engram::bench
