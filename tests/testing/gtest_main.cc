// SPDX-License-Identifier: Apache-2.0
// main() of every C++ test. The system's gRPC and Abseil are built without ThreadSanitizer, so it
// cannot see their locking; races inside them are not ours.
#include "gmock/gmock.h"

extern "C" const char* __tsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "race:libgrpc.so\n"
         "race:libgrpc++.so\n"
         "race:libgpr.so\n"
         "race:libabsl_\n"
         "called_from_lib:libgrpc.so\n"
         "called_from_lib:libgpr.so\n";
}

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
