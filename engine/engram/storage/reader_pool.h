// SPDX-License-Identifier: Apache-2.0
// A BlockReader with its buffers for each thread that may gather at the same time, made once and
// lent: a gather allocates nothing, and what reads take is bounded.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "engine/engram/storage/block_reader.h"
#include "engine/engram/storage/huge_memory.h"

namespace engram {

// One read of a borrowed reader, in the borrower's terms.
struct ReadSlot {
  std::span<std::byte> buffer;  // the slot's own, all of it
  std::uint64_t offset = 0;     // in the file, of buffer[0]
  std::size_t needed = 0;       // bytes without which the read has failed
  std::size_t first = 0;        // it answers wishes in [first, last)
  std::size_t last = 0;
  int tries = 0;
  TimePoint started;
};

// A reader and its slots, in one thread's hands.
struct ReaderKit {
  HugeMemory memory;
  std::unique_ptr<BlockReader> reader;
  std::vector<ReadSlot> slots;  // [reader->depth()]
  std::vector<int> idle;        // slots with no read under way; all of them between two loans
  std::vector<std::size_t> others{};  // the borrower's: wishes that somebody else is reading
};

// Thread-safe.
class ReaderPool {
 public:
  // `buffers` is all the memory that the reader will read into.
  using MakeReader = std::function<absl::StatusOr<std::unique_ptr<BlockReader>>(
      int depth, std::span<std::byte> buffers)>;

  struct Options {
    int readers = 1;
    int depth = 1;
    std::size_t buffer_bytes = 0;  // of a slot
  };
  static absl::StatusOr<std::unique_ptr<ReaderPool>> Make(const Options& options,
                                                          const MakeReader& make);

  // Goes back to the pool at the end of its life.
  class Loan {
   public:
    Loan(ReaderPool* pool, ReaderKit* kit) : pool_(pool), kit_(kit) {}
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() { pool_->Return(kit_); }
    ReaderKit& operator*() const { return *kit_; }

   private:
    ReaderPool* const pool_;
    ReaderKit* const kit_;
  };
  // Waits until one is free.
  Loan Borrow();

  std::string_view reader_name() const { return kits_.front()->reader->name(); }

 private:
  ReaderPool() = default;
  void Return(ReaderKit* kit);

  std::vector<std::unique_ptr<ReaderKit>> kits_;  // constant after Make
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<ReaderKit*> free_;  // protected by mutex_
};

}  // namespace engram
