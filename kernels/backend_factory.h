// SPDX-License-Identifier: Apache-2.0
// Backends by name. The only place that knows which ones this build has.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"

namespace engram {

struct BackendOptions {
  int threads = 0;  // 0 = as many as the process may run on
};

// Names that MakeBackend takes, "auto" apart: {"cpu", "ref"}.
std::vector<std::string> BackendNames();

// "auto" is the fastest that works here. nullptr if there is no such backend.
std::unique_ptr<Backend> MakeBackend(std::string_view name, const BackendOptions& options);

}  // namespace engram
