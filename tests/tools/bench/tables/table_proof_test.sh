#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tables in memory, mapped and on the drive, with and without prefetching and a row cache that is too small: a server
# with each of them gives the same conversations. And a server finds what a table keeper holds.
set -euo pipefail
export PYTHONPATH=tools/bench/load
exec python3 -B tools/bench/tables/table_proof.py --quick --parts restart,conversations \
  --dir "$TEST_TMPDIR" --server server/engram-server --bench tools/bench/serve/engram-bench \
  --engine-bench tools/bench/engine_bench
