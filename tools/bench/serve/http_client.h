// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 as a client, without TLS: an asynchronous connection that hands over bodies piece by
// piece as they arrive, and a blocking fetch for questions before the run.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/bench/serve/asio.h"

namespace engram::bench {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpUrl {
  std::string host;
  std::string port;
  std::string path;  // "" or begins with '/'
};
// "http://host[:port][/path]"; INVALID_ARGUMENT says what is wrong with another.
absl::StatusOr<HttpUrl> ParseHttpUrl(const std::string& url);

struct HttpCall {
  std::string method = "POST";
  std::string path;
  HttpHeaders headers;
  std::string body;
};
// The bytes of the request, `call.body` included.
std::string SerialiseCall(const HttpUrl& url, const HttpCall& call);

// The head of an answer, for as long as on_header runs.
struct HttpHead {
  int status = 0;
  std::string_view reason;       // of the status line
  std::string_view retry_after;  // "" without such a header
};

// Who reads an answer as it comes.
struct HttpSink {
  std::function<void(const HttpHead& head)> on_header;
  std::function<void(std::string_view bytes)> on_body;
};

enum class HttpEnd {
  kComplete,   // the whole answer
  kUntouched,  // the connection ended before a byte of the answer: the server had closed it
  kCut,        // it ended within the answer
  kMalformed,  // not HTTP
};

class HttpConnection {
 public:
  explicit HttpConnection(boost::asio::io_context& io) : socket_(io) {}

  // OK, or UNAVAILABLE with the system's words.
  boost::asio::awaitable<absl::Status> Connect(
      const boost::asio::ip::tcp::resolver::results_type& endpoints);
  // One request and its answer. Afterwards reusable() tells whether another may follow.
  boost::asio::awaitable<HttpEnd> Exchange(const std::string& request, const HttpSink& sink);
  // Ends whatever is under way.
  void Close();
  bool reusable() const { return reusable_; }

 private:
  boost::asio::ip::tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  bool reusable_ = false;
};

struct HttpAnswer {
  int status = 0;
  std::string reason;
  std::string body;
};
// Blocks until the answer is there; UNAVAILABLE or DEADLINE_EXCEEDED without one.
absl::StatusOr<HttpAnswer> FetchHttp(const HttpUrl& url, const HttpCall& call, double timeout_s);

}  // namespace engram::bench
