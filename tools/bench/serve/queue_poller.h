// SPDX-License-Identifier: Apache-2.0
// Asks a server's /metrics once a second how many requests run and wait, beside the load.
#pragma once

#include <string_view>
#include <vector>

#include "tools/bench/serve/http_client.h"
#include "tools/bench/serve/run_clock.h"

namespace engram::bench {

struct QueueSample {
  double at_s = 0;
  double running = 0;
  double waiting = 0;
  double cache_usage = 0;  // share of the cache in use, [0, 1]
};

// From the text of a Prometheus page; false if it tells of no requests. Names are vLLM's
// ("vllm:num_requests_running"), found also under another prefix; label sets are added up.
bool ParseQueueMetrics(std::string_view page, QueueSample* out);

// Polls until `io` stops. The arguments must outlive `io`'s run. A server without such a page
// leaves `samples` empty.
boost::asio::awaitable<void> PollQueue(boost::asio::io_context& io, const RunClock& clock,
                                       HttpUrl url, HttpHeaders headers,
                                       std::vector<QueueSample>* samples);

}  // namespace engram::bench
