// SPDX-License-Identifier: Apache-2.0
// tokenizer.json: a file is refused with an error that names it, or makes a tokenizer that gives
// every text back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/strings.h"
#include "server/text/detokenizer.h"
#include "server/text/tokenizer.h"
#include "server/text/utf8.h"

namespace engram {
namespace {

constexpr std::string_view kText =
    "Hello world, it's <s> 1234\n\n  <left> word\u00a0é😀日本 <both> <｜User｜>\r\n\t!?";

std::string InPieces(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  Detokenizer detokenizer(&tokenizer, /*skip_special_tokens=*/false);
  std::string text;
  for (const std::int32_t id : ids) text += detokenizer.Add(id);
  return text + detokenizer.Flush();
}

void Use(const Tokenizer& tokenizer) {
  const auto as_text = tokenizer.Encode(kText, SpecialTokens::kAsText);
  // A pattern may backtrack without end: that is an error then.
  CHECK(as_text.ok() || as_text.status().code() == absl::StatusCode::kInternal);
  if (as_text.ok()) CHECK_EQ(tokenizer.Decode(*as_text, false), kText);
  const auto parsed = tokenizer.Encode(kText, SpecialTokens::kParse);
  if (parsed.ok()) CHECK_EQ(InPieces(tokenizer, *parsed), tokenizer.Decode(*parsed, false));
  for (std::int32_t id = -1; id <= tokenizer.size() && id < 2000; ++id) {
    CHECK(IsValidUtf8(tokenizer.TokenString(id)));
  }
}

}  // namespace
}  // namespace engram

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = engram::Tokenizer::Parse(json, "");
  if (tokenizer.ok()) {
    engram::Use(**tokenizer);
  } else {
    CHECK(engram::Message(tokenizer.status()).starts_with("tokenizer.json: "));
  }
  return 0;
}
