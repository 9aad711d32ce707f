// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <utility>

#include "base/strings.h"
#include "tests/testing/safetensors_writer.h"

namespace engram {
namespace {

using testing::HasSubstr;
using testing_support::WriteFile;

std::string Text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFileTest, ShowsTheWholeFile) {
  const std::string path = testing::TempDir() + "/whole";
  const std::string contents(10'000, 'x');
  WriteFile(path, contents);
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(Text(*file), contents);
}

TEST(MappedFileTest, BytesStayWhereTheyAreWhenMoved) {
  const std::string path = testing::TempDir() + "/moved";
  WriteFile(path, "abc");
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const std::byte* data = file->bytes().data();
  MappedFile moved = *std::move(file);
  EXPECT_EQ(moved.bytes().data(), data);
  EXPECT_EQ(Text(moved), "abc");
}

TEST(MappedFileTest, AdviceChangesNothing) {
  const std::string path = testing::TempDir() + "/advice";
  WriteFile(path, std::string(20'000, 'y'));
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  for (const AccessPattern pattern : {AccessPattern::kRandom, AccessPattern::kSequential,
                                      AccessPattern::kWillNeed, AccessPattern::kNormal}) {
    AdviseAccess(file->bytes().subspan(5000, 7000), pattern);
    AdviseAccess({}, pattern);
  }
  EXPECT_EQ(Text(*file), std::string(20'000, 'y'));
}

TEST(MappedFileTest, ErrorsNameThePath) {
  const std::string folder = testing::TempDir();
  const auto missing = MappedFile::Open(folder + "/no-such-file");
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_THAT(Message(missing.status()), HasSubstr("/no-such-file: cannot open"));

  WriteFile(folder + "/empty", "");
  EXPECT_THAT(Message(MappedFile::Open(folder + "/empty").status()),
              HasSubstr("/empty: the file is empty"));

  EXPECT_THAT(Message(MappedFile::Open(folder).status()), HasSubstr("not a regular file"));

  // Nobody writes to it: opening must not wait.
  const std::string pipe = folder + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(Message(MappedFile::Open(pipe).status()), HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace engram
