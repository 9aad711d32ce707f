// SPDX-License-Identifier: Apache-2.0
// The seam between the load and the protocol that carries it.
#pragma once

#include <functional>

#include "tools/bench/serve/record.h"

namespace engram::bench {

class Backend {
 public:
  virtual ~Backend() = default;
  // Sends one request and fills in `record` while the answer comes: sent_s at once, everything else
  // but scheduled_s and ready_s later. Then calls `done`, once, from the event loop and
  // never from within Start. `record` must live until then; `request` need not.
  virtual void Start(const RequestSpec& request, RequestRecord* record,
                     std::function<void()> done) = 0;
};

}  // namespace engram::bench
