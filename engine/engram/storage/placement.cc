// SPDX-License-Identifier: Apache-2.0
#include "engine/engram/storage/placement.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace engram {
namespace {

// Of the memory that is available, what tables may take unless a budget says otherwise: the rest is
// for the cache of keys and values, activations and the system.
constexpr std::int64_t kShareNumerator = 3;
constexpr std::int64_t kShareDenominator = 4;
// A cache may take so much of the budget by itself (cache_bytes is a wish, not a need).
constexpr std::int64_t kCacheShare = 2;

std::string Size(std::int64_t bytes) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.2f GiB", static_cast<double>(bytes) / (1 << 30));
  return text.data();
}

// What tables and their cache may take, and where the number comes from.
struct Budget {
  std::int64_t bytes = 0;
  std::string origin;
};

Budget BudgetOf(const EngramStorageOptions& options, const PlacementFacts& facts) {
  if (options.ram_budget_bytes > 0) {
    return {.bytes = options.ram_budget_bytes,
            .origin = absl::StrCat("ram_budget, ", Size(options.ram_budget_bytes))};
  }
  const std::int64_t share = facts.available_bytes / kShareDenominator * kShareNumerator;
  return {.bytes = share,
          .origin = absl::StrCat(Size(share), ", three quarters of the ",
                                 Size(facts.available_bytes), " that are available")};
}

// What tables in RAM would take of the available memory.
std::int64_t RamBytes(const PlacementFacts& facts) {
  return facts.tables_bytes - facts.kept_bytes - facts.pooled_bytes;
}

PlacementChoice Ram(const PlacementFacts& facts, std::string reason) {
  return {.placement = EngramPlacement::kRam,
          .reason = std::move(reason),
          .tables_bytes = RamBytes(facts),
          .cache_bytes = 0};
}

PlacementChoice Mapped(std::string reason) {
  return {.placement = EngramPlacement::kMapped,
          .reason = std::move(reason),
          .tables_bytes = 0,
          .cache_bytes = 0};
}

// REQUIRES: the scales fit into the budget.
PlacementChoice Nvme(const EngramStorageOptions& options, const PlacementFacts& facts,
                     const Budget& budget, std::string reason) {
  if (facts.scales_bytes > 0) {
    absl::StrAppend(&reason, "; their scales, ", Size(facts.scales_bytes), ", are in memory");
  }
  const std::int64_t left = budget.bytes - facts.scales_bytes;
  return {.placement = EngramPlacement::kNvme,
          .reason = std::move(reason),
          .tables_bytes = facts.scales_bytes,
          .cache_bytes = std::min(options.cache_bytes, left / kCacheShare)};
}

PlacementChoice ChooseWhatFits(const EngramStorageOptions& options, const PlacementFacts& facts,
                               const Budget& budget) {
  const std::string tables = Size(RamBytes(facts));
  if (!facts.in_files) return Mapped("auto: dummy weights are in memory already");
  if (facts.files_in_memory) return Mapped("auto: the checkpoint lies in memory (tmpfs)");
  if (facts.kept_bytes > 0 && RamBytes(facts) == 0) {
    return Ram(facts, "auto: the table keeper has them in memory");
  }
  if (facts.pooled_bytes > 0 && RamBytes(facts) == 0) {
    return Ram(facts, "auto: the reserved huge pages hold them");
  }
  if (RamBytes(facts) <= budget.bytes) {
    return Ram(facts, absl::StrCat("auto: ", tables, " fit into ", budget.origin));
  }
  const std::string too_large = absl::StrCat("auto: ", tables, " are more than ", budget.origin);
  if (!facts.direct_io) {
    return Mapped(absl::StrCat(too_large, ", and the file system has no O_DIRECT"));
  }
  if (facts.scales_bytes > budget.bytes) {
    return Mapped(absl::StrCat(too_large, ", and so are their scales, ", Size(facts.scales_bytes)));
  }
  return Nvme(options, facts, budget, too_large);
}

}  // namespace

std::string PlacementName(EngramPlacement placement) {
  switch (placement) {
    case EngramPlacement::kAuto:
      return "auto";
    case EngramPlacement::kRam:
      return "ram";
    case EngramPlacement::kMapped:
      return "mmap";
    case EngramPlacement::kNvme:
      return "nvme";
  }
  CHECK(false);
  return "";
}

absl::StatusOr<PlacementChoice> ChoosePlacement(const EngramStorageOptions& options,
                                                const PlacementFacts& facts) {
  const Budget budget = BudgetOf(options, facts);
  switch (options.placement) {
    case EngramPlacement::kAuto:
      return ChooseWhatFits(options, facts, budget);
    case EngramPlacement::kMapped:
      return Mapped("as engram-config says");
    case EngramPlacement::kRam:
      if (RamBytes(facts) > budget.bytes) {
        return absl::ResourceExhaustedError(absl::StrCat(
            "engram-config: placement \"ram\" needs ", Size(RamBytes(facts)),
            " for the Engram tables, but they may take ", budget.origin,
            "; raise ram_budget, or choose the placement \"nvme\", \"mmap\" or \"auto\""));
      }
      return Ram(facts, "as engram-config says");
    case EngramPlacement::kNvme:
      break;
  }
  if (!facts.in_files || !facts.direct_io) {
    return absl::FailedPreconditionError(absl::StrCat(
        "engram-config: placement \"nvme\" reads the tables from their files past the page cache, "
        "but ",
        facts.in_files ? "their file system has no O_DIRECT" : "dummy weights are in no file",
        "; choose the placement \"mmap\", \"ram\" or \"auto\""));
  }
  if (facts.scales_bytes > budget.bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "engram-config: placement \"nvme\" keeps the scales of the Engram tables in memory, ",
        Size(facts.scales_bytes), ", but they may take ", budget.origin,
        "; raise ram_budget, or choose the placement \"mmap\""));
  }
  return Nvme(options, facts, budget, "as engram-config says");
}

}  // namespace engram
