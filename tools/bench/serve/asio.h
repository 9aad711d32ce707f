// SPDX-License-Identifier: Apache-2.0
// Boost's headers as the load client uses them. Boost 1.74 forgets to include <utility> for its
// coroutine support under C++20, so the order matters; include this and no Boost header directly.
#pragma once

#include <coroutine>
#include <utility>

// Keeps the order above.
#include <boost/asio.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
