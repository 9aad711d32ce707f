// SPDX-License-Identifier: Apache-2.0
// A table that gives a wrong row is found out before it is used, wherever its rows come from.
#include "engine/engram/storage/table_check.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "base/strings.h"
#include "engine/engram/storage/ram_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/storage/test_tables.h"

namespace engram {
namespace {

using testing::HasSubstr;
using testing_support::TableOnDisk;

constexpr EngramRowFormat kBF16 = {.dtype = DType::kBF16, .head_dim = 80};
constexpr EngramRowFormat kF8 = {
    .dtype = DType::kF8E4M3, .head_dim = 80, .scale_block = 32, .scale_dtype = DType::kE8M0};

// The rows of another table, the last byte of one of them changed.
class WrongTable final : public EngramTable {
 public:
  WrongTable(const EngramTable* right, std::int64_t wrong_row)
      : right_(*right), wrong_row_(wrong_row) {}
  std::int64_t rows() const override { return right_.rows(); }
  const EngramRowFormat& format() const override { return right_.format(); }
  absl::Status Gather(std::span<const RowCopy> copies, RowSink out) const override {
    const absl::Status status = right_.Gather(copies, out);
    for (const RowCopy& copy : copies) {
      std::byte* const row = out.data + static_cast<std::size_t>(copy.to) * out.stride;
      if (copy.row == wrong_row_) row[row_bytes() - 1] ^= std::byte{1};
    }
    return status;
  }

 private:
  const EngramTable& right_;
  const std::int64_t wrong_row_;
};

class TableCheckTest : public testing::TestWithParam<EngramRowFormat> {
 protected:
  const TableOnDisk disk_{20'011, GetParam()};
  const std::unique_ptr<EngramTable> table_ = *RamTable::Load(disk_.InFile(), {});
};

TEST_P(TableCheckTest, ARightTablePassesEveryTime) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(CheckTable(*table_, disk_.InFile()).ok());
}

TEST_P(TableCheckTest, AWrongRowIsNamed) {
  const WrongTable wrong(table_.get(), 20'010);
  const absl::Status status = CheckTable(wrong, disk_.InFile());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(status), HasSubstr("row 20010 of the Engram table"));
  EXPECT_THAT(Message(status), HasSubstr(disk_.InFile().values.file->path()));
}

TEST_P(TableCheckTest, EachCallLooksAtOtherRows) {
  // One row in twenty is looked at: after four hundred calls, this one was.
  const WrongTable wrong(table_.get(), 12'345);
  bool found = false;
  for (int i = 0; i < 400 && !found; ++i) found = !CheckTable(wrong, disk_.InFile()).ok();
  EXPECT_TRUE(found);
}

INSTANTIATE_TEST_SUITE_P(Formats, TableCheckTest, testing::Values(kBF16, kF8),
                         [](const auto& info) { return info.param.scaled() ? "f8" : "bf16"; });

}  // namespace
}  // namespace engram
