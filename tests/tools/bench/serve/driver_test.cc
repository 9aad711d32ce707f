// SPDX-License-Identifier: Apache-2.0
// The driver alone, against a backend without a network: when requests leave, what a conversation's
// later turns hold, and what is told along the way.
#include "tools/bench/serve/driver.h"

#include <chrono>
#include <thread>

#include "gtest/gtest.h"
#include "tools/bench/serve/arrivals.h"

namespace engram::bench {
namespace {

namespace asio = boost::asio;

// What becomes of request number `index`: how long it takes and how it ends.
struct Fate {
  double seconds = 0.001;
  std::string error_kind = "";
  std::optional<double> retry_after_s = std::nullopt;
};

class FakeBackend final : public Backend {
 public:
  FakeBackend(asio::io_context& io, const RunClock& clock) : io_(io), clock_(clock) {}

  void Start(const RequestSpec& request, RequestRecord* record,
             std::function<void()> done) override {
    record->sent_s = clock_.Now();
    const Fate fate = fate_of(requests_.size());
    requests_.push_back(request);
    auto timer = std::make_shared<asio::steady_timer>(io_, Duration(fate.seconds));
    timer->async_wait([this, timer, fate, record, done = std::move(done)](auto) {
      record->end_s = clock_.Now();
      record->messages = {{.at_s = record->end_s, .tokens = 2}};
      record->output_tokens = 2;
      record->text = "answer " + std::to_string(++ended_);
      record->error_kind = fate.error_kind;
      record->retry_after_s = fate.retry_after_s;
      done();
    });
  }

  std::function<Fate(std::size_t)> fate_of = [](std::size_t) { return Fate(); };
  const std::vector<RequestSpec>& requests() const { return requests_; }

 private:
  static std::chrono::microseconds Duration(double seconds) {
    return std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6));
  }

  asio::io_context& io_;
  const RunClock& clock_;
  std::vector<RequestSpec> requests_;
  int ended_ = 0;
};

// Conversations of `turns` questions "q0", "q1", …
std::unique_ptr<Dataset> Questions(int turns) {
  Conversation conversation;
  for (int i = 0; i < turns; ++i) {
    RequestSpec request;
    request.messages = {{.role = "user", .content = "q" + std::to_string(i)}};
    conversation.turns.push_back(request);
  }
  return MakeListDataset({conversation}, /*shuffle=*/false, 0);
}

class DriverTest : public testing::Test {
 protected:
  std::vector<RequestRecord> Drive(const LoadOptions& load, int turns = 1) {
    const auto dataset = Questions(turns);
    Driver driver(io_, clock_, backend_, *dataset,
                  {.load = load, .request_id_prefix = "t-", .first_index = 0,
                   .report_every_s = 0.02,
                   .report = [this](const LoadProgress& p) { told_.push_back(p); }});
    driver.Run();
    return driver.TakeRecords();
  }

  asio::io_context io_{1};
  RunClock clock_;
  FakeBackend backend_{io_, clock_};
  std::vector<LoadProgress> told_;
};

LoadOptions Closed(int requests, int concurrency) {
  LoadOptions load;
  load.num_prompts = requests;
  load.max_concurrency = concurrency;
  return load;
}

TEST_F(DriverTest, ALaterTurnHoldsTheAnswersBeforeIt) {
  const auto records = Drive(Closed(1, 1), 3);
  ASSERT_EQ(records.size(), 3u);
  const std::vector<ChatTurn>& last = backend_.requests()[2].messages;
  ASSERT_EQ(last.size(), 5u);
  const std::vector<std::pair<std::string, std::string>> expected = {{"user", "q0"},
                                                                     {"assistant", "answer 1"},
                                                                     {"user", "q1"},
                                                                     {"assistant", "answer 2"},
                                                                     {"user", "q2"}};
  for (std::size_t i = 0; i < last.size(); ++i) {
    EXPECT_EQ(last[i].role, expected[i].first) << i;
    EXPECT_EQ(last[i].content, expected[i].second) << i;
  }
  for (std::size_t turn = 1; turn < 3; ++turn) {
    EXPECT_GE(records[turn].sent_s, records[turn - 1].end_s);
    EXPECT_EQ(records[turn].scheduled_s, records[turn].ready_s);
  }
}

// What the assistant said is not known: nobody can ask on.
TEST_F(DriverTest, AFailedTurnEndsItsConversation) {
  backend_.fate_of = [](std::size_t index) {
    return Fate{.error_kind = index == 1 ? "lost_stream" : ""};
  };
  const auto records = Drive(Closed(2, 1), 3);
  ASSERT_EQ(records.size(), 5u);  // two turns of the first conversation, three of the second
  EXPECT_EQ(backend_.requests()[2].messages.size(), 1u);
}

TEST_F(DriverTest, AFailedSlotRestsAsLongAsTheServerAsks) {
  backend_.fate_of = [](std::size_t) {
    return Fate{.error_kind = "http_429", .retry_after_s = 0.25};
  };
  const auto records = Drive(Closed(3, 1));
  ASSERT_EQ(records.size(), 3u);
  for (std::size_t i = 1; i < 3; ++i) {
    EXPECT_GE(records[i].sent_s - records[i - 1].end_s, 0.249);
    EXPECT_EQ(records[i].scheduled_s, records[i].ready_s);  // the rest is not lateness
  }
}

TEST_F(DriverTest, AFailedSlotRestsATenthOfASecondUnlessTheServerAsksForMore) {
  backend_.fate_of = [](std::size_t) { return Fate{.error_kind = "lost_stream"}; };
  auto records = Drive(Closed(2, 1));
  EXPECT_GE(records.at(1).sent_s - records.at(0).end_s, 0.099);
  backend_.fate_of = [](std::size_t) {
    return Fate{.error_kind = "http_429", .retry_after_s = 0};
  };
  records = Drive(Closed(2, 1));
  EXPECT_GE(records.at(1).sent_s - records.at(0).end_s, 0.099);
}

TEST_F(DriverTest, OtherSlotsGoOnMeanwhile) {
  backend_.fate_of = [](std::size_t index) {
    return index == 0 ? Fate{.error_kind = "http_429", .retry_after_s = 0.5} : Fate();
  };
  const auto records = Drive(Closed(40, 2));
  ASSERT_EQ(records.size(), 40u);
  EXPECT_LT(records.back().sent_s, 0.5);  // 39 of a millisecond each
}

// A refusal with a long Retry-After must not hold up the end.
TEST_F(DriverTest, ARestEndsWithTheRun) {
  backend_.fate_of = [](std::size_t) {
    return Fate{.error_kind = "http_429", .retry_after_s = 3600};
  };
  LoadOptions load = Closed(0, 2);
  load.duration_s = 0.2;
  EXPECT_EQ(Drive(load).size(), 2u);
  EXPECT_LT(clock_.Now(), 4);
}

// An open loop sends what is due, whatever the server says: that is the load that was asked for.
TEST_F(DriverTest, AnOpenLoopNeitherRestsNorSendsTwice) {
  backend_.fate_of = [](std::size_t) {
    return Fate{.error_kind = "http_429", .retry_after_s = 5};
  };
  LoadOptions load;
  load.num_prompts = 50;
  load.request_rate = 200;
  const auto records = Drive(load);
  const std::vector<double> due = ArrivalTimes(load);
  ASSERT_EQ(records.size(), 50u);
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].scheduled_s, due[i]);
    EXPECT_GE(records[i].sent_s, due[i]);
  }
}

TEST_F(DriverTest, ARampIsSentAsItWasDrawn) {
  LoadOptions load;
  load.num_prompts = 60;
  load.ramp_up_strategy = "linear";
  load.ramp_up_start_rps = 50;
  load.ramp_up_end_rps = 400;
  const auto records = Drive(load);
  const std::vector<double> due = ArrivalTimes(load);
  ASSERT_EQ(records.size(), 60u);
  for (std::size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i].scheduled_s, due[i]);
}

// Waiting for a slot is the server's doing; waiting for this program is not.
TEST_F(DriverTest, LatenessDoesNotCountTheWaitForASlot) {
  backend_.fate_of = [](std::size_t) { return Fate{.seconds = 0.03}; };
  LoadOptions load = Closed(6, 1);
  load.request_rate = 1000;
  const auto records = Drive(load);
  ASSERT_EQ(records.size(), 6u);
  for (std::size_t i = 1; i < records.size(); ++i) {
    EXPECT_GT(records[i].sent_s - records[i].scheduled_s, 0.02);
    EXPECT_EQ(records[i].ready_s, records[i - 1].end_s);
  }
}

TEST_F(DriverTest, TellsHowItGoes) {
  backend_.fate_of = [](std::size_t index) {
    return Fate{.seconds = 0.01, .error_kind = index == 3 ? "lost_stream" : ""};
  };
  Drive(Closed(20, 2));
  ASSERT_GE(told_.size(), 2u);
  for (std::size_t i = 1; i < told_.size(); ++i) {
    EXPECT_GE(told_[i].elapsed_s, told_[i - 1].elapsed_s);
    EXPECT_GE(told_[i].sent, told_[i - 1].sent);
    EXPECT_LE(told_[i].sent - told_[i].completed - told_[i].failed, 2);
  }
  const LoadProgress& last = told_.back();
  EXPECT_EQ(last.planned, 20);
  EXPECT_EQ(last.sent, 20);
  EXPECT_EQ(last.completed, 19);
  EXPECT_EQ(last.failed, 1);
  EXPECT_EQ(last.output_tokens, 38);
}

// A timer that was due as a run ended fired in the next run, into a driver that was gone: the
// warm-up's, under the measured run.
TEST_F(DriverTest, NothingOfARunIsLeftInTheLoop) {
  backend_.fate_of = [](std::size_t) { return Fate{.seconds = 0.005}; };
  asio::post(io_, [] { std::this_thread::sleep_for(std::chrono::milliseconds(60)); });
  EXPECT_EQ(Drive(Closed(1, 1)).size(), 1u);
  io_.restart();
  EXPECT_EQ(io_.poll(), 0u);
}

}  // namespace
}  // namespace engram::bench
