// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/keeper/keeper_wire.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config/limits.h"

namespace engram {
namespace {

constexpr int kBacklog = 16;

absl::StatusOr<sockaddr_un> Address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path, "\" cannot name a socket: expected 1 to ",
                     sizeof(address.sun_path) - 1, " bytes"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<Descriptor> NewSocket() {
  Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.ok()) {
    return absl::ResourceExhaustedError(absl::StrCat("no Unix socket (errno ", errno, ")"));
  }
  return socket;
}

void SetTimeouts(const Descriptor& socket) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limits::kKeeperTimeout);
  const timeval timeout = {.tv_sec = seconds.count(), .tv_usec = 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

absl::Status TransferError(const char* what) {
  const int error = errno;
  if (error == EAGAIN || error == EWOULDBLOCK) {
    return absl::DeadlineExceededError(absl::StrCat("table keeper: ", what, " timed out"));
  }
  return absl::UnavailableError(
      absl::StrCat("table keeper: ", what, " failed (errno ", error, ")"));
}

}  // namespace

absl::StatusOr<Descriptor> ConnectToKeeper(const std::string& path) {
  ASSIGN_OR_RETURN(const sockaddr_un address, Address(path));
  ASSIGN_OR_RETURN(Descriptor socket, NewSocket());
  SetTimeouts(socket);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return absl::UnavailableError(
        absl::StrCat("no table keeper answers at ", path, " (errno ", errno, ")"));
  }
  return socket;
}

absl::StatusOr<Descriptor> ListenAsKeeper(const std::string& path) {
  ASSIGN_OR_RETURN(const sockaddr_un address, Address(path));
  if (ConnectToKeeper(path).ok()) {
    return absl::AlreadyExistsError(absl::StrCat("a table keeper answers at ", path, " already"));
  }
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return absl::AlreadyExistsError(absl::StrCat(path, " exists and is not a socket"));
    }
    unlink(path.c_str());
  }
  ASSIGN_OR_RETURN(Descriptor socket, NewSocket());
  const mode_t before = umask(0077);
  const int bound = bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  umask(before);
  if (bound != 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot create ", path, " (errno ", error, ")"));
  }
  if (listen(socket.get(), kBacklog) != 0) return TransferError("listen");
  return socket;
}

absl::StatusOr<Descriptor> AcceptClient(const Descriptor& listener) {
  Descriptor client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client.ok()) return TransferError("accept");
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      (peer.uid != geteuid() && peer.uid != 0)) {
    return absl::PermissionDeniedError(absl::StrCat(
        "table keeper: user ", peer.uid, " may not have segments of user ", geteuid()));
  }
  SetTimeouts(client);
  return client;
}

absl::Status SendPacket(const Descriptor& socket, std::string_view text,
                        const Descriptor* segment) {
  iovec data = {.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (segment != nullptr) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = segment->get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  if (sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) return TransferError("sending");
  return absl::OkStatus();
}

absl::StatusOr<KeeperPacket> ReceivePacket(const Descriptor& socket) {
  KeeperPacket packet;
  packet.text.resize(limits::kKeeperPacketBytesMax);
  iovec data = {.iov_base = packet.text.data(), .iov_len = packet.text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t received = recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  if (received < 0) return TransferError("receiving");
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    packet.segment.emplace(fd);
  }
  if (received == 0) return absl::UnavailableError("table keeper: the other side has closed");
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return absl::InvalidArgumentError("table keeper: a packet is too long");
  }
  packet.text.resize(static_cast<std::size_t>(received));
  return packet;
}

std::string_view TakeWord(std::string_view* rest) {
  const std::size_t end = rest->find(' ');
  const std::string_view word = rest->substr(0, end);
  rest->remove_prefix(end == std::string_view::npos ? rest->size() : end + 1);
  return word;
}

}  // namespace engram
