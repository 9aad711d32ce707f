// SPDX-License-Identifier: Apache-2.0
#include "kernels/backend_factory.h"

#include "kernels/ref/ref_backend.h"

namespace engram {

std::vector<std::string> BackendNames() { return {"ref"}; }

std::unique_ptr<Backend> MakeBackend(std::string_view name, const BackendOptions&) {
  if (name == "ref" || name == "auto") return MakeRefBackend();
  return nullptr;
}

}  // namespace engram
