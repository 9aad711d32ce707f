// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/read_ahead.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/check.h"

namespace engram {

ReadAhead::ReadAhead(const NgramHasher* hasher, std::vector<const EngramTable*> tables,
                     JobBoard* board, int tokens_max)
    : hasher_(hasher), tables_(std::move(tables)), board_(board) {
  CHECK_GT(tokens_max, 0);
  const std::size_t lookback = hasher->lookback();
  // A list has the most entries when each has one token.
  wishes_.reserve(tokens_max);
  former_.reserve(tokens_max);
  ids_.resize(tokens_max * (1 + lookback));
  piece_.reserve(lookback + kTokensPerPiece);
  piece_rows_.resize(static_cast<std::size_t>(kTokensPerPiece) * hasher->lookups());
  thread_ = std::thread([this] { Work(); });
}

ReadAhead::~ReadAhead() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wished_.notify_one();
  thread_.join();
}

void ReadAhead::Update(const StepPlan& plan) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    former_.swap(wishes_);
    std::ranges::sort(former_, {}, &Wish::sequence);
    wishes_.clear();
    next_wish_ = 0;
    std::size_t used = 0;
    for (const UpcomingTokens& upcoming : plan.upcoming) {
      CHECK_GE(upcoming.token_count, 1);
      const std::span<const std::int32_t> raw(plan.upcoming_ids.data() + upcoming.first_token,
                                              upcoming.lookback_count + upcoming.token_count);
      const std::size_t length =
          static_cast<std::size_t>(hasher_->lookback() + upcoming.token_count);
      CHECK_LE(used + length, ids_.size());
      hasher_->FillWindow(raw.first(upcoming.lookback_count), raw.subspan(upcoming.lookback_count),
                          std::span(ids_).subspan(used, length));
      Wish wish = {.sequence = upcoming.sequence,
                   .position = upcoming.start_position,
                   .count = upcoming.token_count,
                   .window_begin = used};
      used += length;
      const auto former = std::ranges::lower_bound(former_, wish.sequence, {}, &Wish::sequence);
      if (former != former_.end() && former->sequence == wish.sequence) {
        const int hinted = std::clamp(former->position - wish.position, 0, wish.count);
        wish.position += hinted;
        wish.count -= hinted;
        wish.window_begin += hinted;
      }
      wake |= wish.count > 0;
      wishes_.push_back(wish);
    }
  }
  if (wake) wished_.notify_one();
}

bool ReadAhead::TakePiece() {
  std::lock_guard lock(mutex_);
  while (next_wish_ < wishes_.size() && wishes_[next_wish_].count == 0) ++next_wish_;
  if (next_wish_ == wishes_.size()) return false;
  Wish& wish = wishes_[next_wish_];
  const int count = std::min(wish.count, kTokensPerPiece);
  const auto begin = ids_.begin() + static_cast<std::ptrdiff_t>(wish.window_begin);
  piece_.assign(begin, begin + hasher_->lookback() + count);
  wish.position += count;
  wish.count -= count;
  wish.window_begin += count;
  return true;
}

void ReadAhead::HintPiece() {
  const std::size_t tokens = piece_.size() - hasher_->lookback();
  for (int layer = 0; layer < hasher_->layer_count(); ++layer) {
    const std::span<std::int64_t> rows =
        std::span(piece_rows_).first(tokens * static_cast<std::size_t>(hasher_->lookups()));
    hasher_->HashRows(layer, piece_, rows.data());
    std::ranges::sort(rows);
    tables_[layer]->Prefetch({rows.begin(), std::unique(rows.begin(), rows.end())});
  }
}

void ReadAhead::Work() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wished_.wait(lock, [this] {
        return closed_ || std::any_of(wishes_.begin() + static_cast<std::ptrdiff_t>(next_wish_),
                                      wishes_.end(), [](const Wish& w) { return w.count > 0; });
      });
      if (closed_) return;
    }
    // The list may be another one after the wait.
    if (!board_->WaitUntilIdle()) return;
    if (TakePiece()) HintPiece();
  }
}

}  // namespace engram
