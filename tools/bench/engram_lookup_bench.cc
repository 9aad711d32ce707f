// SPDX-License-Identifier: Apache-2.0
// What an Engram lookup costs on this machine: hashing, sorting and gathering apart, then a whole
// step through the prefetcher; beside the rows/s that plain loops reach on the same memory, the
// limit to compare with. Shapes are Engram-27B's (16 lookups a token, rows of 80 bf16). Results and
// how to run it: docs/bench/engram_lookup.md.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "benchmark/benchmark.h"
#include "engine/engram/engram_config.h"
#include "engine/engram/engram_prefetcher.h"
#include "engine/engram/engram_table.h"
#include "engine/engram/storage/mapped_table.h"
#include "engine/engram/ngram_hasher.h"
#include "engine/engram/row_request.h"
#include "engine/engram/token_map.h"
#include "engine/step_plan.h"
#include "kernels/dtype.h"

namespace engram {
namespace {

constexpr int kHeadDim = 80;
constexpr std::size_t kRowBytes = kHeadDim * 2;
constexpr std::int32_t kRawTokens = 128'815;
constexpr std::int32_t kCompressedTokens = 98'627;

// ---- Inputs ----

// One table of about `mib` MiB for the config's only layer.
EngramConfig ConfigOf(std::int64_t mib) {
  EngramConfig config;
  config.layer_ids = {1};
  const auto rows_per_lookup =
      static_cast<std::int64_t>((mib << 20) / kRowBytes / config.lookups());
  config.vocab_sizes = {rows_per_lookup, rows_per_lookup};
  return config;
}

TokenMap SomeTokenMap() {
  std::vector<std::int32_t> map(kRawTokens);
  for (std::int32_t i = 0; i < kRawTokens; ++i) map[i] = i % kCompressedTokens;
  return TokenMap(std::move(map), kCompressedTokens);
}

// An unlinked temporary file in the page cache, mapped as the checkpoint maps its shards: 4 KiB
// pages.
class FileTable {
 public:
  explicit FileTable(std::int64_t rows) : bytes_(static_cast<std::size_t>(rows) * kRowBytes) {
    std::FILE* file = std::tmpfile();
    CHECK(file != nullptr);
    CHECK_EQ(ftruncate(fileno(file), static_cast<off_t>(bytes_)), 0);
    void* writable = mmap(nullptr, bytes_, PROT_WRITE, MAP_SHARED, fileno(file), 0);
    CHECK(writable != MAP_FAILED);
    auto* words = static_cast<std::uint64_t*>(writable);
    for (std::size_t i = 0; i < bytes_ / 8; ++i) words[i] = i * 0x9e3779b97f4a7c15u;
    munmap(writable, bytes_);
    mapped_ = mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    CHECK(mapped_ != MAP_FAILED);
    std::fclose(file);
    table_ = std::make_unique<MappedTable>(
        bytes(), rows, EngramRowFormat{.dtype = DType::kBF16, .head_dim = kHeadDim});
    // All pages mapped before the first measurement.
    std::byte sum{};
    for (std::size_t i = 0; i < bytes_; i += 4096) sum ^= bytes()[i];
    benchmark::DoNotOptimize(sum);
  }
  FileTable(const FileTable&) = delete;
  ~FileTable() { munmap(mapped_, bytes_); }

  const MappedTable& table() const { return *table_; }
  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(mapped_), bytes_};
  }

 private:
  std::size_t bytes_;
  void* mapped_ = nullptr;
  std::unique_ptr<MappedTable> table_;
};

// Config, hasher and mapped table of one size; made once per size, one alive at a time.
struct World {
  explicit World(std::int64_t mib_in)
      : mib(mib_in),
        config(ConfigOf(mib)),
        hasher(*NgramHasher::Create(config, SomeTokenMap())),
        file(hasher.table_rows(0)) {}
  const std::int64_t mib;
  const EngramConfig config;
  const NgramHasher hasher;
  const FileTable file;
};

const World& WorldOf(std::int64_t mib) {
  static std::unique_ptr<World> world;
  if (world == nullptr || world->mib != mib) {
    world.reset();
    world = std::make_unique<World>(mib);
  }
  return *world;
}

enum class Text { kUniform, kZipf };

// Uniform ids repeat almost nothing. Zipf's law with exponent 1, each id drawn alone, repeats
// single tokens as text does, but fewer n-grams than text.
std::vector<std::int32_t> Tokens(std::size_t count, Text text) {
  std::mt19937_64 random(count);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<std::int32_t> tokens(count);
  for (std::int32_t& token : tokens) {
    const double u = uniform(random);
    token = static_cast<std::int32_t>(text == Text::kUniform ? u * kRawTokens
                                                             : std::pow(kRawTokens, u) - 1);
  }
  return tokens;
}

std::vector<std::int64_t> RandomRows(std::size_t count, std::int64_t table_rows) {
  std::mt19937_64 random(count);
  std::vector<std::int64_t> rows(count);
  for (std::int64_t& row : rows) row = static_cast<std::int64_t>(random() % table_rows);
  return rows;
}

// Iterations go through different inputs, in all this many rows (80 MiB of them): else caches and
// branch predictors would remember the one input.
constexpr std::size_t kRowsInAll = 1 << 19;

// Gives list after list, round and round.
template <typename T>
class Rotation {
 public:
  explicit Rotation(std::vector<T> lists) : lists_(std::move(lists)) {}
  const T& Next() { return lists_[next_++ % lists_.size()]; }

 private:
  std::vector<T> lists_;
  std::size_t next_ = 0;
};

void CountRows(benchmark::State& state, std::size_t rows_per_iteration) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows_per_iteration));
}

// ---- Hashing and sorting ----

void BM_Hash(benchmark::State& state) {
  const auto tokens = static_cast<std::size_t>(state.range(0));
  const auto hasher = *NgramHasher::Create(ConfigOf(5523), SomeTokenMap());  // base 2,262,000
  std::vector<std::int32_t> window(tokens + hasher.lookback());
  hasher.FillWindow({}, Tokens(tokens, Text::kUniform), window);
  std::vector<std::int64_t> rows(tokens * hasher.lookups());
  for (auto _ : state) {
    hasher.HashRows(0, window, rows.data());
    benchmark::DoNotOptimize(rows.data());
    benchmark::ClobberMemory();
  }
  CountRows(state, rows.size());
}
BENCHMARK(BM_Hash)->Arg(1)->Arg(2048);

template <typename Sort>
void SortBench(benchmark::State& state, Sort sort) {
  constexpr std::int64_t kTableRows = 36'199'972;
  constexpr std::int64_t kLookupRows = 2'262'409;  // of one prime, the sixth say
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<std::int64_t> rows = RandomRows(kRowsInAll, kLookupRows);
  std::vector<std::vector<RowRequest>> lists;
  for (std::size_t at = 0; at + count <= rows.size(); at += count) {
    std::vector<RowRequest>& list = lists.emplace_back();
    for (std::size_t i = 0; i < count; ++i) {
      list.emplace_back(5 * kLookupRows + rows[at + i], static_cast<int>(i));
    }
  }
  Rotation<std::vector<RowRequest>> rotation(std::move(lists));
  std::vector<RowRequest> requests(count), scratch(count);
  for (auto _ : state) {
    requests = rotation.Next();
    sort(std::span(requests), std::span(scratch), kTableRows);
    benchmark::DoNotOptimize(requests.data());
  }
  CountRows(state, count);
}

void BM_SortByTableRow(benchmark::State& state) { SortBench(state, SortByTableRow); }
BENCHMARK(BM_SortByTableRow)->Arg(64)->Arg(256)->Arg(2048);

void BM_StdSort(benchmark::State& state) {
  SortBench(state, [](std::span<RowRequest> requests, std::span<RowRequest>, std::int64_t) {
    std::sort(requests.begin(), requests.end());
  });
}
BENCHMARK(BM_StdSort)->Arg(64)->Arg(256)->Arg(2048);

// ---- Gathering ----

// Random rows for a gather like that of 2048 tokens, to consecutive places.
Rotation<std::vector<RowCopy>> RandomCopies(std::int64_t table_rows) {
  constexpr std::size_t kCopies = 2048 * 16;
  const std::vector<std::int64_t> rows = RandomRows(kRowsInAll, table_rows);
  std::vector<std::vector<RowCopy>> lists(kRowsInAll / kCopies);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    lists[i / kCopies].push_back({.row = rows[i], .to = static_cast<std::int64_t>(i % kCopies)});
  }
  return Rotation(std::move(lists));
}

// The limit: all cache lines of a row prefetched 32 rows ahead, rows copied over each other into a
// few KiB that stay in the first-level cache, ids not checked.
void BM_RandomReadLimit(benchmark::State& state) {
  const World& world = WorldOf(state.range(0));
  Rotation<std::vector<RowCopy>> rotation = RandomCopies(world.hasher.table_rows(0));
  const std::byte* table = world.file.bytes().data();
  std::vector<std::byte> out(64 * kRowBytes);
  constexpr std::size_t kAhead = 32;
  std::size_t rows = 0;
  for (auto _ : state) {
    const std::vector<RowCopy>& copies = rotation.Next();
    for (std::size_t i = 0; i < copies.size(); ++i) {
      const RowCopy& coming = copies[std::min(i + kAhead, copies.size() - 1)];
      const std::byte* next = table + coming.row * kRowBytes;
      for (std::size_t at = 0; at < kRowBytes; at += 64) __builtin_prefetch(next + at);
      __builtin_prefetch(next + kRowBytes - 1);
      std::memcpy(out.data() + i % 64 * kRowBytes, table + copies[i].row * kRowBytes, kRowBytes);
      benchmark::DoNotOptimize(out.data());
    }
    rows = copies.size();
  }
  CountRows(state, rows);
}

// The other end: each row's address depends on the row before, so one miss is under way at a time.
void BM_RandomReadDependent(benchmark::State& state) {
  const World& world = WorldOf(state.range(0));
  const std::byte* table = world.file.bytes().data();
  const auto rows = static_cast<std::uint64_t>(world.hasher.table_rows(0));
  std::uint64_t value = 1;
  for (auto _ : state) {
    std::uint64_t word;
    std::memcpy(&word, table + value % rows * kRowBytes, sizeof word);
    value = (value ^ word) * 0xbf58476d1ce4e5b9u + 1;
    value ^= value >> 29;
  }
  benchmark::DoNotOptimize(value);
  CountRows(state, 1);
}

void BM_TableGather(benchmark::State& state) {
  const World& world = WorldOf(state.range(0));
  Rotation<std::vector<RowCopy>> rotation = RandomCopies(world.hasher.table_rows(0));
  const std::size_t rows = rotation.Next().size();
  std::vector<std::byte> out(rows * kRowBytes);
  for (auto _ : state) {
    CHECK(world.file.table().Gather(rotation.Next(), {out.data(), kRowBytes}).ok());
    benchmark::DoNotOptimize(out.data());
  }
  CountRows(state, rows);
}

// ---- A step ----

// Steps of `tokens` tokens, one sequence each.
Rotation<StepPlan> SomeSteps(std::size_t tokens, Text text) {
  const std::vector<std::int32_t> ids = Tokens(kRowsInAll / 16, text);
  std::vector<StepPlan> plans;
  for (std::size_t at = 0; at + tokens <= ids.size(); at += tokens) {
    StepPlan& plan = plans.emplace_back();
    plan.token_ids.assign(ids.begin() + at, ids.begin() + at + tokens);
    plan.slices.resize(1);
    plan.slices[0].row_count = static_cast<int>(tokens);
  }
  return Rotation(std::move(plans));
}

// Hash and gather in the tokens' order: a step without the sort.
void BM_StepUnsorted(benchmark::State& state, Text text) {
  const World& world = WorldOf(state.range(0));
  const auto tokens = static_cast<std::size_t>(state.range(1));
  Rotation<StepPlan> steps = SomeSteps(tokens, text);
  std::vector<std::int32_t> window(tokens + world.hasher.lookback());
  std::vector<std::int64_t> rows(tokens * world.hasher.lookups());
  std::vector<RowCopy> copies(rows.size());
  std::vector<std::byte> out(rows.size() * kRowBytes);
  for (auto _ : state) {
    world.hasher.FillWindow({}, steps.Next().token_ids, window);
    world.hasher.HashRows(0, window, rows.data());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      copies[i] = {.row = rows[i], .to = static_cast<std::int64_t>(i)};
    }
    CHECK(world.file.table().Gather(copies, {out.data(), kRowBytes}).ok());
    benchmark::DoNotOptimize(out.data());
  }
  CountRows(state, rows.size());
}

void BM_StepAtLayer(benchmark::State& state, Text text) {
  const World& world = WorldOf(state.range(0));
  const auto tokens = static_cast<std::size_t>(state.range(1));
  Rotation<StepPlan> steps = SomeSteps(tokens, text);
  EngramPrefetcher prefetcher(world.config, SomeTokenMap(), {&world.file.table()},
                              {.mode = EngramPrefetchMode::kAtLayer,
                               .workers = 0,
                               .rows_max = static_cast<int>(tokens)});
  for (auto _ : state) {
    prefetcher.Start(steps.Next());
    benchmark::DoNotOptimize(prefetcher.Rows(0));
  }
  CountRows(state, tokens * world.hasher.lookups());
}

// What the engine thread pays to hand a step over: Start alone, the worker asleep before it.
void BM_StartAhead(benchmark::State& state) {
  const World& world = WorldOf(state.range(0));
  const auto tokens = static_cast<std::size_t>(state.range(1));
  Rotation<StepPlan> steps = SomeSteps(tokens, Text::kZipf);
  EngramPrefetcher prefetcher(world.config, SomeTokenMap(), {&world.file.table()},
                              {.rows_max = static_cast<int>(tokens)});
  for (auto _ : state) {
    prefetcher.Start(steps.Next());
    state.PauseTiming();
    prefetcher.Rows(0);
    usleep(200);
    state.ResumeTiming();
  }
}

// Size by size, so that each table is made once.
void RegisterTableBenches() {
  using benchmark::RegisterBenchmark;
  for (const std::int64_t mib : {16, 256, 2048}) {  // in the last-level cache; not; by far not
    RegisterBenchmark("BM_RandomReadDependent", BM_RandomReadDependent)->Arg(mib);
    RegisterBenchmark("BM_RandomReadLimit", BM_RandomReadLimit)->Arg(mib);
    RegisterBenchmark("BM_TableGather", BM_TableGather)->Arg(mib);
    for (const std::int64_t tokens : {1, 64, 2048}) {
      RegisterBenchmark("BM_StepUnsorted/uniform", BM_StepUnsorted, Text::kUniform)
          ->Args({mib, tokens});
      RegisterBenchmark("BM_StepAtLayer/uniform", BM_StepAtLayer, Text::kUniform)
          ->Args({mib, tokens});
      RegisterBenchmark("BM_StepUnsorted/zipf", BM_StepUnsorted, Text::kZipf)->Args({mib, tokens});
      RegisterBenchmark("BM_StepAtLayer/zipf", BM_StepAtLayer, Text::kZipf)->Args({mib, tokens});
    }
  }
  for (const std::int64_t tokens : {1, 64, 2048}) {
    RegisterBenchmark("BM_StartAhead", BM_StartAhead)->Args({2048, tokens})->Iterations(2000);
  }
}

}  // namespace
}  // namespace engram

int main(int argc, char** argv) {
  engram::RegisterTableBenches();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
