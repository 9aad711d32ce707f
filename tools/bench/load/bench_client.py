# SPDX-License-Identifier: Apache-2.0
"""Runs engram-bench and reads what it found."""
import json
import os
import subprocess
import tempfile


class BenchClient:
    """`binary` is engram-bench; every run goes to `server`."""

    def __init__(self, binary, server, input_tokens, output_tokens):
        self.binary, self.server = binary, server
        self.lengths = ["--random-input-len", str(input_tokens), "--random-output-len", str(output_tokens)]

    def start(self, folder, *flags, backend="openai"):
        """A run in the background; `result` reads it when it has ended."""
        port = self.server.grpc_port if backend == "grpc" else self.server.http_port
        command = [self.binary, "serve", "--backend", backend, "--port", str(port), "--ignore-eos", "--seed", "1",
                   *self.lengths, "--save-detailed", "--result-dir", folder, "--result-filename", "run.json",
                   "--metrics-url", "off", "--disable-tqdm", *flags]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    @staticmethod
    def result(process, folder):
        """The result as JSON. Status 2 says that not one request succeeded, which some loads intend."""
        _, errors = process.communicate()
        if process.returncode not in (0, 2):
            raise RuntimeError(f"engram-bench ended with {process.returncode}: {errors}")
        with open(os.path.join(folder, "run.json"), encoding="utf-8") as file:
            return json.load(file)

    def run(self, *flags, backend="openai"):
        with tempfile.TemporaryDirectory() as folder:
            return self.result(self.start(folder, *flags, backend=backend), folder)


def refused(result):
    """How many requests were refused because the queue was full."""
    kinds = result["errors_by_kind"]
    return kinds.get("http_429", 0) + kinds.get("grpc_RESOURCE_EXHAUSTED", 0)


def other_errors(result):
    """Errors by kind, but for refusals."""
    expected = ("http_429", "grpc_RESOURCE_EXHAUSTED")
    return {kind: count for kind, count in result["errors_by_kind"].items() if kind not in expected}


def refusal_ms(result, percentile):
    """How long refused requests took, from when they were sent, in ms; 0 if none was refused."""
    taken = sorted((latency - queued) * 1000
                   for latency, queued, kind in zip(result["latencies"], result["queue_times"], result["error_kinds"])
                   if kind in ("http_429", "grpc_RESOURCE_EXHAUSTED"))
    return taken[min(len(taken) - 1, int(len(taken) * percentile / 100))] if taken else 0.0
