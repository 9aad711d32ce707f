// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_message.h"

#include <array>
#include <cstdio>

#include "base/check.h"

namespace engram {
namespace {

struct Reason {
  int status;
  std::string_view phrase;
};

constexpr std::array kReasons = {
    Reason{200, "OK"},
    Reason{204, "No Content"},
    Reason{400, "Bad Request"},
    Reason{401, "Unauthorized"},
    Reason{403, "Forbidden"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{408, "Request Timeout"},
    Reason{409, "Conflict"},
    Reason{413, "Content Too Large"},
    Reason{414, "URI Too Long"},
    Reason{415, "Unsupported Media Type"},
    Reason{417, "Expectation Failed"},
    Reason{429, "Too Many Requests"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{499, "Client Closed Request"},
    Reason{500, "Internal Server Error"},
    Reason{501, "Not Implemented"},
    Reason{503, "Service Unavailable"},
    Reason{504, "Gateway Timeout"},
};

void AppendField(std::string* head, std::string_view name, std::string_view value) {
  head->append(name).append(": ");
  for (const char c : value) head->push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  head->append("\r\n");
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  for (const Reason& reason : kReasons) {
    if (reason.status == status) return reason.phrase;
  }
  return "Unknown";
}

std::string HttpDate(std::time_t time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[utc.tm_wday],
                utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                utc.tm_sec);
  return text;
}

std::string MessageHead(const HttpResponse& response, BodyFraming framing, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  head.append(ReasonPhrase(response.status)).append("\r\n");
  AppendField(&head, "date", HttpDate(std::time(nullptr)));
  AppendField(&head, "server", "engram-server");
  if (framing == BodyFraming::kLength) {
    AppendField(&head, "content-length", std::to_string(response.body.size()));
  }
  if (!response.content_type.empty()) AppendField(&head, "content-type", response.content_type);
  for (const auto& [name, value] : response.headers) AppendField(&head, name, value);
  if (framing == BodyFraming::kChunked) AppendField(&head, "transfer-encoding", "chunked");
  if (!keep_alive) AppendField(&head, "connection", "close");
  head.append("\r\n");
  return head;
}

std::string BodyChunk(std::string_view data) {
  CHECK(!data.empty());
  char size[20];
  const int length = std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  std::string chunk;
  chunk.reserve(length + data.size() + 2);
  chunk.append(size, length).append(data).append("\r\n");
  return chunk;
}

void SplitTarget(HttpRequest* request) {
  std::string_view rest = request->target;
  // Absolute form, "http://host/path": proxies send it; the host says nothing to us.
  if (const std::size_t scheme = rest.find("://");
      !rest.starts_with('/') && scheme != std::string_view::npos) {
    const std::size_t path = rest.find_first_of("/?", scheme + 3);
    rest = path == std::string_view::npos ? "/" : rest.substr(path);
  }
  const std::size_t query = rest.find('?');
  request->path = rest.substr(0, query);
  request->query = query == std::string_view::npos ? "" : rest.substr(query + 1);
}

}  // namespace engram
