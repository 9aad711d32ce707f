// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_server.h"

#include <thread>

#include "absl/status/status.h"
#include "base/check.h"
#include "base/log.h"
#include "server/http/http_connection.h"

namespace engram {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using http_internal::Connection;
using http_internal::Core;
using http_internal::Strand;

// How long to wait when the process has no more file descriptors to accept with.
constexpr std::chrono::milliseconds kAcceptRetry{100};

class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(std::shared_ptr<Core> core, tcp::acceptor acceptor)
      : core_(std::move(core)),
        work_(core_->io.get_executor()),
        accept_strand_(asio::make_strand(core_->io)),
        acceptor_(std::move(acceptor)),
        retry_timer_(accept_strand_),
        port_(acceptor_.local_endpoint().port()) {
    asio::post(accept_strand_, [this] { Accept(); });
    for (int i = 0; i < core_->options.threads; ++i) {
      threads_.emplace_back([this] { core_->io.run(); });
    }
  }
  ~HttpServerImpl() override { Stop(); }

  int port() const override { return port_; }
  void StopAccepting() override;
  void Stop() override;
  int open_connections() const override;

 private:
  void Accept();
  void OnAccept(error_code error, tcp::socket socket, const Strand& strand);
  void CloseAcceptor();
  template <typename Action>
  void ForEachConnection(Action action);

  const std::shared_ptr<Core> core_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  // Used on accept_strand_ only.
  const Strand accept_strand_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_timer_;
  bool accepting_ = true;

  const int port_;
  std::vector<std::thread> threads_;  // touched by Stop and the destructor only
  std::mutex stop_mutex_;             // one Stop at a time
};

void HttpServerImpl::Accept() {
  if (!accepting_) return;
  const Strand strand = asio::make_strand(core_->io);
  acceptor_.async_accept(
      strand,
      asio::bind_executor(accept_strand_, [this, strand](error_code error, tcp::socket socket) {
        OnAccept(error, std::move(socket), strand);
      }));
}

void HttpServerImpl::OnAccept(error_code error, tcp::socket socket, const Strand& strand) {
  if (!accepting_) return;
  if (error) {
    LOG_WARNING("cannot accept an HTTP connection: {}", error.message());
    retry_timer_.expires_after(kAcceptRetry);
    retry_timer_.async_wait(asio::bind_executor(accept_strand_, [this](error_code cancelled) {
      if (!cancelled) Accept();
    }));
    return;
  }
  const auto connection = std::make_shared<Connection>(core_, std::move(socket), strand);
  bool refuse = false;
  {
    std::lock_guard lock(core_->connections_mutex);
    refuse = static_cast<int>(core_->connections.size()) >= core_->options.connections_max;
    core_->connections.emplace(connection.get(), connection);
  }
  core_->Post(strand, [connection, refuse] { connection->Start(refuse); });
  Accept();
}

void HttpServerImpl::CloseAcceptor() {
  accepting_ = false;
  error_code ignored;
  acceptor_.close(ignored);
  retry_timer_.cancel();
}

template <typename Action>
void HttpServerImpl::ForEachConnection(Action action) {
  std::vector<std::shared_ptr<Connection>> connections;
  {
    std::lock_guard lock(core_->connections_mutex);
    for (const auto& [key, weak] : core_->connections) {
      if (auto connection = weak.lock()) connections.push_back(std::move(connection));
    }
  }
  for (const auto& connection : connections) {
    core_->Post(connection->strand(), [connection, action] { action(connection.get()); });
  }
}

void HttpServerImpl::StopAccepting() {
  core_->draining = true;
  core_->Post(accept_strand_, [this] {
    CloseAcceptor();
    ForEachConnection([](Connection* connection) { connection->CloseIfIdle(); });
  });
}

void HttpServerImpl::Stop() {
  std::lock_guard lock(stop_mutex_);
  if (threads_.empty()) return;
  core_->draining = true;
  core_->Post(accept_strand_, [this] {
    CloseAcceptor();
    ForEachConnection([](Connection* connection) { connection->Close(); });
  });
  work_.reset();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  {
    std::unique_lock stop_lock(core_->stop_mutex);
    core_->stopped = true;
  }
  // What was posted between the threads' end and the flag: run here, so that it holds nothing
  // alive.
  core_->io.restart();
  core_->io.poll();
}

int HttpServerImpl::open_connections() const {
  std::lock_guard lock(core_->connections_mutex);
  return static_cast<int>(core_->connections.size());
}

absl::Status Unbound(const HttpServerOptions& options, const error_code& error) {
  return absl::UnavailableError("cannot listen on " + options.host + " port " +
                                std::to_string(options.port) + ": " + error.message());
}

}  // namespace

std::string_view HttpRequest::Header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (field == name) return value;
  }
  return {};
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                              HttpHandler handler,
                                                              HttpErrorBody error_body) {
  CHECK_GT(options.threads, 0);
  auto core = std::make_shared<Core>();
  core->options = options;
  core->handler = std::move(handler);
  core->error_body = std::move(error_body);

  error_code error;
  tcp::resolver resolver(core->io);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error) return Unbound(options, error);
  const tcp::endpoint endpoint = found.begin()->endpoint();
  tcp::acceptor acceptor(core->io);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return Unbound(options, error);
  return std::unique_ptr<HttpServer>(
      std::make_unique<HttpServerImpl>(std::move(core), std::move(acceptor)));
}

}  // namespace engram
