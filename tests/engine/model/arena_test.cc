// SPDX-License-Identifier: Apache-2.0
#include "engine/model/arena.h"

#include <cstdint>
#include <memory>

#include "gtest/gtest.h"
#include "kernels/backend_factory.h"

namespace engram {
namespace {

struct Parts {
  Tensor a, b, c, d;
};

// b and c never live together.
Parts TakeParts(Arena* arena) {
  Parts parts;
  parts.a = arena->TakeF32(3, 5);
  const std::size_t scratch = arena->mark();
  parts.b = arena->TakeF32(100, 2);
  arena->Rewind(scratch);
  parts.c = arena->Take(DType::kBF16, 7, 3);
  parts.d = arena->Take(DType::kI32, 1, 1);
  return parts;
}

std::uintptr_t Address(const Tensor& tensor) {
  return reinterpret_cast<std::uintptr_t>(tensor.data);
}

TEST(ArenaTest, MeasuresWhatItLaterHandsOut) {
  Arena measure;
  EXPECT_TRUE(TakeParts(&measure).a.empty());
  EXPECT_EQ(measure.peak_bytes(), 64u + 832u);  // a and b, in whole cache lines

  const std::unique_ptr<Backend> backend = MakeBackend("ref", {});
  const Buffer buffer = backend->Allocate(measure.peak_bytes());
  Arena arena(&buffer);
  const Parts parts = TakeParts(&arena);
  EXPECT_EQ(parts.b.data, parts.c.data);
  EXPECT_EQ(Address(parts.c), Address(parts.a) + 64);
  EXPECT_EQ(Address(parts.d), Address(parts.c) + 64);
  EXPECT_EQ(Address(parts.d) % 64, 0u);
  EXPECT_EQ(parts.c.dtype, DType::kBF16);
  EXPECT_EQ(parts.c.rows, 7);
  EXPECT_EQ(parts.c.stride, 3);
}

TEST(ArenaDeathTest, TooSmallABufferEndsTheProcess) {
  const std::unique_ptr<Backend> backend = MakeBackend("ref", {});
  const Buffer buffer = backend->Allocate(64);
  Arena arena(&buffer);
  arena.TakeF32(4, 4);
  EXPECT_DEATH(arena.TakeF32(1, 1), "bytes_");
}

}  // namespace
}  // namespace engram
