// SPDX-License-Identifier: Apache-2.0
// What an OpenAI-compatible server is asked: the JSON of one completion or chat completion.
#pragma once

#include <string>

#include "tools/bench/serve/options.h"
#include "tools/bench/serve/record.h"

namespace engram::bench {

std::string OpenAiBody(const RequestSpec& request, const Options& options,
                       const std::string& model);

}  // namespace engram::bench
