// SPDX-License-Identifier: Apache-2.0
// The line that tells how a run goes: rewritten in place on a terminal, one line every ten seconds
// anywhere else.
#pragma once

#include <string>

#include "tools/bench/serve/driver.h"

namespace engram::bench {

class ProgressLine {
 public:
  // `terminal`: standard error is one.
  explicit ProgressLine(bool terminal) : terminal_(terminal) {}

  double period_s() const { return terminal_ ? 0.5 : 10; }
  void Show(const LoadProgress& progress);
  void End();  // leaves the last line standing

 private:
  const bool terminal_;
  bool shown_ = false;
};

std::string ProgressText(const LoadProgress& progress);

}  // namespace engram::bench
