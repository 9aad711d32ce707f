// SPDX-License-Identifier: Apache-2.0
// A blocking HTTP client over a plain socket, for tests: it sends exactly the bytes it is told to
// and reads answers strictly, so that a server's framing errors show. Every read gives up after 10
// s.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engram::testing_support {

struct ClientResponse {
  int status = 0;
  std::string reason;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // chunks joined
  std::vector<std::string> chunks;             // of a chunked body
};

class TestClient {
 public:
  // A small `receive_buffer` (bytes; 0: the system's) makes a client that does not read stall its
  // server early.
  explicit TestClient(int port, int receive_buffer = 0);
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  // False if the server has closed the connection.
  bool Send(std::string_view bytes);
  // The next whole answer; nothing if the connection ended, or nothing came for too long, before it
  // was complete. `no_body`: the answer to a HEAD.
  std::optional<ClientResponse> Read(bool no_body = false);
  // Status line and fields only, then chunk by chunk ("" is the last).
  std::optional<ClientResponse> ReadHead();
  std::optional<std::string> ReadChunk();
  // Everything until the server closes; nothing if it does not.
  std::optional<std::string> ReadToEnd();
  // True if the server closes within `seconds`, having sent nothing more.
  bool ClosedWithin(double seconds);

  void CloseSending();  // FIN
  void Close();         // as a killed process does
  void Reset();         // RST

  ClientResponse Get(const std::string& path, const std::string& more_headers = "");
  ClientResponse Post(const std::string& path, const std::string& body,
                      const std::string& more_headers = "");

 private:
  bool Fill();  // reads more into buffer_
  std::optional<std::string> Line();
  std::optional<std::string> Bytes(std::size_t count);

  int socket_ = -1;
  std::string buffer_;
};

}  // namespace engram::testing_support
