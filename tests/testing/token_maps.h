// SPDX-License-Identifier: Apache-2.0
// The Engram token map of a checkpoint directory, made from its tokenizer as the server makes it.
#pragma once

#include <string>

#include "engine/engram/token_map.h"

namespace engram::testing_support {

// `directory` from the repository's root. Ends the test binary if the tokenizer cannot be read.
TokenMap TokenMapOf(const std::string& directory);

}  // namespace engram::testing_support
