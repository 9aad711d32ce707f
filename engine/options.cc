// SPDX-License-Identifier: Apache-2.0
#include "engine/options.h"

#include <cstdint>
#include <string>

#include "base/field_error.h"
#include "base/status_macros.h"
#include "config/limits.h"

namespace engram {
namespace {

absl::Status CheckRange(const char* field, std::int64_t value, std::int64_t min, std::int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return InvalidField(field, "is " + std::to_string(value) + "; expected " + std::to_string(min) +
                                 " to " + std::to_string(max));
}

}  // namespace

absl::Status ValidateSchedulerOptions(const SchedulerOptions& options) {
  using namespace limits;  // NOLINT(google-build-using-namespace)
  constexpr std::int64_t kBlocksMax = INT32_MAX / kBlockSizeMax;
  RETURN_IF_ERROR(CheckRange("max_model_len", options.max_model_len, 1, kModelLenMax));
  RETURN_IF_ERROR(CheckRange("max_num_seqs", options.max_num_seqs, 1, kSequencesMax));
  RETURN_IF_ERROR(CheckRange("max_num_batched_tokens", options.max_num_batched_tokens,
                             options.max_num_seqs, kBatchedTokensMax));
  RETURN_IF_ERROR(CheckRange("block_size", options.block_size, 1, kBlockSizeMax));
  RETURN_IF_ERROR(CheckRange("block_count", options.block_count, 1, kBlocksMax));
  RETURN_IF_ERROR(CheckRange("ngram_order_max", options.ngram_order_max, 1, kNgramOrderMax));
  RETURN_IF_ERROR(
      CheckRange("upcoming_tokens_max", options.upcoming_tokens_max, 0, kUpcomingTokensMax));
  RETURN_IF_ERROR(
      CheckRange("max_waiting_requests", options.max_waiting_requests, 1, kWaitingRequestsMax));
  // A queue that cannot hold the longest prompt would turn it away for ever.
  RETURN_IF_ERROR(CheckRange("max_waiting_tokens", options.max_waiting_tokens,
                             options.max_model_len, INT64_MAX));
  RETURN_IF_ERROR(CheckRange("priority_aging", options.priority_aging.count(), 1,
                             Duration(kTimeoutSettingMax).count()));
  if (!options.enable_chunked_prefill && options.max_num_batched_tokens < options.max_model_len) {
    return InvalidField(
        "max_num_batched_tokens",
        "is " + std::to_string(options.max_num_batched_tokens) +
            "; without chunked prefill a prompt is one step, so it must be at least "
            "max_model_len (" +
            std::to_string(options.max_model_len) + ")");
  }
  return absl::OkStatus();
}

}  // namespace engram
