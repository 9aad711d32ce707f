// SPDX-License-Identifier: Apache-2.0
// Sends the load and keeps its records. An open loop starts conversations at times fixed
// beforehand; a closed loop starts one whenever another ends, and waits a little if that one
// failed. The turns of a conversation follow each other at once. Nothing is sent twice.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tools/bench/serve/asio.h"
#include "tools/bench/serve/backend.h"
#include "tools/bench/serve/dataset.h"
#include "tools/bench/serve/options.h"
#include "tools/bench/serve/run_clock.h"

namespace engram::bench {

struct LoadProgress {
  double elapsed_s = 0;
  std::int64_t planned = 0;  // 0: not known
  std::int64_t sent = 0;
  std::int64_t completed = 0;
  std::int64_t failed = 0;
  std::int64_t output_tokens = 0;  // of completed requests
  double last_ttft_s = 0;          // mean of those completed since the last report
};

class Driver {
 public:
  struct Params {
    LoadOptions load;
    std::string request_id_prefix;
    std::int64_t first_index = 0;  // of the dataset
    double report_every_s = 1;
    std::function<void(const LoadProgress&)> report;  // may be empty
  };

  // All must outlive the driver. REQUIRES: `io` is run by nobody else.
  Driver(boost::asio::io_context& io, RunClock& clock, Backend& backend, const Dataset& dataset,
         Params params);

  // Restarts the clock, sends everything, returns when the last request has ended.
  void Run();

  double duration_s() const { return duration_s_; }
  // In the order of sending.
  std::vector<RequestRecord> TakeRecords();
  // How late this program's own event loop woke up, in seconds, all through the run. If that is
  // not small, the client is the bottleneck and the latencies are its own.
  const std::vector<double>& loop_lags_s() const { return loop_lags_s_; }

 private:
  struct Running;

  void OnArrivals();
  // `slot_free_s`: since when there is room for the first of them.
  void LaunchWaiting(double slot_free_s);
  void StartConversation(double scheduled_s, double ready_s);
  void StartNext();  // closed loop: due now
  void StartTurn(std::shared_ptr<Running> running, double scheduled_s, double ready_s);
  void OnTurnEnd(std::shared_ptr<Running> running, RequestRecord* record);
  void RestSlot(const RequestRecord& failed);
  void OnRested();
  bool MayStartAnother() const;
  void StopIfDone();
  void WatchLoop();
  void DropTimers();
  void Report();
  bool HasFreeSlot() const;

  boost::asio::io_context& io_;
  RunClock& clock_;
  Backend& backend_;
  const Dataset& dataset_;
  const Params params_;
  const bool open_loop_;

  std::vector<double> arrivals_;  // open loop
  std::size_t next_arrival_ = 0;
  std::deque<double> waiting_;  // scheduled times that found no free slot
  std::multiset<double> rested_at_;  // closed loop: when slots may be filled again
  std::int64_t started_ = 0;    // conversations
  int in_flight_ = 0;           // conversations
  std::deque<RequestRecord> records_;  // a deque: backends hold pointers into it
  LoadProgress progress_;
  double ttft_sum_s_ = 0;
  std::int64_t ttft_count_ = 0;
  double next_report_s_ = 0;
  double duration_s_ = 0;
  bool ended_ = false;
  std::vector<double> loop_lags_s_;
  boost::asio::steady_timer arrival_timer_;
  boost::asio::steady_timer rest_timer_;
  boost::asio::steady_timer watch_timer_;
};

}  // namespace engram::bench
