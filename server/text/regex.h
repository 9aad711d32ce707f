// SPDX-License-Identifier: Apache-2.0
// A compiled regular expression over UTF-8. The only place that sees PCRE2.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/text/text_range.h"

namespace engram {

// Immutable, thread-safe.
class Regex {
 public:
  enum class Syntax { kPcre2, kLiteral };

  // InvalidArgument with the position if `pattern` does not compile.
  static absl::StatusOr<Regex> Compile(std::string_view pattern, Syntax syntax);

  // Appends all matches in `text`, left to right, none overlapping. A match of no bytes right after
  // the last match is passed over, as Oniguruma's iterator does. Internal if the engine gives up:
  // steps are bounded in proportion to the text, and memory. `text` is valid UTF-8 (Tokenizer has
  // checked it).
  absl::Status FindAll(std::string_view text, std::vector<TextRange>& matches) const;

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

 private:
  struct Compiled;
  struct Matcher;
  explicit Regex(std::unique_ptr<const Compiled> compiled);

  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace engram
