// SPDX-License-Identifier: Apache-2.0
#include "tests/server/http/test_client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "gtest/gtest.h"

namespace engram::testing_support {
namespace {

constexpr double kPatienceSeconds = 10;

void SetPatience(int socket, double seconds) {
  timeval time{};
  time.tv_sec = static_cast<time_t>(seconds);
  time.tv_usec = static_cast<suseconds_t>((seconds - static_cast<double>(time.tv_sec)) * 1e6);
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}

}  // namespace

TestClient::TestClient(int port, int receive_buffer) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_GE(socket_, 0);
  if (receive_buffer > 0) {
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0)
      << "port " << port;
  SetPatience(socket_, kPatienceSeconds);
}

TestClient::~TestClient() { Close(); }

void TestClient::Close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void TestClient::CloseSending() { ::shutdown(socket_, SHUT_WR); }

void TestClient::Reset() {
  const linger hard{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  Close();
}

bool TestClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool TestClient::Fill() {
  char chunk[16384];
  const ssize_t got = ::recv(socket_, chunk, sizeof chunk, 0);
  if (got <= 0) return false;
  buffer_.append(chunk, static_cast<std::size_t>(got));
  return true;
}

std::optional<std::string> TestClient::Line() {
  std::size_t end;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!Fill()) return std::nullopt;
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

std::optional<std::string> TestClient::Bytes(std::size_t count) {
  while (buffer_.size() < count) {
    if (!Fill()) return std::nullopt;
  }
  std::string bytes = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return bytes;
}

std::optional<ClientResponse> TestClient::ReadHead() {
  const auto status_line = Line();
  if (!status_line) return std::nullopt;
  EXPECT_TRUE(status_line->starts_with("HTTP/1.1 ")) << *status_line;
  ClientResponse response;
  response.status = std::stoi(status_line->substr(9, 3));
  response.reason = status_line->size() > 13 ? status_line->substr(13) : "";
  for (;;) {
    const auto line = Line();
    if (!line) return std::nullopt;
    if (line->empty()) return response;
    const std::size_t colon = line->find(": ");
    if (colon == std::string::npos) {
      ADD_FAILURE() << "bad field: " << *line;
      return std::nullopt;
    }
    std::string name = line->substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    response.headers[name] = line->substr(colon + 2);
  }
}

std::optional<std::string> TestClient::ReadChunk() {
  const auto size_line = Line();
  if (!size_line) return std::nullopt;
  const std::size_t size = std::stoul(*size_line, nullptr, 16);
  auto data = Bytes(size);
  const auto end = Line();
  if (!data || !end) return std::nullopt;
  EXPECT_EQ(*end, "");
  return data;
}

std::optional<ClientResponse> TestClient::Read(bool no_body) {
  auto response = ReadHead();
  if (!response || no_body || response->status == 100) return response;
  if (response->headers.contains("transfer-encoding")) {
    for (;;) {
      auto chunk = ReadChunk();
      if (!chunk) return std::nullopt;
      if (chunk->empty()) return response;
      response->body += *chunk;
      response->chunks.push_back(std::move(*chunk));
    }
  }
  if (response->headers.contains("content-length")) {
    auto body = Bytes(std::stoul(response->headers["content-length"]));
    if (!body) return std::nullopt;
    response->body = std::move(*body);
    return response;
  }
  response->body = ReadToEnd().value_or("");
  return response;
}

std::optional<std::string> TestClient::ReadToEnd() {
  while (Fill()) {
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    // Fill fails at a timeout too; only a closed connection is an end.
    char byte;
    if (::recv(socket_, &byte, 1, MSG_DONTWAIT) != 0) return std::nullopt;
  }
  return std::exchange(buffer_, "");
}

bool TestClient::ClosedWithin(double seconds) {
  SetPatience(socket_, seconds);
  char byte;
  const bool closed = buffer_.empty() && ::recv(socket_, &byte, 1, 0) == 0;
  SetPatience(socket_, kPatienceSeconds);
  return closed;
}

ClientResponse TestClient::Get(const std::string& path, const std::string& more_headers) {
  EXPECT_TRUE(Send("GET " + path + " HTTP/1.1\r\nhost: t\r\n" + more_headers + "\r\n"));
  return Read().value_or(ClientResponse{});
}

ClientResponse TestClient::Post(const std::string& path, const std::string& body,
                                const std::string& more_headers) {
  EXPECT_TRUE(Send("POST " + path + " HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n" +
                   more_headers + "content-length: " + std::to_string(body.size()) + "\r\n\r\n" +
                   body));
  return Read().value_or(ClientResponse{});
}

}  // namespace engram::testing_support
