#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a pytest file with the Python that tools/python_env made; Bazel counts its cases by their XML.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
python="$here/../../.venv/bin/python"
if [ ! -x "$python" ]; then
  echo "there is no .venv: run tools/python_env (tools/test does)" >&2
  exit 1
fi
exec "$python" -B -m pytest -p no:cacheprovider -q --tb=short --durations=5 \
  ${XML_OUTPUT_FILE:+--junitxml="$XML_OUTPUT_FILE"} "$@"
