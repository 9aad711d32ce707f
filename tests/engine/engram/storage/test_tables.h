// SPDX-License-Identifier: Apache-2.0
// A table in a file of its own, as a checkpoint has it: at an odd place, with other tensors around
// it, its scales in another file; and a disk that misbehaves on demand.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/storage/file_reader.h"
#include "engine/engram/storage/table_file.h"
#include "engine/engram/storage/table_in_file.h"
#include "engine/engram/storage/table_storage.h"

namespace engram::testing_support {

// A tensor of random bytes in a file, which is removed at the end.
class TensorOnDisk {
 public:
  // `offset`: where it begins; a tail of some bytes follows it.
  TensorOnDisk(std::size_t bytes, std::uint64_t offset);
  ~TensorOnDisk();

  const TensorPlace& place() const { return place_; }
  std::unique_ptr<TableFile> Open() const;
  std::span<const std::byte> bytes() const {
    return std::span(contents_).subspan(place_.offset, bytes_);
  }
  const std::vector<std::byte>& file_bytes() const { return contents_; }

 private:
  std::size_t bytes_;
  std::vector<std::byte> contents_;  // of the file
  TensorPlace place_;
};

class TableOnDisk {
 public:
  TableOnDisk(std::int64_t rows, const EngramRowFormat& format, std::uint64_t offset = 12'345);

  std::int64_t rows() const { return rows_; }
  const EngramRowFormat& format() const { return format_; }
  std::span<const std::byte> bytes() const;  // [rows, format]
  std::span<const std::byte> row(std::int64_t row) const;

  // Of the values.
  const TensorPlace& place() const { return values_.place(); }
  std::unique_ptr<TableFile> Open() const { return values_.Open(); }
  const std::vector<std::byte>& file_bytes() const { return values_.file_bytes(); }
  // Of the scales. REQUIRES: the format has some.
  const TensorOnDisk& scales() const { return *scales_; }

  // As its checkpoint would have it. The files stay open as long as this.
  TableInFile InFile() const;
  TableSource Source() const;

 private:
  std::int64_t rows_;
  EngramRowFormat format_;
  TensorOnDisk values_;
  std::optional<TensorOnDisk> scales_;
  std::vector<std::byte> packed_;  // [rows, format] if there are scales
  std::unique_ptr<TableFile> values_file_;
  std::unique_ptr<TableFile> scales_file_;
};

// Gathers `ids` with a wider stride than rows have, and compares every row, and the gaps, which
// must be left alone.
void ExpectRows(const EngramTable& table, const TableOnDisk& disk,
                const std::vector<std::int64_t>& ids);
// The first and the last row, repeats, neighbours, descending order, and many at random.
void ExpectAllKindsOfRows(const EngramTable& table, const TableOnDisk& disk);
// Eight threads that gather and hint at the same time.
void ExpectRowsOnManyThreads(const EngramTable& table, const TableOnDisk& disk);

std::vector<std::int64_t> RandomIds(std::int64_t rows, std::size_t count, unsigned seed);

// Passes reads on to a file, but for what the test sets.
class FaultyFile final : public FileReader {
 public:
  explicit FaultyFile(const FileReader* file) : file_(file) {}

  std::int64_t ReadAt(std::uint64_t offset, std::span<std::byte> to) const override;

  // Reads, counted from 0, that give this −errno.
  std::set<int> failing;
  int error = 5;  // EIO
  // Reads that give but half of what was asked for, rounded down to `unit`.
  std::set<int> short_reads;
  std::size_t unit = 1;
  // Reads that touch [bad_begin, bad_end) of the file fail.
  std::uint64_t bad_begin = 0;
  std::uint64_t bad_end = 0;
  std::chrono::microseconds delay{0};

  int reads() const { return reads_; }

 private:
  const FileReader* const file_;
  mutable std::atomic<int> reads_{0};
};

}  // namespace engram::testing_support
