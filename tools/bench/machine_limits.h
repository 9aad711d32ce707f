// SPDX-License-Identifier: Apache-2.0
// What the machine can do at best, measured just before the kernels are: the rate at which its
// threads read memory that is in no cache, and at which they multiply and add f32 vectors. Per
// second of processor time, so that time in which other programs had the processor does not count;
// what those do to the caches and the memory bus still shows.
#pragma once

namespace engram::bench {

struct MachineLimits {
  double read_gb_per_s = 0;  // all threads together
  double gflop_per_s = 0;    // all threads together; a multiply-add counts as two
};

// Takes about a second.
MachineLimits MeasureMachine(int threads);

}  // namespace engram::bench
