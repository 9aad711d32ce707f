// SPDX-License-Identifier: Apache-2.0
// What the process' exit status says; `engram-server --help` lists the same.
#pragma once

namespace engram {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,  // while serving, or healthcheck: not ready
  kUsage = 2,   // a flag, the config file or the API key file
  kModel = 3,   // the checkpoint cannot be loaded
  kMemory = 4,  // the model or its cache does not fit
  kListen = 5,  // a port cannot be listened on
  // A second SIGINT or SIGTERM, or the first while loading, ends the process at once with 128 + its
  // number: 130, 143.
};

}  // namespace engram
