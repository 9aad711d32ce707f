// SPDX-License-Identifier: Apache-2.0
// Last words of a process that touches a part of a mapped file which is no longer there: cut off,
// or on a drive that fails. The system sends SIGBUS, and without this the process would be gone
// without a line. What is read through mappings cannot be checked any other way.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace engram {

// From now on SIGBUS in a mapping that is known writes "PATH: reading byte N …" to standard error
// before it ends the process as it would have. Once, by main: a signal's handler is the process'.
void InstallMappingFaultHandler();

// Makes a mapping known for the handler, for as long as it lives. Movable. Thread-safe.
class KnownMapping {
 public:
  KnownMapping() = default;
  // Paths are kept up to some hundred bytes of their end; of a thousand mappings and more, the
  // later ones are not known.
  KnownMapping(std::span<const std::byte> bytes, const std::string& path);
  KnownMapping(KnownMapping&& other) noexcept;
  KnownMapping& operator=(KnownMapping&& other) noexcept;
  ~KnownMapping();

 private:
  int slot_ = -1;  // −1: not known
};

}  // namespace engram
