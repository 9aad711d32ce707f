// SPDX-License-Identifier: Apache-2.0
// See pre_tokenizer.h.
#include "server/text/pre_tokenizer.h"

#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "server/text/regex_dialect.h"

namespace engram {
namespace {

absl::Status WithKey(const absl::Status& status, const SplitPattern& pattern) {
  return absl::Status(status.code(),
                      ToAbsl(pattern.key + ": '" + pattern.pattern + "': " + Message(status)));
}

absl::StatusOr<Regex> CompileStep(const SplitPattern& pattern) {
  if (pattern.is_literal) return Regex::Compile(pattern.pattern, Regex::Syntax::kLiteral);
  ASSIGN_OR_RETURN(const std::string translated, Pcre2Pattern(pattern.pattern));
  return Regex::Compile(translated, Regex::Syntax::kPcre2);
}

// Appends the pieces of one piece.
absl::Status IsolateMatches(const Regex& regex, std::string_view piece,
                            std::vector<TextRange>& scratch,
                            std::vector<std::string_view>& pieces) {
  scratch.clear();
  RETURN_IF_ERROR(regex.FindAll(piece, scratch));
  std::size_t done = 0;
  for (const TextRange& match : scratch) {
    if (match.begin > done) pieces.push_back(piece.substr(done, match.begin - done));
    if (match.size() > 0) pieces.push_back(piece.substr(match.begin, match.size()));
    done = match.end;
  }
  if (done < piece.size()) pieces.push_back(piece.substr(done));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PreTokenizer> PreTokenizer::Create(std::span<const SplitPattern> patterns) {
  std::vector<Regex> steps;
  for (const SplitPattern& pattern : patterns) {
    absl::StatusOr<Regex> step = CompileStep(pattern);
    if (!step.ok()) return WithKey(step.status(), pattern);
    steps.push_back(*std::move(step));
  }
  return PreTokenizer(std::move(steps));
}

absl::StatusOr<std::vector<std::string_view>> PreTokenizer::Split(std::string_view text) const {
  std::vector<std::string_view> pieces;
  if (text.empty()) return pieces;
  pieces.push_back(text);
  std::vector<std::string_view> next;
  std::vector<TextRange> scratch;
  for (const Regex& step : steps_) {
    next.clear();
    for (const std::string_view piece : pieces) {
      RETURN_IF_ERROR(IsolateMatches(step, piece, scratch, next));
    }
    pieces.swap(next);
  }
  return pieces;
}

}  // namespace engram
