// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/file_identity.h"

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/descriptor.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

using testing::HasSubstr;

FileIdentity Identity(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY));
  const auto identity = IdentityOf(file.get(), path);
  EXPECT_TRUE(identity.ok()) << identity.status();
  return *identity;
}

TEST(FileIdentityTest, WhatHappensToAFileIsNamed) {
  const std::string path = testing::TempDir() + "/identity";
  std::ofstream(path) << "0123456789";
  const FileIdentity before = Identity(path);
  EXPECT_EQ(before.bytes, 10);
  EXPECT_TRUE(CheckSameFile(path, before, Identity(path)).ok());

  std::ofstream(path, std::ios::app) << "more";
  const absl::Status grown = CheckSameFile(path, before, Identity(path));
  EXPECT_EQ(grown.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(grown), HasSubstr(path + ": the file has grown from 10 to 14 bytes"));
  EXPECT_THAT(Message(grown), HasSubstr("start the server again"));

  std::filesystem::resize_file(path, 4);
  EXPECT_THAT(Message(CheckSameFile(path, before, Identity(path))),
              HasSubstr("was cut from 10 to 4 bytes"));

  FileIdentity written = before;
  ++written.modified_ns;
  EXPECT_THAT(Message(CheckSameFile(path, before, written)), HasSubstr("was written to"));

  std::filesystem::rename(path, path + ".old");  // keeps its inode: the new one is another
  std::ofstream(path) << "0123456789";
  EXPECT_THAT(Message(CheckSameFile(path, before, Identity(path))),
              HasSubstr("was replaced by another file"));
}

TEST(FileIdentityTest, NoFileIsAnErrorThatNamesIt) {
  EXPECT_THAT(Message(IdentityOf(-1, "some/path").status()), HasSubstr("some/path: cannot stat"));
}

}  // namespace
}  // namespace engram
