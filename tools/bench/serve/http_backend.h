// SPDX-License-Identifier: Apache-2.0
// Streams from an OpenAI-compatible server, all on one event loop: a thousand streams are a
// thousand sockets and coroutines, and no thread. Connections are kept and used again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/bench/serve/backend.h"
#include "tools/bench/serve/http_client.h"
#include "tools/bench/serve/options.h"
#include "tools/bench/serve/run_clock.h"

namespace engram::bench {

class HttpBackend final : public Backend {
 public:
  // Resolves the host. All arguments must outlive the backend.
  static absl::StatusOr<std::unique_ptr<HttpBackend>> Create(boost::asio::io_context& io,
                                                             const RunClock& clock,
                                                             const Options& options,
                                                             const HttpUrl& url,
                                                             std::string model);

  void Start(const RequestSpec& request, RequestRecord* record,
             std::function<void()> done) override;

 private:
  struct Stream;

  HttpBackend(boost::asio::io_context& io, const RunClock& clock, const Options& options,
              HttpUrl url, std::string model,
              boost::asio::ip::tcp::resolver::results_type endpoints);

  boost::asio::awaitable<void> Run(std::shared_ptr<Stream> stream);
  boost::asio::awaitable<HttpEnd> Send(Stream* stream);
  HttpSink SinkOf(Stream* stream);
  void Judge(HttpEnd end, Stream* stream);

  boost::asio::io_context& io_;
  const RunClock& clock_;
  const Options& options_;
  const HttpUrl url_;
  const std::string model_;
  const boost::asio::ip::tcp::resolver::results_type endpoints_;
  std::vector<std::unique_ptr<HttpConnection>> idle_;
};

}  // namespace engram::bench
