// SPDX-License-Identifier: Apache-2.0
// The project's log: spdlog behind one header. LOG_INFO("loaded {} tensors", n): fmt syntax,
// checked at compile time. Lines about one request carry its id as "request_id=…" at their end.
#pragma once

#include <string>

#include "spdlog/spdlog.h"

#define LOG_DEBUG(...) ::spdlog::debug(__VA_ARGS__)
#define LOG_INFO(...) ::spdlog::info(__VA_ARGS__)
#define LOG_WARNING(...) ::spdlog::warn(__VA_ARGS__)
#define LOG_ERROR(...) ::spdlog::error(__VA_ARGS__)

namespace engram {

enum class LogFormat { kText, kJson };

// Sets the process' log up: to stderr, `level` one of trace, debug, info, warning, error, off.
// REQUIRES: called once, before other threads log. Returns false if `level` is none of these.
bool InitLog(LogFormat format, const std::string& level);

}  // namespace engram
