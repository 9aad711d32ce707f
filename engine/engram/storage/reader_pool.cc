// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/reader_pool.h"

#include <utility>

#include "base/check.h"
#include "base/status_macros.h"

namespace engram {

absl::StatusOr<std::unique_ptr<ReaderPool>> ReaderPool::Make(const Options& options,
                                                             const MakeReader& make) {
  CHECK_GT(options.readers, 0);
  CHECK_GT(options.depth, 0);
  std::unique_ptr<ReaderPool> pool(new ReaderPool);
  for (int i = 0; i < options.readers; ++i) {
    const auto depth = static_cast<std::size_t>(options.depth);
    ASSIGN_OR_RETURN(HugeMemory memory,
                     HugeMemory::Allocate(depth * options.buffer_bytes, HugePages::kOff));
    ASSIGN_OR_RETURN(std::unique_ptr<BlockReader> reader, make(options.depth, memory.bytes()));
    auto kit = std::make_unique<ReaderKit>(ReaderKit{.memory = std::move(memory),
                                                     .reader = std::move(reader),
                                                     .slots = std::vector<ReadSlot>(depth),
                                                     .idle = {}});
    for (int slot = 0; slot < options.depth; ++slot) {
      kit->slots[slot].buffer =
          kit->memory.bytes().subspan(slot * options.buffer_bytes, options.buffer_bytes);
      kit->idle.push_back(slot);
    }
    pool->free_.push_back(kit.get());
    pool->kits_.push_back(std::move(kit));
  }
  return pool;
}

ReaderPool::Loan ReaderPool::Borrow() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return !free_.empty(); });
  ReaderKit* const kit = free_.back();
  free_.pop_back();
  return Loan(this, kit);
}

void ReaderPool::Return(ReaderKit* kit) {
  CHECK_EQ(kit->idle.size(), kit->slots.size());
  {
    std::lock_guard lock(mutex_);
    free_.push_back(kit);
  }
  returned_.notify_one();
}

}  // namespace engram
