// SPDX-License-Identifier: Apache-2.0
// A keeper on a thread and a socket of this test's own.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "engine/engram/keeper/table_keeper.h"
#include "gtest/gtest.h"

namespace engram::testing_support {

inline std::string SocketPath() { return testing::TempDir() + "/k" + std::to_string(getpid()); }

class RunningKeeper {
 public:
  explicit RunningKeeper(std::int64_t bytes_max = 10'000'000) : stop_(eventfd(0, EFD_CLOEXEC)) {
    auto keeper = TableKeeper::Start({.socket_path = SocketPath(), .bytes_max = bytes_max});
    EXPECT_TRUE(keeper.ok()) << keeper.status();
    keeper_ = *std::move(keeper);
    thread_ = std::thread([this] { keeper_->Run(stop_); });
  }
  ~RunningKeeper() {
    const std::uint64_t one = 1;
    EXPECT_EQ(write(stop_.get(), &one, sizeof one), 8);
    thread_.join();
  }

 private:
  const Descriptor stop_;
  std::unique_ptr<TableKeeper> keeper_;
  std::thread thread_;
};

}  // namespace engram::testing_support
