// SPDX-License-Identifier: Apache-2.0
// Holds every backend to the reference, op by op and shape by shape, and to itself: the same bits
// for a row whatever else the call contains, and whatever the number of threads.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/kernels/backends.h"
#include "tests/kernels/parity_cases.h"

namespace engram {
namespace {

using testing_support::Arrays;
using testing_support::BackendCase;
using testing_support::FirstRows;
using testing_support::OpCase;
using testing_support::PreparedOp;

using Rows = std::vector<std::vector<float>>;

constexpr int kBatches[] = {1, 2, 3, 7, 16, 33, 53};
constexpr int kRowsMax = 53;

Rows RunCase(Backend& backend, const OpCase& op, const std::vector<int>& rows) {
  Arrays arrays(&backend);
  const PreparedOp prepared = op.prepare(arrays, rows);
  prepared.run();
  return prepared.read();
}

void ExpectNear(const Rows& actual, const Rows& expected, double tolerance,
                const std::string& what) {
  for (std::size_t row = 0; row < actual.size(); ++row) {
    ASSERT_EQ(actual[row].size(), expected[row].size());
    for (std::size_t i = 0; i < actual[row].size(); ++i) {
      const double wanted = expected[row][i];
      const double error = std::abs(actual[row][i] - wanted);
      ASSERT_TRUE(error <= tolerance * std::max(1.0, std::abs(wanted)))
          << what << ": row " << row << ", value " << i << " is " << actual[row][i]
          << ", the reference has " << wanted;
    }
  }
}

void ExpectSameBits(const std::vector<float>& actual, const std::vector<float>& expected,
                    const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(actual[i]), std::bit_cast<std::uint32_t>(expected[i]))
        << what << ": value " << i << " is " << actual[i] << ", was " << expected[i];
  }
}

// A fixed shuffle of all rows, cut into batches of growing size.
std::vector<std::vector<int>> ShuffledBatches() {
  std::vector<int> order = FirstRows(kRowsMax);
  std::sort(order.begin(), order.end(), [](int a, int b) {
    return testing_support::RandomValue(99, a, 0) < testing_support::RandomValue(99, b, 0);
  });
  std::vector<std::vector<int>> batches;
  for (std::size_t at = 0, size = 2; at < order.size(); at += size, size += 3) {
    const std::size_t end = std::min(order.size(), at + size);
    batches.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(at),
                         order.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return batches;
}

class BackendParity : public ::testing::TestWithParam<BackendCase> {};

INSTANTIATE_TEST_SUITE_P(Backends, BackendParity,
                         ::testing::ValuesIn(testing_support::AllBackends()),
                         testing_support::BackendCaseName);

TEST_P(BackendParity, AgreesWithReference) {
  const std::unique_ptr<Backend> reference = MakeRefBackend();
  const std::unique_ptr<Backend> backend = GetParam().make();
  for (const OpCase& op : testing_support::ParityCases()) {
    const Rows expected = RunCase(*reference, op, FirstRows(kRowsMax));
    for (const int count : kBatches) {
      ExpectNear(RunCase(*backend, op, FirstRows(count)), expected, op.tolerance,
                 op.name + " with " + std::to_string(count) + " rows");
    }
  }
}

TEST_P(BackendParity, RowsDoNotDependOnTheBatch) {
  const std::unique_ptr<Backend> backend = GetParam().make();
  for (const OpCase& op : testing_support::ParityCases()) {
    const Rows together = RunCase(*backend, op, FirstRows(kRowsMax));
    for (int row = 0; row < kRowsMax; row += 4) {
      ExpectSameBits(RunCase(*backend, op, {row})[0], together[row],
                     op.name + ", row " + std::to_string(row) + " alone");
    }
    for (const std::vector<int>& batch : ShuffledBatches()) {
      const Rows shuffled = RunCase(*backend, op, batch);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        ExpectSameBits(shuffled[i], together[batch[i]],
                       op.name + ", row " + std::to_string(batch[i]) + " among " +
                           std::to_string(batch.size()));
      }
    }
  }
}

TEST(CpuBackend, ResultsDoNotDependOnTheThreads) {
  for (const cpu::SimdKernels* kernels : cpu::KernelsOfThisMachine()) {
    const std::unique_ptr<Backend> alone = MakeCpuBackend({.threads = 1, .kernels = kernels});
    for (const int threads : {2, 7}) {
      const std::unique_ptr<Backend> many =
          MakeCpuBackend({.threads = threads, .kernels = kernels});
      for (const OpCase& op : testing_support::ParityCases()) {
        for (const int count : {1, 3, kRowsMax}) {
          const Rows expected = RunCase(*alone, op, FirstRows(count));
          const Rows actual = RunCase(*many, op, FirstRows(count));
          for (int row = 0; row < count; ++row) {
            ExpectSameBits(actual[row], expected[row],
                           op.name + " with " + std::to_string(threads) + " threads on " +
                               kernels->name + ", row " + std::to_string(row));
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace engram
