// SPDX-License-Identifier: Apache-2.0
// Every setting of the server as plain data: defaults, then the config file, then flags. Nothing
// changes it after start. option_table.cc says what each setting is called and what it may be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/options.h"

namespace engram {

struct Config {
  // Model.
  std::string model;                            // checkpoint directory
  std::vector<std::string> served_model_names;  // never empty after parsing
  bool dummy_weights = false;                   // --load-format dummy
  std::uint64_t seed = 0;                       // of dummy weights
  bool generation_config = true;                // sampling defaults from the checkpoint

  // Backend.
  std::string backend = "auto";
  int threads = 0;  // 0 = one per processor the process may run on

  // Engine. What depends on the model (block_count, ngram_order_max, and max_model_len if it is 0)
  // is filled in when the model is loaded.
  SchedulerOptions scheduler;
  std::optional<std::int64_t> kv_cache_bytes;  // absent: sized for max_num_seqs, within the memory
  bool engram_prefetch = true;
  int engram_prefetch_workers = 1;
  EngramStorageOptions engram_storage;

  // Transports.
  std::string host = "127.0.0.1";
  int http_port = 8000;  // 0 = any free one
  int http_threads = 2;
  int grpc_port = 8001;  // 0 = any free one
  int grpc_threads = 2;
  bool grpc_reflection = true;
  std::string api_key_file;  // empty: no keys asked for

  // Life.
  std::string log_level = "info";
  bool log_json = false;
  Duration drain_timeout = std::chrono::seconds(30);
  Duration watchdog = std::chrono::seconds(60);  // work but no step for so long: not alive
};

}  // namespace engram
