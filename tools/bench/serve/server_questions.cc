// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/server_questions.h"

#include <chrono>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"
#include "tools/bench/serve/openai_stream.h"

namespace engram::bench {
namespace {

using Json = nlohmann::json;

constexpr double kAnswerTimeoutS = 10;
constexpr std::chrono::milliseconds kRetryAfter{250};

// Tries until `ask` succeeds or the time is up.
template <typename Ask>
auto AskUntilReady(double timeout_s, Ask ask) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_s);
  auto answer = ask();
  while (!answer.ok() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kRetryAfter);
    answer = ask();
  }
  return answer;
}

absl::StatusOr<Json> FetchJson(const HttpUrl& url, HttpCall call) {
  ASSIGN_OR_RETURN(const HttpAnswer answer, FetchHttp(url, call, kAnswerTimeoutS));
  if (answer.status != 200) {
    return absl::UnavailableError(absl::StrCat(call.path, ": ", answer.status, " ", answer.reason,
                                               ": ", ErrorMessage(answer.body)));
  }
  Json parsed = Json::parse(answer.body, nullptr, false);
  if (parsed.is_object()) return parsed;
  return absl::UnavailableError(absl::StrCat(call.path, ": the answer is no JSON object"));
}

absl::StatusOr<std::string> Detokenize(const HttpUrl& url, const TargetOptions& target,
                                       const std::string& model,
                                       const std::vector<std::int32_t>& ids) {
  const Json body = {{"model", model}, {"tokens", ids}};
  ASSIGN_OR_RETURN(const Json answer, FetchJson(url, {.method = "POST",
                                                      .path = "/detokenize",
                                                      .headers = target.headers,
                                                      .body = body.dump()}));
  const auto text = answer.find("prompt");
  if (text == answer.end() || !text->is_string()) {
    return absl::UnavailableError("/detokenize: the answer has no \"prompt\"");
  }
  return text->get<std::string>();
}

}  // namespace

absl::StatusOr<ServerFacts> AskHttpServer(const HttpUrl& url, const TargetOptions& target) {
  const HttpCall call{
      .method = "GET", .path = "/v1/models", .headers = target.headers, .body = ""};
  ASSIGN_OR_RETURN(const Json answer, AskUntilReady(target.ready_timeout_s,
                                                    [&] { return FetchJson(url, call); }));
  ServerFacts facts{.model = target.model};
  const auto data = answer.find("data");
  if (!facts.model.empty()) return facts;
  if (data != answer.end() && data->is_array() && !data->empty() && data->front().is_object()) {
    const auto id = data->front().find("id");
    if (id != data->front().end() && id->is_string()) facts.model = id->get<std::string>();
  }
  if (facts.model.empty()) {
    return absl::UnavailableError("/v1/models lists no model: name it with --model");
  }
  return facts;
}

absl::StatusOr<ServerFacts> AskGrpcServer(const GrpcBackend& backend,
                                          const TargetOptions& target) {
  ASSIGN_OR_RETURN(const v1::ListModelsResponse answer,
                   AskUntilReady(target.ready_timeout_s,
                                 [&] { return backend.ListModels(kAnswerTimeoutS); }));
  for (const v1::Model& model : answer.models()) {
    if (target.model.empty() || model.name() == target.model) {
      return ServerFacts{.model = model.name(), .vocab_size = model.vocab_size()};
    }
  }
  return absl::NotFoundError(absl::StrCat("the server lists no model '", target.model, "'"));
}

int ProbeVocabSize(const HttpUrl& url, const TargetOptions& target) {
  const auto known = [&](int id) { return Detokenize(url, target, target.model, {id}).ok(); };
  int lowest_unknown = 1 << 20;
  if (!known(0) || known(lowest_unknown)) return 0;
  int highest_known = 0;
  while (highest_known + 1 < lowest_unknown) {
    const int middle = highest_known + (lowest_unknown - highest_known) / 2;
    (known(middle) ? highest_known : lowest_unknown) = middle;
  }
  return lowest_unknown;
}

absl::StatusOr<int> ReadVocabSize(const std::string& directory) {
  const std::string path = directory + "/config.json";
  std::ifstream file(path);
  const Json config = Json::parse(file, nullptr, false);
  const auto size = config.is_object() ? config.find("vocab_size") : config.end();
  if (!config.is_object() || size == config.end() || !size->is_number_integer()) {
    return absl::NotFoundError(absl::StrCat("--tokenizer: ", path, " has no vocab_size"));
  }
  return size->get<int>();
}

absl::StatusOr<std::unique_ptr<Dataset>> DetokenizeDataset(const HttpUrl& url,
                                                           const TargetOptions& target,
                                                           const Dataset& tokens, int count) {
  std::vector<Conversation> out;
  for (int i = 0; i < count; ++i) {
    Conversation conversation = tokens.Get(i);
    for (RequestSpec& turn : conversation.turns) {
      ASSIGN_OR_RETURN(std::string text, Detokenize(url, target, target.model, turn.token_ids));
      turn.token_ids.clear();
      turn.messages.push_back({.role = "user", .content = std::move(text)});
    }
    out.push_back(std::move(conversation));
  }
  return MakeListDataset(std::move(out), /*shuffle=*/false, /*seed=*/0);
}

}  // namespace engram::bench
