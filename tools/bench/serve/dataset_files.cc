// SPDX-License-Identifier: Apache-2.0
// Datasets from files: prompts (JSON lines or plain text), ShareGPT's JSON, conversations.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"
#include "tools/bench/serve/dataset.h"

namespace engram::bench {
namespace {

using Json = nlohmann::json;

// English text has about four bytes a token. Only the *wanted* length of an answer is guessed so;
// what is reported comes from the server's usage.
constexpr std::size_t kBytesPerToken = 4;

absl::Status At(const DatasetOptions& options, std::size_t entry, const std::string& message) {
  return absl::InvalidArgumentError(
      absl::StrCat("--dataset-path ", options.path, ", entry ", entry + 1, ": ", message));
}

RequestSpec TextRequest(std::string text, bool chat, int output_tokens) {
  RequestSpec request;
  request.output_tokens = output_tokens;
  if (chat) {
    request.messages.push_back({.role = "user", .content = std::move(text)});
  } else {
    request.prompt = std::move(text);
  }
  return request;
}

// A line is {"prompt": "…", "output_tokens": n}, or, in a file that is not .jsonl, the prompt.
absl::StatusOr<std::vector<Conversation>> ReadCustom(const DatasetOptions& options, bool chat,
                                                     std::istream& file) {
  const bool json_lines = options.path.ends_with(".jsonl");
  std::vector<Conversation> out;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    int output_tokens = options.custom_output_len;
    std::string prompt = line;
    if (json_lines) {
      const Json entry = Json::parse(line, nullptr, false);
      if (!entry.is_object() || !entry.contains("prompt") || !entry["prompt"].is_string()) {
        return At(options, out.size(), "expected {\"prompt\": \"…\"}");
      }
      prompt = entry["prompt"].get<std::string>();
      if (output_tokens == -1) {
        if (!entry.contains("output_tokens") || !entry["output_tokens"].is_number_integer()) {
          return At(options, out.size(), "no output_tokens, and --custom-output-len is -1");
        }
        output_tokens = entry["output_tokens"].get<int>();
      }
    } else if (output_tokens == -1) {
      return At(options, out.size(), "plain text states no length: set --custom-output-len");
    }
    if (output_tokens < 1) return At(options, out.size(), "wants less than one token");
    out.push_back({.turns = {TextRequest(std::move(prompt), chat, output_tokens)}});
  }
  return out;
}

// The text under `key`; nullptr if there is none.
const std::string* TextAt(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

struct Said {
  bool human = false;
  std::string text;
};

// ShareGPT: {"conversations": [{"from": "human"|"gpt", "value": …}]}; OpenAI:
// {"messages": [{"role", "content"}]}.
std::vector<Said> ReadConversation(const Json& entry) {
  std::vector<Said> out;
  if (!entry.is_object()) return out;
  const bool openai = entry.contains("messages");
  const auto turns = entry.find(openai ? "messages" : "conversations");
  if (turns == entry.end() || !turns->is_array()) return out;
  for (const Json& turn : *turns) {
    if (!turn.is_object()) continue;
    const std::string* who = TextAt(turn, openai ? "role" : "from");
    const std::string* text = TextAt(turn, openai ? "content" : "value");
    if (who == nullptr || text == nullptr) continue;
    out.push_back({.human = *who == "human" || *who == "user", .text = *text});
  }
  return out;
}

int AnswerLength(const DatasetOptions& options, const std::vector<Said>& said, std::size_t at) {
  if (options.sharegpt_output_len) return *options.sharegpt_output_len;
  if (at + 1 >= said.size()) return options.custom_output_len > 0 ? options.custom_output_len : 256;
  return static_cast<int>(std::max<std::size_t>(said[at + 1].text.size() / kBytesPerToken, 4));
}

absl::StatusOr<std::vector<Conversation>> ReadConversations(const DatasetOptions& options,
                                                            bool chat, std::istream& file) {
  const bool one_turn = options.name == "sharegpt";
  std::ostringstream contents;
  contents << file.rdbuf();
  const Json entries = Json::parse(contents.str(), nullptr, false);
  if (!entries.is_array()) return At(options, 0, "the file is not a JSON array of conversations");
  std::vector<Conversation> out;
  for (const Json& entry : entries) {
    const std::vector<Said> said = ReadConversation(entry);
    Conversation conversation;
    for (std::size_t i = 0; i < said.size(); ++i) {
      if (!said[i].human || said[i].text.empty()) continue;
      const int turns = static_cast<int>(conversation.turns.size());
      if (options.multi_turn_max_turns > 0 && turns == options.multi_turn_max_turns) break;
      conversation.turns.push_back(
          TextRequest(said[i].text, chat, AnswerLength(options, said, i)));
      if (one_turn) break;
    }
    // ShareGPT has fragments without a question or an answer; as others do, leave them out.
    if (conversation.turns.empty() || (one_turn && said.size() < 2)) continue;
    out.push_back(std::move(conversation));
  }
  return out;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> ReadDatasetFile(const DatasetOptions& options, bool chat,
                                                         std::uint64_t seed) {
  std::ifstream file(options.path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("--dataset-path: cannot read ", options.path));
  auto conversations = options.name == "custom" ? ReadCustom(options, chat, file)
                                                : ReadConversations(options, chat, file);
  RETURN_IF_ERROR(conversations.status());
  if (conversations->empty()) return At(options, 0, "there is none to ask");
  return MakeListDataset(std::move(conversations).value(), !options.disable_shuffle, seed);
}

}  // namespace engram::bench
