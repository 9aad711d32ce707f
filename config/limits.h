// SPDX-License-Identifier: Apache-2.0
// Every ceiling of the server in one place. A limit is there so that no client, file or flag can
// make the process use memory or time without bound; what is over a limit gets an error that names
// it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace engram::limits {

using std::chrono::seconds;

// ---- Requests ----
inline constexpr int kChoicesMax = 128;               // n
inline constexpr int kPromptsPerRequestMax = 1024;    // list of prompts in /v1/completions
inline constexpr int kSequencesPerRequestMax = 4096;  // prompts × n of one HTTP request
inline constexpr int kStopStringsMax = 16;
inline constexpr std::size_t kStopStringBytesMax = 1024;
inline constexpr int kStopTokenIdsMax = 256;
inline constexpr int kLogitBiasEntriesMax = 1024;
inline constexpr int kTopLogprobsMax = 20;
inline constexpr int kChatMessagesMax = 4096;
inline constexpr std::size_t kRequestIdBytesMax = 128;
inline constexpr std::size_t kCacheSaltBytesMax = 256;
inline constexpr int kPriorityMax = 1'000'000;  // |priority|

// ---- Model shapes (config.json) ----
inline constexpr int kModelLenMax = 1 << 20;
inline constexpr int kVocabMax = 1 << 20;
inline constexpr int kHiddenMax = 1 << 16;
inline constexpr int kFfnWidthMax = 1 << 18;  // intermediate_size, moe_intermediate_size
inline constexpr int kLayersMax = 1024;
inline constexpr int kHeadsMax = 1024;
inline constexpr int kExpertsMax = 4096;
inline constexpr int kExpertsPerTokenMax = 64;
inline constexpr int kSharedExpertsMax = 64;
inline constexpr int kMtpLayersMax = 16;       // num_nextn_predict_layers
inline constexpr int kSinkhornItersMax = 1000;
inline constexpr std::size_t kEosTokensMax = 64;
inline constexpr int kStreamsMax = 8;       // hc_mult
inline constexpr int kNgramOrderMax = 4;    // engram_max_ngram_size
inline constexpr int kEngramHeadsMax = 64;  // per order
inline constexpr int kEngramHeadDimMax = 4096;
inline constexpr int kConvWindowMax = 64;  // (engram_kernel_size − 1) · dilation
inline constexpr std::int64_t kEngramRowsMax = std::int64_t{1} << 40;

// ---- Table keeper ----
inline constexpr std::chrono::seconds kKeeperTimeout{10};            // one question or answer
inline constexpr std::size_t kKeeperPacketBytesMax = 32 << 10;  // an identity with all it names
inline constexpr std::size_t kKeptSegmentsMax = 256;

// ---- Files ----
inline constexpr std::size_t kSafetensorsHeaderBytesMax = 100'000'000;  // the format's own limit
inline constexpr std::size_t kTensorsMax = 1'000'000;
inline constexpr std::size_t kTensorDimensionsMax = 8;
inline constexpr std::size_t kConfigFileBytesMax = 16 << 20;
inline constexpr std::size_t kTokenizerFileBytesMax = 256 << 20;
inline constexpr int kJsonDepthMax = 64;
inline constexpr std::size_t kPreTokenizerStepsMax = 32;
inline constexpr std::size_t kRegexBytesMax = 64 << 10;  // one pattern of a pre-tokenizer
inline constexpr std::size_t kEncodeTextBytesMax = 1 << 30;  // one text to tokenize
inline constexpr std::size_t kApiKeysMax = 1024;

// ---- Scheduler ----
inline constexpr int kSequencesMax = 4096;         // --max-num-seqs
inline constexpr int kBatchedTokensMax = 1 << 20;  // --max-num-batched-tokens
inline constexpr int kUpcomingTokensMax = 2 * kBatchedTokensMax;
inline constexpr int kBlockSizeMax = 256;
inline constexpr int kWaitingRequestsMax = 1 << 20;

// ---- HTTP ----
inline constexpr std::size_t kHttpHeaderBytesMax = 64 << 10;
inline constexpr std::size_t kHttpBodyBytesMax = 16 << 20;
inline constexpr std::size_t kHttpBufferedBytesMax = std::size_t{1} << 30;  // all bodies together
inline constexpr std::size_t kHttpTargetBytesMax = 8 << 10;
inline constexpr int kHttpConnectionsMax = 8192;
inline constexpr seconds kHttpHeaderTimeout{10};
inline constexpr seconds kHttpBodyTimeout{60};
inline constexpr seconds kHttpIdleTimeout{120};
inline constexpr seconds kHttpWriteStallTimeout{60};
// A stream whose client does not read is polled no further once this much is unsent.
inline constexpr std::size_t kStreamUnsentBytesMax = 256 << 10;

// ---- gRPC ----
inline constexpr int kGrpcMessageBytesMax = 16 << 20;
inline constexpr int kGrpcConcurrentStreamsMax = 4096;
inline constexpr seconds kGrpcPingIntervalMin{5};  // clients may ping every 10 s without a call
inline constexpr int kGrpcThreadsMax = 256;
// How long a refused client is told to wait before it tries again.
inline constexpr seconds kRetryAfter{1};

// ---- Configuration ----
inline constexpr int kThreadsMax = 1024;  // --threads, --http-threads
inline constexpr std::size_t kServedNamesMax = 16;
inline constexpr std::size_t kServedNameBytesMax = 256;
inline constexpr std::int64_t kCacheBytesMin = 1 << 20;
inline constexpr std::int64_t kCacheBytesMax = std::int64_t{1} << 46;
inline constexpr std::int64_t kWaitingTokensMax = std::int64_t{1} << 40;
inline constexpr int kPrefetchWorkersMax = 64;
inline constexpr int kQueueDepthMax = 4096;  // reads of an Engram table under way
inline constexpr seconds kTimeoutSettingMax{86400};  // any setting in seconds
inline constexpr std::size_t kApiKeyFileBytesMax = 1 << 20;

// ---- Relations ----
static_assert(kSequencesPerRequestMax >= kChoicesMax);
static_assert(kSequencesPerRequestMax >= kPromptsPerRequestMax);
static_assert(kStreamUnsentBytesMax < kHttpBodyBytesMax);
static_assert(kHttpTargetBytesMax < kHttpHeaderBytesMax);
static_assert(kHttpBodyBytesMax < kHttpBufferedBytesMax);
static_assert(kGrpcMessageBytesMax >= static_cast<int>(kHttpBodyBytesMax));
static_assert(kNgramOrderMax >= 2);
static_assert(kEncodeTextBytesMax >= kHttpBodyBytesMax);

}  // namespace engram::limits
