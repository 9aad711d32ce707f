// SPDX-License-Identifier: Apache-2.0
// A real keeper on a real socket, and clients that come and go.
#include "engine/engram/keeper/table_keeper.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "engine/engram/keeper/keeper_client.h"
#include "engine/engram/keeper/sealed_memory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/keeper/running_keeper.h"

namespace engram {
namespace {

using testing::HasSubstr;
using testing_support::RunningKeeper;
using testing_support::SocketPath;

constexpr std::size_t kBytes = 100'000;

Descriptor Segment(char content, std::size_t bytes = kBytes) {
  auto memory = UnsealedMemory::Create("test", bytes, /*pooled=*/false);
  EXPECT_TRUE(memory.ok());
  std::memset(memory->bytes().data(), content, bytes);
  auto sealed = UnsealedMemory::Seal(*std::move(memory));
  EXPECT_TRUE(sealed.ok());
  return *std::move(sealed);
}

TEST(SealedMemory, NobodyCanChangeItAnyMore) {
  const Descriptor segment = Segment('a');
  EXPECT_EQ(pwrite(segment.get(), "x", 1, 0), -1);
  EXPECT_EQ(ftruncate(segment.get(), 1), -1);
  EXPECT_EQ(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, segment.get(), 0),
            MAP_FAILED);
  const auto mapping = SealedMapping::Map(segment, kBytes);
  ASSERT_TRUE(mapping.ok());
  for (const std::byte byte : mapping->bytes()) ASSERT_EQ(byte, std::byte{'a'});
}

TEST(SealedMemory, WhatCouldStillChangeIsNotMapped) {
  const Descriptor open(memfd_create("open", MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(open.get(), kBytes), 0);
  EXPECT_THAT(std::string(SealedMapping::Map(open, kBytes).status().message()),
              HasSubstr("could still be changed"));
  const Descriptor file(::open("/proc/self/exe", O_RDONLY));
  EXPECT_THAT(std::string(SealedMapping::Map(file, kBytes).status().message()),
              HasSubstr("not a memfd"));
  EXPECT_THAT(std::string(SealedMapping::Map(Segment('a'), 2 * kBytes + 5000).status().message()),
              HasSubstr("expected at least 205000"));
}

TEST(TableKeeper, ASegmentOutlivesWhoMadeIt) {
  const RunningKeeper keeper;
  const KeeperClient client(SocketPath());
  ASSERT_TRUE(client.Keep("table one\nrows 5", kBytes, Segment('b')).ok());
  // Two servers at once.
  for (int i = 0; i < 2; ++i) {
    auto segment = KeeperClient(SocketPath()).Get("table one\nrows 5");
    ASSERT_TRUE(segment.ok());
    ASSERT_TRUE(segment->has_value());
    const auto mapping = SealedMapping::Map(**segment, kBytes);
    ASSERT_TRUE(mapping.ok());
    EXPECT_EQ(mapping->bytes()[kBytes - 1], std::byte{'b'});
  }
}

TEST(TableKeeper, OnlyTheVeryIdentityMatches) {
  const RunningKeeper keeper;
  const KeeperClient client(SocketPath());
  ASSERT_TRUE(client.Keep("table one\nrows 5", kBytes, Segment('b')).ok());
  for (const char* other : {"table one\nrows 6", "table one", "table one\nrows 5\n", "all", " "}) {
    const auto segment = client.Get(other);
    ASSERT_TRUE(segment.ok());
    EXPECT_FALSE(segment->has_value()) << other;
  }
}

TEST(TableKeeper, RefusesWhatIsNotSealedTooLargeOrTooShort) {
  const RunningKeeper keeper(/*bytes_max=*/250'000);
  const KeeperClient client(SocketPath());
  const Descriptor open(memfd_create("open", MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(open.get(), kBytes), 0);
  EXPECT_THAT(std::string(client.Keep("open", kBytes, open).message()),
              HasSubstr("could still be changed"));
  EXPECT_THAT(std::string(client.Keep("short", 3 * kBytes, Segment('c')).message()),
              HasSubstr("not 300000"));
  EXPECT_TRUE(client.Keep("first", kBytes, Segment('c')).ok());
  EXPECT_TRUE(client.Keep("second", kBytes, Segment('d')).ok());
  EXPECT_TRUE(client.Keep("second", kBytes, Segment('d')).ok()) << "the same again is no more";
  EXPECT_THAT(std::string(client.Keep("third", kBytes, Segment('e')).message()),
              HasSubstr("drop what nobody needs"));
  EXPECT_EQ(*client.Drop("first"), 1);
  EXPECT_TRUE(client.Keep("third", kBytes, Segment('e')).ok());
}

TEST(TableKeeper, ListsAndDrops) {
  const RunningKeeper keeper;
  const KeeperClient client(SocketPath());
  EXPECT_EQ(*client.List(), "");
  ASSERT_TRUE(client.Keep("table one\nrows 5", kBytes, Segment('b')).ok());
  ASSERT_TRUE(client.Keep("table two\nrows 7", kBytes, Segment('c')).ok());
  EXPECT_EQ(*client.List(), "102400 table one\n102400 table two");
  EXPECT_EQ(*client.Drop("table two"), 1);
  EXPECT_EQ(*client.Drop("table two"), 0);
  EXPECT_EQ(*client.Drop("all"), 1);
  EXPECT_EQ(*client.List(), "");
}

TEST(TableKeeper, OneAtASocketAndForItsUserAlone) {
  const std::string path = SocketPath();
  {
    const RunningKeeper keeper;
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0077, 0u);
    EXPECT_THAT(std::string(TableKeeper::Start({.socket_path = path}).status().message()),
                HasSubstr("already"));
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0) << "it takes its socket with it";
  EXPECT_EQ(KeeperClient(path).Get("x").status().code(), absl::StatusCode::kUnavailable);
}

TEST(TableKeeper, ADeadKeepersSocketIsReplacedAndAnotherFileIsNot) {
  const std::string path = SocketPath();
  { const auto left_over = ListenAsKeeper(path); }
  ASSERT_EQ(access(path.c_str(), F_OK), 0);
  { const RunningKeeper keeper; }
  std::ofstream(path) << "precious";
  EXPECT_THAT(std::string(TableKeeper::Start({.socket_path = path}).status().message()),
              HasSubstr("not a socket"));
  EXPECT_EQ(unlink(path.c_str()), 0);
}

TEST(TableKeeper, SurvivesClientsThatTalkNonsenseOrLeave) {
  const RunningKeeper keeper;
  for (const char* nonsense : {"", "get", "keep", "keep x y", "keep 5 y", "hello there"}) {
    const auto socket = ConnectToKeeper(SocketPath());
    ASSERT_TRUE(socket.ok());
    if (*nonsense == 0) continue;  // leaves without a word
    ASSERT_TRUE(SendPacket(*socket, nonsense, nullptr).ok());
    EXPECT_TRUE(ReceivePacket(*socket).ok()) << nonsense;
  }
  EXPECT_TRUE(KeeperClient(SocketPath()).List().ok());
}

}  // namespace
}  // namespace engram
