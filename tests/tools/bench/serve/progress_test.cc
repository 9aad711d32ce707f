// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/progress.h"

#include "gtest/gtest.h"

namespace engram::bench {
namespace {

const LoadProgress kHalfway = {.elapsed_s = 10,
                               .planned = 100,
                               .sent = 60,
                               .completed = 50,
                               .failed = 0,
                               .output_tokens = 1500,
                               .last_ttft_s = 0.123};

TEST(ProgressTest, SaysHowFarAndHowFast) {
  EXPECT_EQ(ProgressText(kHalfway),
            "10s  50/100 done  10 running  5.0 req/s  150 tok/s  TTFT 123 ms");
}

TEST(ProgressTest, FailuresStandOut) {
  LoadProgress progress = kHalfway;
  progress.failed = 4;
  EXPECT_EQ(ProgressText(progress),
            "10s  54/100 done  6 running  5.0 req/s  150 tok/s  TTFT 123 ms  4 FAILED");
}

TEST(ProgressTest, WhatIsNotKnownIsLeftOut) {
  EXPECT_EQ(ProgressText({}), "0s  0 done  0 running  0.0 req/s  0 tok/s");
}

TEST(ProgressTest, ATerminalsLineIsRewritten) {
  testing::internal::CaptureStderr();
  ProgressLine line(/*terminal=*/true);
  line.Show(kHalfway);
  line.Show({});
  line.End();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "\r" + ProgressText(kHalfway) + "\x1b[K\r" +
                                                        ProgressText({}) + "\x1b[K\n");
}

TEST(ProgressTest, ALogGetsLinesAndFewerOfThem) {
  testing::internal::CaptureStderr();
  ProgressLine line(/*terminal=*/false);
  line.Show(kHalfway);
  line.End();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), ProgressText(kHalfway) + "\n");
  EXPECT_GT(line.period_s(), ProgressLine(true).period_s());
}

TEST(ProgressTest, NothingShownNothingEnded) {
  testing::internal::CaptureStderr();
  ProgressLine(/*terminal=*/true).End();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace engram::bench
