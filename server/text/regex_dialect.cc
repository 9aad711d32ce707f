// SPDX-License-Identifier: Apache-2.0
// See regex_dialect.h. One pass over the pattern that copies what is common to both engines and
// writes Unicode classes out with the members PCRE2 lacks.
#include "server/text/regex_dialect.h"

#include <span>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "server/text/unicode_classes.h"

namespace engram {
namespace {

std::string ShowRanges(std::span<const CodePointRange> ranges) {
  std::string out;
  for (const CodePointRange& range : ranges) {
    out += absl::StrFormat("\\x{%X}", range.first);
    if (range.last > range.first) out += absl::StrFormat("-\\x{%X}", range.last);
  }
  return out;
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : rest_(pattern) {}

  absl::StatusOr<std::string> Run() {
    while (!rest_.empty()) RETURN_IF_ERROR(OutsideClass());
    return std::move(out_);
  }

 private:
  absl::Status OutsideClass() {
    switch (rest_.front()) {
      case '\\':
        return Escape(/*in_class=*/false);
      case '[':
        return Class();
      case '(':
        return Group();
      case '{':
        if (rest_.starts_with("{,")) return Unsupported("{,");
        break;
      case '}':  // after an interval, Oniguruma's + repeats and PCRE2's makes it possessive
        if (rest_.starts_with("}+")) return Unsupported("}+");
        break;
      case '^':
      case '$':
        return Unsupported(rest_.substr(0, 1));
      default:
        break;
    }
    Copy(1);
    return absl::OkStatus();
  }

  absl::Status Group() {
    for (const std::string_view opening :
         {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:", "(?-i:"}) {
      if (rest_.starts_with(opening)) {
        Copy(opening.size());
        return absl::OkStatus();
      }
    }
    if (rest_.starts_with("(?") || rest_.starts_with("(*")) return Unsupported(rest_.substr(0, 3));
    Copy(1);
    return absl::OkStatus();
  }

  absl::Status Class() {
    Copy(rest_.starts_with("[^") ? 2 : 1);
    if (rest_.starts_with("]")) return Unsupported("[]");
    class_start_ = out_.size();
    while (!rest_.empty() && rest_.front() != ']') {
      if (rest_.front() == '[') return Unsupported("[ inside a class");
      if (rest_.starts_with("&&")) return Unsupported("&& inside a class");
      if (rest_.front() == '\\') {
        RETURN_IF_ERROR(Escape(/*in_class=*/true));
      } else {
        Copy(1);
      }
    }
    if (rest_.empty()) return absl::InvalidArgumentError("a class ([…]) is not closed");
    Copy(1);
    return absl::OkStatus();
  }

  absl::Status Escape(bool in_class) {
    if (rest_.size() < 2) return absl::InvalidArgumentError("ends in a single backslash");
    const char letter = rest_[1];
    if (letter == 's' || (letter == 'S' && !in_class)) {
      return Members(ShowRanges(WhiteSpace()), /*negated=*/letter == 'S', in_class, 2);
    }
    if (letter == 'p' || (letter == 'P' && !in_class)) return Property(in_class);
    const bool is_punctuation =
        std::string_view(R"(!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~ )").find(letter) !=
        std::string_view::npos;
    const bool is_plain = letter == 'r' || letter == 'n' || letter == 't' || letter == 'f';
    if (rest_.starts_with("\\x{") && rest_.find('}') != std::string_view::npos) {
      Copy(rest_.find('}') + 1);
    } else if (is_punctuation || is_plain) {
      Copy(2);
    } else {
      return Unsupported(rest_.substr(0, 2));
    }
    return absl::OkStatus();
  }

  // \p{X} or \P{X}.
  absl::Status Property(bool in_class) {
    const bool has_one_letter = rest_.size() >= 5 && rest_[2] == '{' && rest_[4] == '}';
    if (!has_one_letter || NewMembersOf(rest_[3]).empty()) {
      return Unsupported(rest_.substr(0, rest_.find('}') + 1));
    }
    const std::string members =
        absl::StrFormat("\\p{%c}", rest_[3]) + ShowRanges(NewMembersOf(rest_[3]));
    return Members(members, /*negated=*/rest_[1] == 'P', in_class, 5);
  }

  // Writes `members` for the next `length` bytes of the pattern.
  absl::Status Members(const std::string& members, bool negated, bool in_class,
                       std::size_t length) {
    if (in_class) {
      // Beside a range's hyphen the first or last member would become the range's end.
      const std::string_view after = rest_.substr(length);
      const bool hyphen_after = after.starts_with("-") && !after.starts_with("-]");
      if (hyphen_after || last_is_range_hyphen_)
        return Unsupported("a class as the end of a range");
      out_ += members;
    } else {
      out_ += (negated ? "[^" : "[") + members + "]";
    }
    rest_.remove_prefix(length);
    return absl::OkStatus();
  }

  void Copy(std::size_t bytes) {
    last_is_range_hyphen_ = bytes == 1 && rest_.front() == '-' && out_.size() != class_start_;
    out_ += rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
  }

  static absl::Status Unsupported(std::string_view construct) {
    return absl::UnimplementedError(absl::StrFormat(
        "'%s' is not supported: it may match other characters than in Hugging Face tokenizers",
        construct));
  }

  std::string_view rest_;
  std::string out_;
  std::size_t class_start_ = 0;        // in out_: behind the class' "[" or "[^"
  bool last_is_range_hyphen_ = false;  // the last byte written is a hyphen, not a class' first
};

}  // namespace

absl::StatusOr<std::string> Pcre2Pattern(std::string_view pattern) {
  return Translator(pattern).Run();
}

}  // namespace engram
