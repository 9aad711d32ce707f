// SPDX-License-Identifier: Apache-2.0
#include "kernels/backend_factory.h"

#include "kernels/cpu/cpu_backend.h"
#include "kernels/ref/ref_backend.h"

namespace engram {

std::vector<std::string> BackendNames() { return {"cpu", "ref"}; }

std::unique_ptr<Backend> MakeBackend(std::string_view name, const BackendOptions& options) {
  if (name == "cpu" || name == "auto") return MakeCpuBackend({.threads = options.threads});
  if (name == "ref") return MakeRefBackend();
  return nullptr;
}

}  // namespace engram
