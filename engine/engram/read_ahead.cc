// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/read_ahead.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "config/limits.h"

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
  sampled_ids_.reserve(tokens_max * (1 + lookback));
  piece_.ids.reserve(kTokensPerPiece * (1 + lookback));
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
    sampled_ids_.clear();
    next_sampled_ = 0;
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

void ReadAhead::Sampled(const StepPlan& plan, std::span<const TokenResult> tokens) {
  CHECK_EQ(tokens.size(), plan.samples.size());
  {
    std::lock_guard lock(mutex_);
    sampled_ids_.clear();
    next_sampled_ = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const SequenceSlice& slice = plan.slices[plan.samples[i].slice];
      if (!slice.engram_enabled) continue;
      if (sampled_ids_.size() + SampledWindow() > sampled_ids_.capacity()) break;
      // The N − 1 raw ids before the sampled one: rows of the slice, and what was before it.
      std::array<std::int32_t, 2 * (limits::kNgramOrderMax - 1)> before;
      const auto rows = std::span(plan.token_ids)
                            .subspan(slice.first_row, plan.samples[i].row + 1 - slice.first_row);
      const auto last = rows.last(std::min<std::size_t>(rows.size(), hasher_->lookback()));
      auto end = std::copy_n(slice.lookback.begin(), slice.lookback_count, before.begin());
      end = std::ranges::copy(last, end).out;
      sampled_ids_.resize(sampled_ids_.size() + SampledWindow());
      hasher_->FillWindow({before.begin(), end}, {&tokens[i].token, 1},
                          std::span(sampled_ids_).last(SampledWindow()));
    }
    if (sampled_ids_.empty()) return;
  }
  wished_.notify_one();
}

bool ReadAhead::HasPieceLocked() const {
  return next_sampled_ < sampled_ids_.size() ||
         std::any_of(wishes_.begin() + static_cast<std::ptrdiff_t>(next_wish_), wishes_.end(),
                     [](const Wish& wish) { return wish.count > 0; });
}

bool ReadAhead::TakePiece() {
  std::lock_guard lock(mutex_);
  return TakeSampledLocked() || TakeListedLocked();
}

bool ReadAhead::TakeSampledLocked() {
  const std::size_t count =
      std::min(sampled_ids_.size() - next_sampled_, kTokensPerPiece * SampledWindow());
  if (count == 0) return false;
  const auto begin = sampled_ids_.begin() + static_cast<std::ptrdiff_t>(next_sampled_);
  piece_.ids.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  piece_.window = SampledWindow();
  next_sampled_ += count;
  return true;
}

bool ReadAhead::TakeListedLocked() {
  while (next_wish_ < wishes_.size() && wishes_[next_wish_].count == 0) ++next_wish_;
  if (next_wish_ == wishes_.size()) return false;
  Wish& wish = wishes_[next_wish_];
  const int count = std::min(wish.count, kTokensPerPiece);
  const auto begin = ids_.begin() + static_cast<std::ptrdiff_t>(wish.window_begin);
  piece_.ids.assign(begin, begin + hasher_->lookback() + count);
  piece_.window = piece_.ids.size();
  wish.position += count;
  wish.count -= count;
  wish.window_begin += count;
  return true;
}

void ReadAhead::HintPiece() {
  const std::span<const std::int32_t> ids(piece_.ids);
  const auto lookups = static_cast<std::size_t>(hasher_->lookups());
  const std::size_t rows_per_window = (piece_.window - hasher_->lookback()) * lookups;
  const std::size_t windows = ids.size() / piece_.window;
  for (int layer = 0; layer < hasher_->layer_count(); ++layer) {
    const std::span<std::int64_t> rows = std::span(piece_rows_).first(windows * rows_per_window);
    for (std::size_t i = 0; i < windows; ++i) {
      hasher_->HashRows(layer, ids.subspan(i * piece_.window, piece_.window),
                        rows.subspan(i * rows_per_window).data());
    }
    std::ranges::sort(rows);
    tables_[layer]->Prefetch({rows.begin(), std::unique(rows.begin(), rows.end())});
  }
}

void ReadAhead::Work() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wished_.wait(lock, [this] { return closed_ || HasPieceLocked(); });
      if (closed_) return;
    }
    // There may be something else to hint after the wait, or nothing.
    if (!board_->WaitUntilIdle()) return;
    if (TakePiece()) HintPiece();
  }
}

}  // namespace engram
