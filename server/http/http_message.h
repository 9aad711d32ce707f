// SPDX-License-Identifier: Apache-2.0
// The text of HTTP/1.1 messages that we send: heads, chunks, dates, reason phrases. No sockets.
#pragma once

#include <cstddef>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/http_server.h"

namespace engram {

// "Not Found"; "Unknown" for a status that we never send.
std::string_view ReasonPhrase(int status);

// "Tue, 24 Nov 2026 07:01:03 GMT".
std::string HttpDate(std::time_t time);

enum class BodyFraming { kLength, kChunked, kUntilClose };

// Status line and fields, up to and including the empty line. Control characters in field values
// become blanks, so that no value can begin a field of its own.
std::string MessageHead(const HttpResponse& response, BodyFraming framing, bool keep_alive);

// `data` framed as one chunk of a chunked body. REQUIRES: `data` is not empty (that would be the
// end).
std::string BodyChunk(std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// Sets path and query from target, which may be in origin or absolute form.
void SplitTarget(HttpRequest* request);

}  // namespace engram
