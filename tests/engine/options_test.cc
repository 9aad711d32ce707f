// SPDX-License-Identifier: Apache-2.0
#include "engine/options.h"

#include <functional>
#include <string>
#include <vector>

#include "base/field_error.h"
#include "base/strings.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

SchedulerOptions Valid() {
  SchedulerOptions options;
  options.max_model_len = 4096;
  options.block_count = 1;
  return options;
}

TEST(SchedulerOptions, TheDefaultsWithAModelAreValid) {
  EXPECT_TRUE(ValidateSchedulerOptions(Valid()).ok());
}

TEST(SchedulerOptions, WhatDoesNotGoTogetherIsNamed) {
  struct Case {
    std::string field;
    std::function<void(SchedulerOptions*)> spoil;
  };
  const std::vector<Case> cases = {
      {"max_model_len", [](SchedulerOptions* o) { o->max_model_len = 0; }},
      {"max_num_seqs", [](SchedulerOptions* o) { o->max_num_seqs = 0; }},
      {"max_num_batched_tokens", [](SchedulerOptions* o) { o->max_num_batched_tokens = 63; }},
      {"max_num_batched_tokens", [](SchedulerOptions* o) { o->enable_chunked_prefill = false; }},
      {"block_size", [](SchedulerOptions* o) { o->block_size = 257; }},
      {"block_count", [](SchedulerOptions* o) { o->block_count = 0; }},
      {"ngram_order_max", [](SchedulerOptions* o) { o->ngram_order_max = 5; }},
      {"max_waiting_requests", [](SchedulerOptions* o) { o->max_waiting_requests = 0; }},
      {"max_waiting_tokens", [](SchedulerOptions* o) { o->max_waiting_tokens = 4095; }},
      {"priority_aging", [](SchedulerOptions* o) { o->priority_aging = Duration::zero(); }},
  };
  for (const Case& c : cases) {
    SchedulerOptions options = Valid();
    c.spoil(&options);
    const absl::Status status = ValidateSchedulerOptions(options);
    EXPECT_EQ(FieldOf(status), c.field) << Message(status);
  }
}

}  // namespace
}  // namespace engram
