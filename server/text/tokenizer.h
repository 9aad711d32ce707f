// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back, from a checkpoint's tokenizer.json (byte-level BPE) and
// tokenizer_config.json; identical to Hugging Face tokenizers. docs/TEXT.md says what of these
// files is understood. Does not know chat templates.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/text/text_range.h"

namespace engram {

enum class SpecialTokens {
  kParse,   // "<｜User｜>" in the text becomes its id (raw completions)
  kAsText,  // added tokens' text is ordinary text (the content of chat messages)
};

// Immutable, thread-safe.
class Tokenizer {
 public:
  // Reads tokenizer.json and tokenizer_config.json of `directory`. An error names file and key.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const std::string& directory);
  // From file contents; `config_json` may be empty.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Parse(std::string_view tokenizer_json,
                                                          std::string_view config_json);
  ~Tokenizer();

  // InvalidArgument if `text` is not UTF-8. Adds no BOS.
  absl::StatusOr<std::vector<std::int32_t>> Encode(std::string_view text,
                                                   SpecialTokens special) const;
  // As Encode with kParse, but the `literal` ranges are kAsText: none of their bytes becomes part
  // of an added token. REQUIRES: ranges ascend, do not overlap and lie in the text.
  absl::StatusOr<std::vector<std::int32_t>> EncodeAround(std::string_view text,
                                                         std::span<const TextRange> literal) const;
  // Ids without a token decode to nothing; ill-formed bytes to U+FFFD.
  std::string Decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const;

  // The bytes that a token stands for; empty for ids without a token.
  std::string_view TokenBytes(std::int32_t id) const;
  // The vocabulary's own spelling of a token ("Ġapple"); empty for ids without a token.
  std::string_view TokenString(std::int32_t id) const;
  bool IsSpecial(std::int32_t id) const;  // vanishes when special tokens are skipped
  bool IsAdded(std::int32_t id) const;
  std::optional<std::int32_t> IdOf(std::string_view token) const;

  // One more than the highest id, added tokens included (Hugging Face's len(tokenizer)).
  std::int32_t size() const;
  // From tokenizer_config.json.
  std::optional<std::int32_t> bos_id() const;
  std::optional<std::int32_t> eos_id() const;
  std::optional<std::int32_t> pad_id() const;
  bool add_bos_token() const;
  const std::string& chat_template() const;  // empty if there is none
  // The texts that templates write for BOS and EOS; empty if there is none.
  const std::string& bos_token() const;
  const std::string& eos_token() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace engram
