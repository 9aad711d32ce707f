// SPDX-License-Identifier: Apache-2.0
// Memory that direct reads of any drive can go to.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace engram {

class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 4096;

  explicit AlignedBuffer(std::size_t bytes)
      : memory_(static_cast<std::byte*>(::operator new[](bytes, std::align_val_t(kAlignment)))),
        bytes_(bytes) {}

  std::span<std::byte> bytes() const { return {memory_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const {
      ::operator delete[](memory, std::align_val_t(kAlignment));
    }
  };
  std::unique_ptr<std::byte[], Free> memory_;
  std::size_t bytes_;
};

}  // namespace engram
