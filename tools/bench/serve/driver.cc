// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/driver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/bench/serve/arrivals.h"
#include "tools/bench/serve/metrics.h"

namespace engram::bench {
namespace {

constexpr double kWatchEveryS = 0.02;

// After a failure a closed loop's slot stays empty for as long as the server asked, within the
// second of these, or for the first. Filled at once, a server that refuses at once would be sent
// as much as this program can send, and nothing would be measured but that.
constexpr double kRestS = 0.1;
constexpr double kRestMaxS = 5;

}  // namespace

struct Driver::Running {
  Conversation conversation;
  std::size_t turn = 0;
  std::vector<ChatTurn> history;
};

Driver::Driver(boost::asio::io_context& io, RunClock& clock, Backend& backend,
               const Dataset& dataset, Params params)
    : io_(io),
      clock_(clock),
      backend_(backend),
      dataset_(dataset),
      params_(std::move(params)),
      open_loop_(IsOpenLoop(params_.load)),
      arrival_timer_(io),
      rest_timer_(io),
      watch_timer_(io) {
  if (open_loop_) arrivals_ = ArrivalTimes(params_.load);
  progress_.planned =
      open_loop_ ? static_cast<std::int64_t>(arrivals_.size()) : params_.load.num_prompts;
}

void Driver::Run() {
  io_.restart();
  clock_.Restart();
  next_report_s_ = params_.report_every_s;
  WatchLoop();
  if (open_loop_) {
    OnArrivals();
  } else {
    for (int i = 0; i < params_.load.max_concurrency && MayStartAnother(); ++i) {
      StartNext();
    }
  }
  StopIfDone();
  io_.run();
  Report();
  DropTimers();
}

// A handler that was due as the run ended is still in the loop's queue, and would run when the next
// driver runs the loop: after this one is gone.
void Driver::DropTimers() {
  ended_ = true;
  arrival_timer_.cancel();
  rest_timer_.cancel();
  watch_timer_.cancel();
  io_.restart();
  io_.poll();
}

void Driver::OnArrivals() {
  const double now_s = clock_.Now();
  while (next_arrival_ < arrivals_.size() && arrivals_[next_arrival_] <= now_s) {
    waiting_.push_back(arrivals_[next_arrival_++]);
  }
  LaunchWaiting(/*slot_free_s=*/0);
  if (next_arrival_ == arrivals_.size()) return;
  arrival_timer_.expires_at(clock_.At(arrivals_[next_arrival_]));
  arrival_timer_.async_wait([this](auto error) {
    if (!error && !ended_) OnArrivals();
  });
}

bool Driver::HasFreeSlot() const {
  return params_.load.max_concurrency == 0 || in_flight_ < params_.load.max_concurrency;
}

void Driver::LaunchWaiting(double slot_free_s) {
  while (!waiting_.empty() && HasFreeSlot()) {
    const double scheduled_s = waiting_.front();
    waiting_.pop_front();
    StartConversation(scheduled_s, std::max(scheduled_s, slot_free_s));
  }
}

bool Driver::MayStartAnother() const {
  const LoadOptions& load = params_.load;
  return (load.num_prompts == 0 || started_ < load.num_prompts) &&
         (load.duration_s == 0 || clock_.Now() < load.duration_s);
}

void Driver::StartNext() {
  const double now_s = clock_.Now();
  StartConversation(now_s, now_s);
}

void Driver::StartConversation(double scheduled_s, double ready_s) {
  auto running = std::make_shared<Running>();
  running->conversation = dataset_.Get(params_.first_index + started_);
  ++started_;
  ++in_flight_;
  StartTurn(std::move(running), scheduled_s, ready_s);
}

void Driver::StartTurn(std::shared_ptr<Running> running, double scheduled_s, double ready_s) {
  RequestSpec& request = running->conversation.turns[running->turn];
  running->history.insert(running->history.end(), request.messages.begin(),
                          request.messages.end());
  request.messages = running->history;
  request.request_id = absl::StrCat(params_.request_id_prefix, records_.size());
  RequestRecord* record = &records_.emplace_back();
  record->scheduled_s = scheduled_s;
  record->ready_s = ready_s;
  ++progress_.sent;
  backend_.Start(request, record,
                 [this, running, record] { OnTurnEnd(running, record); });
}

void Driver::OnTurnEnd(std::shared_ptr<Running> running, RequestRecord* record) {
  duration_s_ = std::max(duration_s_, record->end_s);
  if (record->ok()) {
    ++progress_.completed;
    progress_.output_tokens += record->output_tokens;
    ttft_sum_s_ += TimeToFirstToken(*record);
    ++ttft_count_;
  } else {
    ++progress_.failed;
  }
  running->history.push_back({.role = "assistant", .content = record->text});
  if (record->ok() && ++running->turn < running->conversation.turns.size()) {
    const double now_s = clock_.Now();
    return StartTurn(std::move(running), now_s, now_s);
  }
  --in_flight_;
  if (open_loop_) {
    LaunchWaiting(record->end_s);
  } else if (!record->ok()) {
    RestSlot(*record);
  } else if (MayStartAnother()) {
    StartNext();
  }
  StopIfDone();
}

void Driver::RestSlot(const RequestRecord& failed) {
  const double rest_s = std::clamp(failed.retry_after_s.value_or(kRestS), kRestS, kRestMaxS);
  double at_s = clock_.Now() + rest_s;
  // Not beyond the end: the run would wait for nothing.
  if (params_.load.duration_s > 0) at_s = std::min(at_s, params_.load.duration_s);
  rested_at_.insert(at_s);
  if (*rested_at_.begin() == at_s) OnRested();
}

void Driver::OnRested() {
  while (!rested_at_.empty() && *rested_at_.begin() <= clock_.Now()) {
    rested_at_.erase(rested_at_.begin());
    if (MayStartAnother()) StartNext();
  }
  StopIfDone();
  if (rested_at_.empty()) return;
  rest_timer_.expires_at(clock_.At(*rested_at_.begin()));
  rest_timer_.async_wait([this](auto error) {
    if (!error && !ended_) OnRested();
  });
}

void Driver::StopIfDone() {
  if (in_flight_ > 0 || !waiting_.empty() || next_arrival_ < arrivals_.size()) return;
  if (!open_loop_ && MayStartAnother()) return;
  io_.stop();
}

void Driver::WatchLoop() {
  const double due_s = clock_.Now() + kWatchEveryS;
  watch_timer_.expires_at(clock_.At(due_s));
  watch_timer_.async_wait([this, due_s](auto error) {
    if (error || ended_) return;
    loop_lags_s_.push_back(std::max(clock_.Now() - due_s, 0.0));
    if (clock_.Now() >= next_report_s_) {
      next_report_s_ += params_.report_every_s;
      Report();
    }
    WatchLoop();
  });
}

void Driver::Report() {
  if (!params_.report) return;
  progress_.elapsed_s = clock_.Now();
  progress_.last_ttft_s = ttft_count_ > 0 ? ttft_sum_s_ / static_cast<double>(ttft_count_) : 0;
  ttft_sum_s_ = 0;
  ttft_count_ = 0;
  params_.report(progress_);
}

std::vector<RequestRecord> Driver::TakeRecords() {
  std::vector<RequestRecord> out(std::make_move_iterator(records_.begin()),
                                 std::make_move_iterator(records_.end()));
  records_.clear();
  return out;
}

}  // namespace engram::bench
