// SPDX-License-Identifier: Apache-2.0
#include "tests/tools/bench/serve/fake_http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

namespace engram::bench {
namespace {

// One request with its body; "" at the connection's end.
std::string ReadRequest(int socket) {
  std::string data;
  char bytes[4096];
  for (;;) {
    const std::size_t head = data.find("\r\n\r\n");
    if (head != std::string::npos) {
      const std::size_t at = data.find("content-length: ");
      const std::size_t length = at < head ? std::stoul(data.substr(at + 16)) : 0;
      if (data.size() >= head + 4 + length) return data;
    }
    const ssize_t count = recv(socket, bytes, sizeof(bytes), 0);
    if (count <= 0) return "";
    data.append(bytes, static_cast<std::size_t>(count));
  }
}

}  // namespace

FakeHttpServer::FakeHttpServer(Answer answer) : answer_(std::move(answer)) {
  listener_ = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  CHECK_EQ(listen(listener_, 1024), 0);
  socklen_t size = sizeof(address);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

FakeHttpServer::~FakeHttpServer() {
  stopping_ = true;
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  for (const int socket : sockets_) close(socket);
  close(listener_);
}

void FakeHttpServer::Accept() {
  while (!stopping_) {
    const int socket = accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ++connections_;
    const std::lock_guard lock(mutex_);
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket] { Serve(socket); });
  }
}

void FakeHttpServer::Serve(int socket) {
  for (;;) {
    const std::string request = ReadRequest(socket);
    if (request.empty()) return;
    const Script script = answer_(request);
    Played played{.received = std::chrono::steady_clock::now(), .sent = {}};
    for (std::size_t i = 0; i < script.parts.size(); ++i) {
      const ScriptPart& part = script.parts[i];
      std::this_thread::sleep_for(std::chrono::milliseconds(part.delay_ms));
      played.sent.push_back(std::chrono::steady_clock::now());
      // Noted before the last bytes leave: whoever has them finds the note.
      if (i + 1 == script.parts.size()) Note(request, played);
      send(socket, part.bytes.data(), part.bytes.size(), MSG_NOSIGNAL);
    }
    if (!script.close) continue;
    shutdown(socket, SHUT_RDWR);
    return;
  }
}

void FakeHttpServer::Note(const std::string& request, const Played& played) {
  const std::lock_guard lock(mutex_);
  played_.push_back(played);
  requests_.push_back(request);
}

std::vector<FakeHttpServer::Played> FakeHttpServer::played() {
  const std::lock_guard lock(mutex_);
  return played_;
}

std::vector<std::string> FakeHttpServer::requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

}  // namespace engram::bench
