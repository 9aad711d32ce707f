// SPDX-License-Identifier: Apache-2.0
// `engram-server healthcheck`: one GET to a running server, for a container's HEALTHCHECK and exec
// probes, so that an image needs no curl. Plain sockets: a dozen lines need no HTTP library.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/clock.h"

namespace engram {

// OK if `path` of the HTTP server at host:port answers 200 within `timeout`. Otherwise the error
// says what came instead.
absl::Status CheckHealth(const std::string& host, int port, const std::string& path,
                         Duration timeout);

}  // namespace engram
