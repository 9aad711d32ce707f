// SPDX-License-Identifier: Apache-2.0
// The table of mappings is the one global variable of the program: a signal handler is given
// nothing but the address that faulted, and may neither lock nor allocate.
#include "engine/checkpoint/mapping_fault.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace engram {
namespace {

constexpr std::size_t kMappingsMax = 1024;
constexpr std::size_t kPathBytesMax = 256;

struct Mapping {
  std::atomic<bool> taken{false};
  // Known once `end` is not 0; path and begin are written before it.
  std::atomic<std::uintptr_t> end{0};
  std::uintptr_t begin = 0;
  std::size_t path_bytes = 0;
  std::array<char, kPathBytesMax> path{};
};

constinit std::array<Mapping, kMappingsMax> g_mappings{};

// A line on the stack, without the C library's formatting, which may allocate.
class Line {
 public:
  void Add(std::string_view text) {
    const std::size_t count = std::min(text.size(), bytes_.size() - size_);
    std::memcpy(bytes_.data() + size_, text.data(), count);
    size_ += count;
  }
  void Add(std::uint64_t number) {
    std::array<char, 20> digits;
    std::size_t at = digits.size();
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    Add({digits.data() + at, digits.size() - at});
  }
  void Write() const {
    const ssize_t written = ::write(STDERR_FILENO, bytes_.data(), size_);
    (void)written;  // there is nobody left to tell
  }

 private:
  std::array<char, kPathBytesMax + 256> bytes_;
  std::size_t size_ = 0;
};

void OnFault(int, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (const Mapping& mapping : g_mappings) {
    if (address >= mapping.end.load(std::memory_order_acquire) || address < mapping.begin) continue;
    Line line;
    line.Add({mapping.path.data(), mapping.path_bytes});
    line.Add(": reading byte ");
    line.Add(address - mapping.begin);
    line.Add(
        " of the mapped file failed (SIGBUS): the file was cut while it was served, or its drive "
        "fails; the process ends\n");
    line.Write();
    break;
  }
  // Back at the instruction that faulted, the signal comes again, and now it ends the process.
  ::signal(SIGBUS, SIG_DFL);
}

}  // namespace

void InstallMappingFaultHandler() {
  struct sigaction action {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

KnownMapping::KnownMapping(std::span<const std::byte> bytes, const std::string& path) {
  for (std::size_t i = 0; i < g_mappings.size(); ++i) {
    Mapping& mapping = g_mappings[i];
    if (mapping.taken.exchange(true, std::memory_order_acquire)) continue;
    const std::size_t kept = std::min(path.size(), kPathBytesMax);
    std::memcpy(mapping.path.data(), path.data() + path.size() - kept, kept);
    mapping.path_bytes = kept;
    mapping.begin = reinterpret_cast<std::uintptr_t>(bytes.data());
    mapping.end.store(mapping.begin + bytes.size(), std::memory_order_release);
    slot_ = static_cast<int>(i);
    return;
  }
}

KnownMapping::KnownMapping(KnownMapping&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}

KnownMapping& KnownMapping::operator=(KnownMapping&& other) noexcept {
  std::swap(slot_, other.slot_);
  return *this;
}

KnownMapping::~KnownMapping() {
  if (slot_ < 0) return;
  Mapping& mapping = g_mappings[static_cast<std::size_t>(slot_)];
  mapping.end.store(0, std::memory_order_release);
  mapping.taken.store(false, std::memory_order_release);
}

}  // namespace engram
