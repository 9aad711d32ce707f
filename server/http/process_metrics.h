// SPDX-License-Identifier: Apache-2.0
// The process_* metrics that every Prometheus exporter has, read from /proc when asked.
#pragma once

#include <string>

namespace engram {

// In the exposition format; without a line that the system does not tell.
std::string RenderProcessMetrics();

}  // namespace engram
