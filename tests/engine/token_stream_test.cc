// SPDX-License-Identifier: Apache-2.0
#include "engine/token_stream.h"

#include <atomic>
#include <memory>
#include <thread>

#include "gtest/gtest.h"

namespace engram {
namespace {

TokenEvent Token(std::int32_t token) {
  TokenEvent event;
  event.token.emplace().token = token;
  return event;
}

TokenEvent End(int choice = 0) {
  TokenEvent event;
  event.choice = choice;
  event.finish = FinishReason::kLength;
  return event;
}

TEST(TokenStream, GivesEventsInOrderAndKeepsThemForASlowReader) {
  TokenStream stream(1);
  EXPECT_FALSE(stream.TryNext().has_value());
  for (int i = 0; i < 100; ++i) stream.Push(Token(i));
  stream.Push(End());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(stream.TryNext()->token->token, i);
  EXPECT_TRUE(stream.TryNext()->finish.has_value());
  EXPECT_FALSE(stream.TryNext().has_value());
}

TEST(TokenStream, CallsOnReadyOnceForEachTimeTheReaderWaits) {
  TokenStream stream(1);
  int calls = 0;
  stream.SetOnReady([&calls] { ++calls; });
  EXPECT_EQ(calls, 0);
  stream.Push(Token(1));
  stream.Push(Token(2));
  EXPECT_EQ(calls, 1);
  stream.TryNext();
  stream.Push(Token(3));  // the reader has not run dry
  EXPECT_EQ(calls, 1);
  while (stream.TryNext().has_value()) {
  }
  stream.Push(Token(4));
  EXPECT_EQ(calls, 2);
}

TEST(TokenStream, CallsOnReadyAtOnceIfThereAreEventsAlready) {
  TokenStream stream(1);
  stream.Push(Token(1));
  int calls = 0;
  stream.SetOnReady([&calls] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(TokenStream, OnReadyMayReadAndMayAbandon) {
  TokenStream stream(1);
  int read = 0;
  stream.SetOnReady([&] {
    while (stream.TryNext().has_value()) ++read;
    if (read == 2) stream.Abandon();
  });
  for (int i = 0; i < 5; ++i) stream.Push(Token(i));
  EXPECT_EQ(read, 2);
}

TEST(TokenStream, AbandonTellsWhetherAllChoicesHadEnded) {
  TokenStream ended(2);
  ended.Push(End(0));
  ended.Push(End(1));
  EXPECT_TRUE(ended.Abandon());
  TokenStream running(2);
  running.Push(End(0));
  EXPECT_FALSE(running.Abandon());
  running.Push(Token(1));  // the engine does not know yet
  EXPECT_FALSE(running.TryNext().has_value());
}

TEST(TokenStream, AbandonFreesWhatOnReadyOwns) {
  TokenStream stream(1);
  const auto owned = std::make_shared<int>(1);
  stream.SetOnReady([owned] {});
  EXPECT_EQ(owned.use_count(), 2);
  stream.Abandon();
  EXPECT_EQ(owned.use_count(), 1);

  TokenStream from_inside(1);
  from_inside.SetOnReady([owned, &from_inside] { from_inside.Abandon(); });
  from_inside.Push(Token(1));
  EXPECT_EQ(owned.use_count(), 1);
}

// After Abandon has returned, what on_ready refers to may be destroyed.
TEST(TokenStream, OnReadyNeverRunsAfterAbandon) {
  for (int round = 0; round < 200; ++round) {
    TokenStream stream(1);
    auto alive = std::make_unique<std::atomic<bool>>(true);
    stream.SetOnReady([reader = alive.get(), &stream] {
      EXPECT_TRUE(reader->load());
      stream.TryNext();
      stream.TryNext();
    });
    std::thread engine([&stream] {
      for (int i = 0; i < 50; ++i) stream.Push(Token(i));
    });
    stream.Abandon();
    alive->store(false);
    alive.reset();
    engine.join();
  }
}

// The reader sleeps until on_ready, and reads until there is nothing: no event may be left behind.
TEST(TokenStream, NoWakeUpIsLost) {
  constexpr int kEvents = 2000;
  TokenStream stream(1);
  std::atomic<int> wakes{0};
  std::thread engine([&stream] {
    for (int i = 0; i < kEvents; ++i) stream.Push(Token(i));
  });
  stream.SetOnReady([&wakes] {
    ++wakes;
    wakes.notify_one();
  });
  int read = 0;
  for (int seen = 0; read < kEvents;) {
    wakes.wait(seen);
    seen = wakes.load();
    while (stream.TryNext().has_value()) ++read;
  }
  engine.join();
  EXPECT_EQ(read, kEvents);
}

}  // namespace
}  // namespace engram
