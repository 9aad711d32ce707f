// SPDX-License-Identifier: Apache-2.0
// Reads a large part of a file into memory as fast as the drive gives it: several threads, large
// aligned reads, straight to where the bytes stay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "engine/engram/storage/file_reader.h"

namespace engram {

struct LoadPart {
  const FileReader* file = nullptr;
  std::string path;             // for messages and the log
  std::uint64_t offset = 0;     // of memory[0] in the file
  std::uint64_t needed = 0;     // bytes that must come; the file may end after them
  std::span<std::byte> memory;  // ≥ needed
};

// REQUIRES: offset, address and size of `memory` are multiples of what direct reads of the file ask
// for; threads > 0. The first error ends the load: it names path and offset. Logs how far it is,
// every few seconds, and at the end how fast it was.
absl::Status LoadFromFile(const LoadPart& part, int threads);

}  // namespace engram
