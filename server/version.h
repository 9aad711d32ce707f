// SPDX-License-Identifier: Apache-2.0
// What --version, GET /version and gRPC's GetServerInfo say.
#pragma once

namespace engram {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace engram
