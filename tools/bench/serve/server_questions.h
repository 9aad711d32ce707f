// SPDX-License-Identifier: Apache-2.0
// What a run has to know of the server before it starts: that it answers, its model, how many token
// ids there are, and random tokens as text where only text can be sent.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tools/bench/serve/dataset.h"
#include "tools/bench/serve/grpc_backend.h"
#include "tools/bench/serve/http_client.h"
#include "tools/bench/serve/options.h"

namespace engram::bench {

struct ServerFacts {
  std::string model;   // the wanted one, or the first
  int vocab_size = 0;  // 0: the server does not say
};

// Waits up to ready_timeout_s for a first answer. UNAVAILABLE without one.
absl::StatusOr<ServerFacts> AskHttpServer(const HttpUrl& url, const TargetOptions& target);
absl::StatusOr<ServerFacts> AskGrpcServer(const GrpcBackend& backend, const TargetOptions& target);

// How many ids /detokenize knows; 0 if it cannot be told so.
int ProbeVocabSize(const HttpUrl& url, const TargetOptions& target);
// vocab_size of the config.json in `directory`.
absl::StatusOr<int> ReadVocabSize(const std::string& directory);

// The first `count` conversations of `tokens` with their ids as chat messages, made by the server's
// /detokenize. Read back they may be a few tokens more or less: reports use the server's usage.
absl::StatusOr<std::unique_ptr<Dataset>> DetokenizeDataset(const HttpUrl& url,
                                                           const TargetOptions& target,
                                                           const Dataset& tokens, int count);

}  // namespace engram::bench
