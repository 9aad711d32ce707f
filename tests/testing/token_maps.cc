// SPDX-License-Identifier: Apache-2.0
#include "tests/testing/token_maps.h"

#include <memory>

#include "base/check.h"
#include "base/strings.h"
#include "server/text/token_sources.h"
#include "server/text/tokenizer.h"

namespace engram::testing_support {

TokenMap TokenMapOf(const std::string& directory) {
  const absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::Load(directory);
  CHECK_MSG(tokenizer.ok(), Message(tokenizer.status()));
  return BuildTokenMap(TokenSources(**tokenizer));
}

}  // namespace engram::testing_support
