// SPDX-License-Identifier: Apache-2.0
// The name of a request inside the engine, in order of arrival.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace engram {

using RequestKey = Id<struct RequestKeyTag, std::uint64_t>;

}  // namespace engram
