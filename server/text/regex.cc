// SPDX-License-Identifier: Apache-2.0
// See regex.h. Compiled to machine code where PCRE2 can; what needs more stack than that code has
// is matched by PCRE2's interpreter, which keeps its state on the heap.
#include "server/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/check.h"
#include "server/text/utf8.h"

namespace engram {
namespace {

std::string ErrorText(int code) {
  unsigned char buffer[256];
  pcre2_get_error_message(code, buffer, sizeof(buffer));
  return reinterpret_cast<const char*>(buffer);
}

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

// Steps of one match. PCRE2's default, ten million, ends a run of as many blanks with an error, so
// the limit grows with the text; without one a pattern that backtracks exponentially never ends.
std::uint32_t MatchLimit(std::size_t text_bytes) {
  constexpr std::uint64_t kSteps = 10'000'000;
  constexpr std::uint64_t kStepsPerByte = 16;
  const std::uint64_t limit = kSteps + kStepsPerByte * text_bytes;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(limit, std::numeric_limits<std::uint32_t>::max()));
}

constexpr std::uint32_t kHeapKibMax = 1 << 20;  // of the interpreter's backtracking

}  // namespace

// What one FindAll needs besides the pattern.
struct Regex::Matcher {
  Matcher(const pcre2_code* code, std::size_t text_bytes)
      : code(code),
        data(pcre2_match_data_create_from_pattern(code, nullptr)),
        context(pcre2_match_context_create(nullptr)) {
    CHECK(data != nullptr && context != nullptr);
    pcre2_set_match_limit(context.get(), MatchLimit(text_bytes));
    pcre2_set_depth_limit(context.get(), MatchLimit(text_bytes));
    pcre2_set_heap_limit(context.get(), kHeapKibMax);
  }

  // True and `found`, or false if there is no match at or after `from`.
  absl::StatusOr<bool> Find(std::string_view text, std::size_t from, TextRange& found) const {
    int count = Match(text, from, PCRE2_NO_UTF_CHECK);
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) {
      count = Match(text, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
    }
    if (count == PCRE2_ERROR_NOMATCH) return false;
    if (count < 0) {
      return absl::InternalError(
          absl::StrFormat("a tokenizer's regular expression gave up on a text of %d bytes: PCRE2 "
                          "error %d: %s",
                          text.size(), count, ErrorText(count)));
    }
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
    found = {ends[0], ends[1]};
    return true;
  }

  int Match(std::string_view text, std::size_t from, std::uint32_t options) const {
    return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, options,
                       data.get(), context.get());
  }

  const pcre2_code* code;
  const std::unique_ptr<pcre2_match_data, Free> data;
  const std::unique_ptr<pcre2_match_context, Free> context;
};

struct Regex::Compiled {
  std::unique_ptr<pcre2_code, Free> code;
};

Regex::Regex(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern, Syntax syntax) {
  const std::uint32_t options =
      syntax == Syntax::kLiteral ? PCRE2_UTF | PCRE2_LITERAL : PCRE2_UTF | PCRE2_UCP;
  int error = 0;
  PCRE2_SIZE error_at = 0;
  std::unique_ptr<pcre2_code, Free> code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()),
                                                       pattern.size(), options, &error, &error_at,
                                                       nullptr));
  if (code == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrFormat("not a regular expression: %s, at byte %d", ErrorText(error), error_at));
  }
  // Where this fails patterns are interpreted: slower, same matches.
  static_cast<void>(pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE));
  return Regex(std::make_unique<const Compiled>(Compiled{std::move(code)}));
}

absl::Status Regex::FindAll(std::string_view text, std::vector<TextRange>& matches) const {
  const Matcher matcher(compiled_->code.get(), text.size());
  std::size_t from = 0;
  bool after_match = false;  // the last match ended at `from`
  while (from <= text.size()) {
    TextRange found;
    const absl::StatusOr<bool> any = matcher.Find(text, from, found);
    if (!any.ok()) return any.status();
    if (!*any) break;
    if (found.size() == 0 && after_match && found.begin == from) {
      if (from == text.size()) break;
      from += FirstUtf8Unit(text.substr(from)).bytes;
      after_match = false;
      continue;
    }
    matches.push_back(found);
    from = found.end;
    after_match = true;
  }
  return absl::OkStatus();
}

}  // namespace engram
