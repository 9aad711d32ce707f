// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(Metrics, RendersTheTextFormat) {
  MetricsRegistry registry;
  registry.AddCounter("b_total", "Bees.", {{"kind", "a\"b"}})->Add(2);
  registry.AddGauge("a", "As.")->Set(0.5);
  Histogram* h = registry.AddHistogram("c_seconds", "Times.", {0.1, 1});
  h->Observe(0.1);
  h->Observe(0.5);
  h->Observe(7);
  EXPECT_EQ(registry.RenderPrometheus(),
            "# HELP a As.\n# TYPE a gauge\na 0.5\n"
            "# HELP b_total Bees.\n# TYPE b_total counter\nb_total{kind=\"a\\\"b\"} 2\n"
            "# HELP c_seconds Times.\n# TYPE c_seconds histogram\n"
            "c_seconds_bucket{le=\"0.1\"} 1\nc_seconds_bucket{le=\"1\"} 2\n"
            "c_seconds_bucket{le=\"+Inf\"} 3\nc_seconds_sum 7.6\nc_seconds_count 3\n");
}

TEST(Metrics, SameNameAndLabelsIsTheSameMetric) {
  MetricsRegistry registry;
  EXPECT_EQ(registry.AddCounter("x", "X."), registry.AddCounter("x", "X."));
  EXPECT_NE(registry.AddCounter("x", "X.", {{"l", "1"}}), registry.AddCounter("x", "X."));
}

}  // namespace
}  // namespace engram
