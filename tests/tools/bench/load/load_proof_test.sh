#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the load proof's quick mode: overload, a cancel storm, slow readers, clients that never read,
# many streams; afterwards the server is idle, has no file open that it had not before, and ends in order.
set -euo pipefail
exec python3 -B tools/bench/load/load_proof.py --quick \
  --server server/engram-server --bench tools/bench/serve/engram-bench
