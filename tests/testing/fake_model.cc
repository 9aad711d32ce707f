// SPDX-License-Identifier: Apache-2.0
#include "tests/testing/fake_model.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "engine/scheduler/sequence.h"

namespace engram::testing_support {
namespace {

// SplitMix64's finaliser over a combination that does not commute.
std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a * 0x9e3779b97f4a7c15 + b + 0x632be59bd9b4e019;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

float Unit(std::uint64_t hash) { return static_cast<float>(hash >> 40) * 0x1p-24f; }

// `past` is the hash of all keys before, as a deep layer's key depends on all tokens before;
// `before` the raw tokens just before, as many as n-grams reach back (fewer at the start).
std::uint64_t Key(std::int32_t token, std::uint64_t past, std::span<const std::int32_t> before,
                  bool engram_enabled) {
  std::uint64_t hash = Mix(Mix(past, static_cast<std::uint64_t>(token)), engram_enabled);
  if (!engram_enabled) return hash;
  for (const std::int32_t previous : before) {
    hash = Mix(hash, static_cast<std::uint64_t>(previous) + 1);
  }
  return hash;
}

template <typename Window>
void Shift(Window* window, std::uint64_t key) {
  std::shift_left(window->begin(), window->end(), 1);
  window->back() = key;
}

template <typename Window>
std::uint64_t RowHash(std::uint64_t keys_read, const Window& window) {
  std::uint64_t hash = keys_read;
  for (const std::uint64_t key : window) hash = Mix(hash, key);
  return hash;
}

TokenLogprob FakeLogprob(std::uint64_t row_hash, std::int32_t token) {
  const std::uint64_t hash = Mix(row_hash, 1000 + static_cast<std::uint64_t>(token));
  return {.token = token, .logprob = -Unit(hash), .rank = 1 + static_cast<int>(hash % 7)};
}

TokenResult WithLogprobs(std::int32_t token, std::uint64_t row_hash, std::optional<int> top) {
  TokenResult result;
  result.token = token;
  if (!top.has_value()) return result;
  result.logprob = FakeLogprob(row_hash, token);
  for (int i = 0; i < *top; ++i) {
    const auto best = static_cast<std::int32_t>(Mix(row_hash, 2000 + i) % kFakeVocabSize);
    result.top_logprobs.push_back(FakeLogprob(row_hash, best));
  }
  return result;
}

std::vector<float> FakeGates(std::uint64_t key, bool engram_enabled) {
  return {engram_enabled ? Unit(key) : 0.0f, Unit(Mix(key, 1))};
}

TokenResult Sample(std::uint64_t row_hash, const SamplingParams& params, std::uint64_t seed,
                   std::int64_t position, std::span<const std::int32_t> masked) {
  std::uint64_t hash = Mix(row_hash, static_cast<std::uint64_t>(position));
  if (params.temperature > 0) hash = Mix(hash, seed);
  auto token = static_cast<std::int32_t>(hash % kFakeVocabSize);
  while (std::ranges::binary_search(masked, token)) token = (token + 1) % kFakeVocabSize;
  return WithLogprobs(token, row_hash, params.logprobs);
}

}  // namespace

FakeModel::FakeModel(const SchedulerOptions& options)
    : options_(options),
      keys_(static_cast<std::size_t>(options.block_count) * options.block_size, 0xdead),
      snapshots_(options.block_count),
      slots_(options.max_num_seqs) {}

void FakeModel::CheckPlan(const StepPlan& plan) const {
  CHECK(!plan.slices.empty());
  CHECK_LE(plan.token_ids.size(), static_cast<std::size_t>(options_.max_num_batched_tokens));
  CHECK_LE(plan.slices.size(), static_cast<std::size_t>(options_.max_num_seqs));
  int rows = 0;
  int blocks = 0;
  std::vector<int> references(options_.block_count, 0);
  std::set<SequenceId> sequences;
  std::set<StateSlot> slots;
  for (const SequenceSlice& slice : plan.slices) {
    const int end = slice.start_position + slice.row_count;
    const int lookback = std::min(slice.start_position, options_.ngram_order_max - 1);
    CHECK_GE(slice.row_count, 1);
    CHECK_EQ(slice.first_row, rows);
    CHECK_EQ(slice.first_block, blocks);
    CHECK_EQ(slice.block_count, (end + options_.block_size - 1) / options_.block_size);
    CHECK_LE(end, options_.max_model_len);
    CHECK_EQ(slice.lookback_count, lookback);
    CHECK(sequences.insert(slice.sequence).second);
    CHECK(slots.insert(slice.state_slot).second);
    rows += slice.row_count;
    blocks += slice.block_count;
    for (int i = slice.first_block; i < blocks; ++i) ++references[plan.block_ids[i].value()];
  }
  CHECK_EQ(plan.token_ids.size(), static_cast<std::size_t>(rows));
  CHECK_EQ(plan.block_ids.size(), static_cast<std::size_t>(blocks));
  for (const SequenceSlice& slice : plan.slices) {
    for (int i = slice.start_position / options_.block_size; i < slice.block_count; ++i) {
      CHECK_EQ(references[plan.block_ids[slice.first_block + i].value()], 1);
    }
  }
  CHECK(std::ranges::is_sorted(plan.samples, {}, &SampleRow::row));
  CHECK(std::ranges::is_sorted(plan.prompt_logprobs, {}, &PromptLogprobRow::row));
}

void FakeModel::CheckUpcoming(const StepPlan& plan) {
  for (const SequenceSlice& slice : plan.slices) {
    const std::map<int, std::int32_t>& tokens = announced_[slice.sequence];
    for (int i = 0; i < slice.row_count; ++i) {
      const auto it = tokens.find(slice.start_position + i);
      if (it != tokens.end()) CHECK_EQ(it->second, plan.token_ids[slice.first_row + i]);
    }
  }
  announced_.clear();
  int count = 0;
  int ids = 0;
  for (const UpcomingTokens& upcoming : plan.upcoming) {
    CHECK_GE(upcoming.token_count, 1);
    CHECK_EQ(upcoming.first_token, ids);
    CHECK_EQ(upcoming.lookback_count,
             std::min(upcoming.start_position, options_.ngram_order_max - 1));
    const int length = upcoming.lookback_count + upcoming.token_count;
    std::map<int, std::int32_t>& tokens = announced_[upcoming.sequence];
    CHECK(tokens.empty());
    for (int i = 0; i < length; ++i) {
      tokens[upcoming.start_position - upcoming.lookback_count + i] = plan.upcoming_ids.at(ids + i);
    }
    count += upcoming.token_count;
    ids += length;
  }
  CHECK_EQ(plan.upcoming_ids.size(), static_cast<std::size_t>(ids));
  CHECK_LE(count, options_.upcoming_tokens_max);
}

FakeModel::Window FakeModel::StartWindow(const StepPlan& plan, const SequenceSlice& slice) const {
  switch (slice.state_source) {
    case StateSource::kZero:
      CHECK_EQ(slice.start_position, 0);
      return {};
    case StateSource::kBlock: {
      CHECK_GT(slice.start_position, 0);
      CHECK_EQ(slice.start_position % options_.block_size, 0);
      const int index = slice.start_position / options_.block_size - 1;
      return snapshots_[plan.block_ids[slice.first_block + index].value()];
    }
    case StateSource::kSlot: {
      const Slot& slot = slots_[slice.state_slot.value()];
      CHECK_EQ(slot.owner, slice.sequence);
      CHECK_EQ(slot.position, slice.start_position);
      return slot.window;
    }
  }
  CHECK(false);
  return {};
}

std::vector<std::uint64_t> FakeModel::RunSlice(const StepPlan& plan, const SequenceSlice& slice,
                                               StepOutput* output) {
  const int block_size = options_.block_size;
  const auto block_at = [&](int position) {
    return static_cast<std::size_t>(
        plan.block_ids[slice.first_block + position / block_size].value());
  };
  const auto key_at = [&](int position) -> std::uint64_t& {
    return keys_[block_at(position) * block_size + position % block_size];
  };

  Window window = StartWindow(plan, slice);
  std::uint64_t keys_read = 0;
  for (int position = 0; position < slice.start_position; ++position) {
    keys_read = Mix(keys_read, key_at(position));
  }
  std::vector<std::int32_t> history(slice.lookback.begin(),
                                    slice.lookback.begin() + slice.lookback_count);
  std::vector<float> gates;
  std::vector<std::uint64_t> hashes;
  for (int row = 0; row < slice.row_count; ++row) {
    const int position = slice.start_position + row;
    const std::int32_t token = plan.token_ids[slice.first_row + row];
    const std::size_t reach = std::min<std::size_t>(history.size(), options_.ngram_order_max - 1);
    const std::uint64_t key =
        Key(token, keys_read, std::span(history).last(reach), slice.engram_enabled);
    key_at(position) = key;
    Shift(&window, key);
    keys_read = Mix(keys_read, key);
    hashes.push_back(RowHash(keys_read, window));
    if ((position + 1) % block_size == 0) snapshots_[block_at(position)] = window;
    if (slice.wants_gates) {
      const std::vector<float> row_gates = FakeGates(key, slice.engram_enabled);
      gates.insert(gates.end(), row_gates.begin(), row_gates.end());
    }
    history.push_back(token);
  }
  slots_[slice.state_slot.value()] = {.window = window,
                                      .owner = slice.sequence,
                                      .position = slice.start_position + slice.row_count};
  if (slice.wants_gates) output->gates.push_back(std::move(gates));
  return hashes;
}

StepOutput FakeModel::Execute(const StepPlan& plan) {
  CheckPlan(plan);
  CheckUpcoming(plan);
  StepOutput output;
  std::vector<std::uint64_t> hashes;  // [rows]
  for (const SequenceSlice& slice : plan.slices) {
    const std::vector<std::uint64_t> rows = RunSlice(plan, slice, &output);
    hashes.insert(hashes.end(), rows.begin(), rows.end());
  }
  for (const SampleRow& row : plan.samples) {
    output.sampled.push_back(
        Sample(hashes[row.row], *row.params, row.seed, row.position, row.masked_tokens));
  }
  for (const PromptLogprobRow& row : plan.prompt_logprobs) {
    output.prompt_logprobs.push_back(WithLogprobs(row.next_token, hashes[row.row], row.top));
  }
  return output;
}

FakeAnswer ExpectedAnswer(const Request& request, int choice, int ngram_order_max) {
  FakeAnswer answer;
  const int prompt_length = static_cast<int>(request.prompt().size());
  const bool enabled = request.engram_enabled();
  const std::uint64_t seed = ChoiceSeed(request.sampling().seed, choice);
  std::vector<std::int32_t> tokens = request.prompt();
  if (request.prompt_logprobs().has_value() || request.engram_gates()) {
    for (const std::int32_t token : tokens) answer.prompt.emplace_back().token = token;
  }
  std::array<std::uint64_t, kFakeWindow> window{};
  std::uint64_t keys_read = 0;
  for (int position = 0;; ++position) {
    const int reach = std::min(position, ngram_order_max - 1);
    const std::uint64_t key = Key(tokens[position], keys_read,
                                  std::span(tokens).subspan(position - reach, reach), enabled);
    Shift(&window, key);
    keys_read = Mix(keys_read, key);
    const std::uint64_t hash = RowHash(keys_read, window);
    const int next = position + 1;
    if (request.engram_gates()) {
      TokenResult& read = position < prompt_length ? answer.prompt[position]
                                                   : answer.tokens[position - prompt_length];
      read.gates = FakeGates(key, enabled);
    }
    if (next < prompt_length) {
      if (!request.prompt_logprobs().has_value()) continue;
      answer.prompt[next] = WithLogprobs(tokens[next], hash, request.prompt_logprobs());
      continue;
    }
    const int sampled = next - prompt_length;
    if (sampled == request.max_tokens()) return answer;  // only if that is 0
    const std::span<const std::int32_t> masked =
        sampled < request.min_tokens() ? request.end_token_ids() : std::span<const std::int32_t>();
    answer.tokens.push_back(Sample(hash, request.sampling(), seed, next, masked));
    tokens.push_back(answer.tokens.back().token);
    if (std::ranges::binary_search(request.end_token_ids(), tokens.back())) {
      answer.finish = FinishReason::kStop;
      if (!request.IsEos(tokens.back())) answer.stop_token = tokens.back();
      return answer;
    }
    if (sampled + 1 == request.max_tokens()) return answer;
  }
}

}  // namespace engram::testing_support
