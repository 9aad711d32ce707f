// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/engram/storage/test_tables.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/check.h"
#include "base/descriptor.h"
#include "gtest/gtest.h"

namespace engram::testing_support {
namespace {

constexpr std::size_t kTailBytes = 777;

}  // namespace

TensorOnDisk::TensorOnDisk(std::size_t bytes, std::uint64_t offset) : bytes_(bytes) {
  static std::atomic<int> count{0};
  place_.path =
      testing::TempDir() + "/table_" + std::to_string(getpid()) + "_" + std::to_string(count++);
  place_.offset = offset;
  contents_.resize(offset + bytes + kTailBytes);
  std::mt19937 random(static_cast<unsigned>(contents_.size()));
  for (std::byte& byte : contents_) byte = static_cast<std::byte>(random());
  std::ofstream(place_.path, std::ios::binary)
      .write(reinterpret_cast<const char*>(contents_.data()),
             static_cast<std::streamsize>(contents_.size()));
  const Descriptor file(::open(place_.path.c_str(), O_RDONLY));
  const auto identity = IdentityOf(file.get(), place_.path);
  CHECK(identity.ok());
  place_.identity = *identity;
}

TensorOnDisk::~TensorOnDisk() { std::remove(place_.path.c_str()); }

std::unique_ptr<TableFile> TensorOnDisk::Open() const {
  auto file = TableFile::Open(place_);
  EXPECT_TRUE(file.ok()) << file.status();
  return *std::move(file);
}

TableOnDisk::TableOnDisk(std::int64_t rows, const EngramRowFormat& format, std::uint64_t offset)
    : rows_(rows),
      format_(format),
      values_(static_cast<std::size_t>(rows) * format.value_bytes(), offset),
      values_file_(values_.Open()) {
  if (!format.scaled()) return;
  scales_.emplace(static_cast<std::size_t>(rows) * format.scale_bytes(), offset / 2 + 1);
  scales_file_ = scales_->Open();
  const auto append = [&](const TensorOnDisk& tensor, std::int64_t row, std::size_t bytes) {
    const auto part = tensor.bytes().subspan(static_cast<std::size_t>(row) * bytes, bytes);
    packed_.insert(packed_.end(), part.begin(), part.end());
  };
  for (std::int64_t row = 0; row < rows; ++row) {
    append(values_, row, format.value_bytes());
    append(*scales_, row, format.scale_bytes());
  }
}

std::span<const std::byte> TableOnDisk::bytes() const {
  return format_.scaled() ? packed_ : values_.bytes();
}

std::span<const std::byte> TableOnDisk::row(std::int64_t row) const {
  return bytes().subspan(static_cast<std::size_t>(row) * format_.row_bytes(), format_.row_bytes());
}

TableInFile TableOnDisk::InFile() const {
  TableInFile table = {.name = "model.layers.1.engram.embed.weight",
                       .hash_checksum = 7,
                       .rows = rows_,
                       .format = format_,
                       .values = {.file = values_file_.get(),
                                  .offset = values_.place().offset,
                                  .row_bytes = format_.value_bytes()},
                       .scales = {}};
  if (format_.scaled()) {
    table.scales = {.file = scales_file_.get(),
                    .offset = scales_->place().offset,
                    .row_bytes = format_.scale_bytes()};
  }
  return table;
}

TableSource TableOnDisk::Source() const {
  TableSource source = {.rows = rows_,
                        .format = format_,
                        .values = {.bytes = values_.bytes(), .place = values_.place()},
                        .scales = {},
                        .name = "model.layers.1.engram.embed.weight",
                        .hash_checksum = 7};
  if (format_.scaled()) source.scales = {.bytes = scales_->bytes(), .place = scales_->place()};
  return source;
}

void ExpectRows(const EngramTable& table, const TableOnDisk& disk,
                const std::vector<std::int64_t>& ids) {
  constexpr std::size_t kGap = 3;
  const std::size_t stride = table.row_bytes() + kGap;
  std::vector<RowCopy> copies;
  for (const std::int64_t id : ids) {
    copies.push_back({.row = id, .to = static_cast<std::int64_t>(copies.size())});
  }
  std::vector<std::byte> out(ids.size() * stride, std::byte{0xa5});
  ASSERT_TRUE(table.Gather(copies, {.data = out.data(), .stride = stride}).ok());
  const std::vector<std::byte> gap(kGap, std::byte{0xa5});
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::byte* const row = out.data() + i * stride;
    ASSERT_EQ(std::memcmp(row, disk.row(ids[i]).data(), table.row_bytes()), 0)
        << "row " << ids[i] << " at " << i;
    ASSERT_EQ(std::memcmp(row + table.row_bytes(), gap.data(), kGap), 0) << "after row " << ids[i];
  }
}

void ExpectAllKindsOfRows(const EngramTable& table, const TableOnDisk& disk) {
  ASSERT_EQ(table.rows(), disk.rows());
  const std::int64_t last = disk.rows() - 1;
  ExpectRows(table, disk, {});
  ExpectRows(table, disk, {0});
  ExpectRows(table, disk, {last});
  ExpectRows(table, disk, {last, 0, 7, 7, 7, last, 1, 0, last - 1});
  std::vector<std::int64_t> neighbours;
  for (std::int64_t row = 0; row < std::min<std::int64_t>(last, 500); ++row) {
    neighbours.push_back(row);
  }
  ExpectRows(table, disk, neighbours);
  std::vector<std::int64_t> ids = RandomIds(disk.rows(), 3000, 1);
  ExpectRows(table, disk, ids);
  std::sort(ids.begin(), ids.end());
  ExpectRows(table, disk, ids);
  std::reverse(ids.begin(), ids.end());
  ExpectRows(table, disk, ids);
}

void ExpectRowsOnManyThreads(const EngramTable& table, const TableOnDisk& disk) {
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 6; ++i) {
        std::vector<std::int64_t> ids = RandomIds(disk.rows(), 300, 100 * t + i);
        if (i % 2 == 0) std::sort(ids.begin(), ids.end());
        if (i % 3 == 0) table.Prefetch(RandomIds(disk.rows(), 200, 100 * t + i + 1));
        ExpectRows(table, disk, ids);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

std::vector<std::int64_t> RandomIds(std::int64_t rows, std::size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> ids(count);
  for (std::int64_t& id : ids) id = static_cast<std::int64_t>(random() % rows);
  return ids;
}

std::int64_t FaultyFile::ReadAt(std::uint64_t offset, std::span<std::byte> to) const {
  const int number = reads_++;
  if (delay.count() > 0) std::this_thread::sleep_for(delay);
  if (failing.contains(number)) return -error;
  if (offset < bad_end && offset + to.size() > bad_begin) return -error;
  const std::int64_t got = file_->ReadAt(offset, to);
  if (!short_reads.contains(number)) return got;
  const std::size_t half = to.size() / 2 / unit * unit;
  std::ranges::fill(to.subspan(half), std::byte{0xee});
  return std::min<std::int64_t>(got, static_cast<std::int64_t>(half));
}

}  // namespace engram::testing_support
