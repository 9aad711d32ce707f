// SPDX-License-Identifier: Apache-2.0
// See regex.h. Compiled to machine code where PCRE2 can; what needs more stack than that code has
// is matched by PCRE2's interpreter, which keeps its state on the heap.
#include "server/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

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

struct FreeMatchData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

struct Regex::Compiled {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;  // only read while matching

  // True and `found`, or false if there is no match at or after `from`.
  absl::StatusOr<bool> Find(std::string_view text, std::size_t from, pcre2_match_data* data,
                            TextRange& found) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int count = pcre2_match(code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, data, context);
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) {
      count = pcre2_match(code, subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data,
                          context);
    }
    if (count == PCRE2_ERROR_NOMATCH) return false;
    if (count < 0) {
      return absl::InternalError(absl::StrFormat("matching %d bytes: PCRE2 error %d: %s",
                                                 text.size(), count, ErrorText(count)));
    }
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data);
    found = {ends[0], ends[1]};
    return true;
  }
};

void Regex::Delete::operator()(Compiled* compiled) const {
  pcre2_match_context_free(compiled->context);
  pcre2_code_free(compiled->code);
  delete compiled;
}

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern, Syntax syntax) {
  const std::uint32_t options =
      syntax == Syntax::kLiteral ? PCRE2_UTF | PCRE2_LITERAL : PCRE2_UTF | PCRE2_UCP;
  int error = 0;
  PCRE2_SIZE error_at = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   options, &error, &error_at, nullptr);
  if (code == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrFormat("not a regular expression: %s, at byte %d", ErrorText(error), error_at));
  }
  std::unique_ptr<Compiled, Delete> compiled(
      new Compiled{code, pcre2_match_context_create(nullptr)});
  CHECK(compiled->context != nullptr);
  // Without an answer the patterns are interpreted: slower, same matches.
  static_cast<void>(pcre2_jit_compile(code, PCRE2_JIT_COMPLETE));
  // The default, ten million, ends a run of as many blanks with an error; time is bounded by the
  // text's own size limit instead.
  pcre2_set_match_limit(compiled->context, std::numeric_limits<std::uint32_t>::max());
  pcre2_set_depth_limit(compiled->context, std::numeric_limits<std::uint32_t>::max());
  return Regex(std::move(compiled));
}

absl::Status Regex::FindAll(std::string_view text, std::vector<TextRange>& matches) const {
  const std::unique_ptr<pcre2_match_data, FreeMatchData> data(
      pcre2_match_data_create_from_pattern(compiled_->code, nullptr));
  CHECK(data != nullptr);
  std::size_t from = 0;
  bool after_match = false;  // the last match ended at `from`
  while (from <= text.size()) {
    TextRange found;
    const absl::StatusOr<bool> any = compiled_->Find(text, from, data.get(), found);
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
