// SPDX-License-Identifier: Apache-2.0
#include "server/healthcheck.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace engram {
namespace {

constexpr std::size_t kAnswerBytesMax = 4096;  // enough for a status line and a short body

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::Status SystemError(const std::string& what) {
  const bool timed_out = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS;
  return absl::UnavailableError(
      absl::StrCat(what, ": ", timed_out ? "no answer in time" : std::strerror(errno)));
}

// Connect, send and receive wait for at most `timeout` each.
void SetTimeout(int fd, Duration timeout) {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(timeout).count();
  timeval value{};
  value.tv_sec = microseconds / 1'000'000;
  value.tv_usec = microseconds % 1'000'000;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value);
}

std::string Receive(int fd) {
  std::string answer;
  char buffer[512];
  while (answer.size() < kAnswerBytesMax) {
    const ssize_t count = recv(fd, buffer, sizeof buffer, 0);
    if (count <= 0) break;
    answer.append(buffer, static_cast<std::size_t>(count));
  }
  return answer;
}

}  // namespace

absl::Status CheckHealth(const std::string& host, int port, const std::string& path,
                         Duration timeout) {
  const std::string where = absl::StrCat("http://", host, ":", port, path);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found);
      error != 0) {
    return absl::UnavailableError(absl::StrCat(where, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> address(found, &freeaddrinfo);

  const Socket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) return SystemError(where);
  SetTimeout(socket.fd(), timeout);
  if (connect(socket.fd(), address->ai_addr, address->ai_addrlen) != 0) return SystemError(where);

  const std::string request =
      absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: ", host, "\r\nConnection: close\r\n\r\n");
  if (send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return SystemError(where);
  }
  const std::string answer = Receive(socket.fd());
  if (answer.empty()) return SystemError(where);
  if (absl::StartsWith(answer, "HTTP/1.1 200 ")) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(where, ": ", answer.substr(0, answer.find("\r\n"))));
}

}  // namespace engram
