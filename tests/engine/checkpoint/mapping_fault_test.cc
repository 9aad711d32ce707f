// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/mapping_fault.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "engine/checkpoint/mapped_file.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

constexpr std::size_t kBytes = 64 << 10;

std::string MakeFile(const std::string& name) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path) << std::string(kBytes, 'x');
  return path;
}

void Touch(const MappedFile& file, std::size_t at) {
  const volatile std::byte byte = file.bytes()[at];
  (void)byte;
}

TEST(MappingFaultDeathTest, ACutFileIsNamedAndTheProcessEnds) {
  const std::string path = MakeFile("cut");
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const MappedFile moved = *std::move(file);
  std::filesystem::resize_file(path, 4096);
  Touch(moved, 100);  // what is left can be read
  EXPECT_EXIT(
      {
        InstallMappingFaultHandler();
        Touch(moved, 40'000);
      },
      testing::KilledBySignal(SIGBUS), path + ": reading byte 40000 of the mapped file failed");
}

TEST(MappingFaultDeathTest, AMappingThatIsGoneIsNotNamed) {
  const std::string path = MakeFile("gone");
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const std::span<const std::byte> bytes = file->bytes();
  { const KnownMapping another(bytes, "another name"); }
  std::filesystem::resize_file(path, 4096);
  EXPECT_EXIT(
      {
        InstallMappingFaultHandler();
        Touch(*file, 40'000);
      },
      testing::KilledBySignal(SIGBUS), "^[^ ]*gone: reading byte 40000");
}

TEST(MappingFaultDeathTest, OtherFaultsEndTheProcessAsEver) {
  EXPECT_EXIT(
      {
        InstallMappingFaultHandler();
        raise(SIGBUS);
        raise(SIGBUS);
      },
      testing::KilledBySignal(SIGBUS), "^$");
}

// More than are known: the later ones are not, and nothing else happens.
TEST(KnownMappingTest, ThousandsComeAndGo) {
  const std::vector<std::byte> memory(100);
  for (int round = 0; round < 3; ++round) {
    std::vector<KnownMapping> known;
    for (int i = 0; i < 3000; ++i) known.emplace_back(memory, std::string(1000, 'p'));
    known[0] = std::move(known[1]);
  }
}

}  // namespace
}  // namespace engram
