// SPDX-License-Identifier: Apache-2.0
// Ids as types of their own, so that a block id cannot be passed where a slot is wanted.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <ostream>

namespace engram {

// A number that names a thing. `Tag` only tells the types apart. There is no invalid value: what
// may be absent is a std::optional<Id>.
template <typename Tag, typename Int>
class Id {
 public:
  using Value = Int;

  constexpr Id() = default;
  constexpr explicit Id(Int value) : value_(value) {}
  constexpr Int value() const { return value_; }

  friend constexpr auto operator<=>(Id, Id) = default;
  friend std::ostream& operator<<(std::ostream& out, Id id) { return out << id.value_; }
  template <typename H>
  friend H AbslHashValue(H h, Id id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  Int value_ = 0;
};

}  // namespace engram

template <typename Tag, typename Int>
struct std::hash<engram::Id<Tag, Int>> {
  std::size_t operator()(engram::Id<Tag, Int> id) const { return std::hash<Int>()(id.value()); }
};
