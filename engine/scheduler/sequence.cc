// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler/sequence.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/prng.h"

namespace engram {

int Sequence::prompt_length() const { return static_cast<int>(request->request.prompt().size()); }

int Sequence::length() const { return prompt_length() + static_cast<int>(output.size()); }

std::int32_t Sequence::token(int position) const {
  CHECK(position >= 0 && position < length());
  const int prompt = prompt_length();
  return position < prompt ? request->request.prompt()[position] : output[position - prompt];
}

void Sequence::CopyTokens(int position, std::span<std::int32_t> out) const {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = token(position + static_cast<int>(i));
}

bool Sequence::OwesRow(int position) const {
  if (position < answered_rows) return false;
  if (request->request.engram_gates()) return true;
  return request->request.prompt_logprobs().has_value() && position < prompt_length() - 1;
}

int Sequence::cacheable_tokens() const {
  return OwesRow(answered_rows) ? std::min(answered_rows, length() - 1) : length() - 1;
}

StateSource Sequence::state_source() const {
  if (slot_is_current) return StateSource::kSlot;
  return computed_tokens == 0 ? StateSource::kZero : StateSource::kBlock;
}

std::uint64_t ChoiceSeed(std::uint64_t seed, int choice) {
  if (choice == 0) return seed;
  const std::array<std::uint32_t, 4> words =
      Philox4x32({static_cast<std::uint32_t>(choice), 0, 0, 0},
                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return (std::uint64_t{words[1]} << 32) | words[0];
}

}  // namespace engram
