// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/checkpoint/table_writer.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status_macros.h"
#include "tools/bench/checkpoint/direct_file.h"

namespace engram::bench {
namespace {

// Long enough for a drive's full rate with a write or two under way, short enough for the
// processor's cache to still have what is written.
constexpr std::size_t kChunkBytes = 4 << 20;
static_assert(kChunkBytes % kDirectAlignment == 0);

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<std::byte[], Free>;

// The chunks of one shard, handed out in order.
class ShardWriter {
 public:
  ShardWriter(const DirectFile* file, std::string header, std::int64_t data_bytes,
              const FillTensor* fill, const WriteProgress* progress)
      : file_(file),
        header_(std::move(header)),
        end_(static_cast<std::int64_t>(header_.size()) + data_bytes),
        fill_(fill),
        progress_(progress) {}

  // Writes chunks until there are none left, or until one thread has failed.
  void Run() {
    const AlignedMemory memory(
        static_cast<std::byte*>(std::aligned_alloc(kDirectAlignment, kChunkBytes)));
    CHECK(memory != nullptr);
    while (!failed_) {
      const std::int64_t begin = next_.fetch_add(kChunkBytes);
      if (begin >= end_) return;
      Finished(WriteChunk(begin, memory.get()), std::min<std::int64_t>(kChunkBytes, end_ - begin));
    }
  }

  absl::Status status() {
    std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  absl::Status WriteChunk(std::int64_t begin, std::byte* memory) const {
    const std::int64_t end = std::min<std::int64_t>(begin + kChunkBytes, end_);
    std::byte* out = memory;
    std::int64_t at = begin;
    const auto header_bytes = static_cast<std::int64_t>(header_.size());
    if (at < header_bytes) {
      const std::int64_t count = std::min(end, header_bytes) - at;
      std::memcpy(out, header_.data() + at, static_cast<std::size_t>(count));
      out += count;
      at += count;
    }
    (*fill_)(at - header_bytes, static_cast<std::size_t>(end - at), out);
    const auto bytes = static_cast<std::size_t>(end - begin);
    const std::size_t whole = (bytes + kDirectAlignment - 1) / kDirectAlignment * kDirectAlignment;
    std::memset(memory + bytes, 0, whole - bytes);
    return file_->Write(begin, {memory, whole});
  }

  void Finished(const absl::Status& status, std::int64_t bytes) {
    std::lock_guard lock(mutex_);
    if (!status.ok()) {
      if (status_.ok()) status_ = status;
      failed_ = true;
      return;
    }
    written_ += bytes;
    (*progress_)(written_);
  }

  // Constant after construction.
  const DirectFile* const file_;
  const std::string header_;
  const std::int64_t end_;  // of the file
  const FillTensor* const fill_;
  const WriteProgress* const progress_;

  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  // State below is protected by mutex_.
  std::int64_t written_ = 0;
  absl::Status status_;  // the first error
};

}  // namespace

absl::Status WriteTableShard(const std::string& path, const ShardTensor& tensor,
                             const FillTensor& fill, int threads, const WriteProgress& progress) {
  CHECK_GT(threads, 0);
  const std::string header = ShardHeader({tensor}, kDirectAlignment);
  const std::int64_t bytes = static_cast<std::int64_t>(header.size()) + tensor.bytes();
  ASSIGN_OR_RETURN(const DirectFile file, DirectFile::Create(path, bytes));
  ShardWriter writer(&file, header, tensor.bytes(), &fill, &progress);
  std::vector<std::thread> helpers;
  for (int i = 1; i < threads; ++i) helpers.emplace_back([&] { writer.Run(); });
  writer.Run();
  for (std::thread& helper : helpers) helper.join();
  RETURN_IF_ERROR(writer.status());
  return file.Finish();
}

}  // namespace engram::bench
