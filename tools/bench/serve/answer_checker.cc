// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/answer_checker.h"

#include "absl/strings/str_cat.h"

namespace engram::bench {

void AnswerChecker::OnMessage(double at_s, std::string_view text,
                              std::optional<int> token_count) {
  if (!token_count && !text.empty()) counted_exactly_ = false;
  const int tokens = token_count.value_or(text.empty() ? 0 : 1);
  record_->text.append(text);
  if (tokens == 0) return;
  counted_tokens_ += tokens;
  record_->messages.push_back({.at_s = at_s, .tokens = tokens});
}

void AnswerChecker::OnId(std::string_view id) {
  if (id_.empty()) id_ = id;
  if (id_ == id) return;
  Fail("id_changed", absl::StrCat("the stream began as ", id_, " and went on as ",
                                  std::string(id)));
}

void AnswerChecker::OnUsage(int prompt_tokens, int completion_tokens) {
  usage_prompt_ = prompt_tokens;
  usage_completion_ = completion_tokens;
}

void AnswerChecker::OnFinishReason(std::string_view reason) { finish_reason_ = reason; }

void AnswerChecker::Fail(const std::string& kind, const std::string& message) {
  if (!record_->ok()) return;
  record_->error_kind = kind;
  record_->error = message;
}

void AnswerChecker::CheckUsage() {
  if (!usage_completion_) {
    return Fail("missing_usage", "the stream ended without usage: its tokens cannot be checked");
  }
  // Without ids a message may hold several tokens, but never less than one.
  const bool fits = counted_exactly_ ? counted_tokens_ == *usage_completion_
                                     : counted_tokens_ <= *usage_completion_;
  if (!fits) {
    return Fail("usage_mismatch", absl::StrCat("usage says ", *usage_completion_,
                                               " tokens, the stream had ", counted_tokens_));
  }
  if (expected_.prompt_tokens > 0 && *usage_prompt_ != expected_.prompt_tokens) {
    Fail("prompt_mismatch", absl::StrCat("usage says ", *usage_prompt_, " prompt tokens, sent ",
                                         expected_.prompt_tokens));
  }
}

void AnswerChecker::Close(double at_s) {
  record_->end_s = at_s;
  record_->prompt_tokens = usage_prompt_.value_or(expected_.prompt_tokens);
  record_->output_tokens = usage_completion_.value_or(counted_tokens_);
  if (failed()) return;
  if (finish_reason_.empty()) {
    return Fail("lost_stream", absl::StrCat("the stream ended after ", counted_tokens_,
                                            " tokens without a finish_reason"));
  }
  if (finish_reason_ != "stop" && finish_reason_ != "length") {
    return Fail("aborted", absl::StrCat("finish_reason is ", finish_reason_));
  }
  if (expected_.done_marker && !done_) {
    return Fail("missing_done", "the stream ended without data: [DONE]");
  }
  CheckUsage();
  if (failed()) return;
  if (expected_.exact_length && *usage_completion_ != expected_.output_tokens) {
    return Fail("short_stream", absl::StrCat("asked for exactly ", expected_.output_tokens,
                                             " tokens, got ", *usage_completion_));
  }
  if (counted_tokens_ == 0 && expected_.output_tokens > 0 && finish_reason_ == "length") {
    Fail("short_stream", "the answer has no token");
  }
}

}  // namespace engram::bench
