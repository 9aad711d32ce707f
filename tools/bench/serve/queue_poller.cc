// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/queue_poller.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/numbers.h"
#include "base/strings.h"

namespace engram::bench {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kPeriod{1};

// The value of a sample line of the metric `name` (under any prefix that ends with ':' or '_').
bool ReadSample(std::string_view line, std::string_view name, double* value) {
  const std::string_view metric = line.substr(0, line.find_first_of("{ "));
  if (!metric.ends_with(name)) return false;
  if (metric.size() > name.size()) {
    const char before = metric[metric.size() - name.size() - 1];
    if (before != ':' && before != '_') return false;
  }
  const std::size_t labels_end = line.rfind('}');
  std::string_view rest = line.substr(labels_end == std::string_view::npos ? metric.size()
                                                                           : labels_end + 1);
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  return absl::SimpleAtod(ToAbsl(rest.substr(0, rest.find(' '))), value);
}

}  // namespace

bool ParseQueueMetrics(std::string_view page, QueueSample* out) {
  bool found = false;
  while (!page.empty()) {
    const std::size_t end = std::min(page.find('\n'), page.size());
    const std::string_view line = page.substr(0, end);
    page.remove_prefix(std::min(end + 1, page.size()));
    if (line.empty() || line.front() == '#') continue;
    double value = 0;
    if (ReadSample(line, "num_requests_running", &value)) {
      out->running += value;
      found = true;
    } else if (ReadSample(line, "num_requests_waiting", &value)) {
      out->waiting += value;
      found = true;
    } else if (ReadSample(line, "kv_cache_usage_perc", &value)) {
      out->cache_usage = std::max(out->cache_usage, value);
    }
  }
  return found;
}

asio::awaitable<void> PollQueue(asio::io_context& io, const RunClock& clock, HttpUrl url,
                                HttpHeaders headers, std::vector<QueueSample>* samples) {
  boost::system::error_code error;
  const HttpCall call{.method = "GET", .path = "", .headers = std::move(headers), .body = ""};
  const std::string request = SerialiseCall(url, call);
  asio::steady_timer timer(io);
  asio::ip::tcp::resolver resolver(io);
  const auto endpoints = co_await resolver.async_resolve(
      url.host, url.port, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return;
  for (;;) {
    // A connection each time: the server may limit how long an idle one lives.
    HttpConnection connection(io);
    const absl::Status connected = co_await connection.Connect(endpoints);
    std::string page;
    int status = 0;
    const HttpSink sink{.on_header = [&status](const HttpHead& head) { status = head.status; },
                        .on_body = [&page](std::string_view bytes) { page += bytes; }};
    QueueSample sample{.at_s = clock.Now()};
    if (connected.ok()) {
      const HttpEnd end = co_await connection.Exchange(request, sink);
      if (end == HttpEnd::kComplete && status == 200 && ParseQueueMetrics(page, &sample)) {
        samples->push_back(sample);
      }
    }
    timer.expires_after(kPeriod);
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

}  // namespace engram::bench
