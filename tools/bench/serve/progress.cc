// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/progress.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace engram::bench {

std::string ProgressText(const LoadProgress& p) {
  const double seconds = std::max(p.elapsed_s, 1e-3);
  const std::int64_t ended = p.completed + p.failed;
  std::string out = absl::StrFormat("%.0fs  %d", p.elapsed_s, ended);
  if (p.planned > 0) absl::StrAppend(&out, "/", p.planned);
  absl::StrAppendFormat(&out, " done  %d running  %.1f req/s  %.0f tok/s", p.sent - ended,
                        static_cast<double>(p.completed) / seconds,
                        static_cast<double>(p.output_tokens) / seconds);
  if (p.last_ttft_s > 0) absl::StrAppendFormat(&out, "  TTFT %.0f ms", p.last_ttft_s * 1000);
  if (p.failed > 0) absl::StrAppend(&out, "  ", p.failed, " FAILED");
  return out;
}

void ProgressLine::Show(const LoadProgress& progress) {
  const std::string text = ProgressText(progress);
  // \x1b[K clears what a longer line left.
  std::fprintf(stderr, terminal_ ? "\r%s\x1b[K" : "%s\n", text.c_str());
  std::fflush(stderr);
  shown_ = true;
}

void ProgressLine::End() {
  if (terminal_ && shown_) std::fputc('\n', stderr);
}

}  // namespace engram::bench
