#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loads a server as far as it goes and further, and prints what held: docs/BENCHMARKING.md, "Load proof".

Server and client run on the same machine here, so speeds are those of both together. Exits with 1 if a check
failed. --quick takes seconds and only holds what depends on no machine.
"""
import argparse
import sys
import time

import scenarios
from bench_client import BenchClient, refused
from server_under_load import ServerUnderLoad

STALL_SECONDS = 60  # the server's write-stall limit (config/limits.h)
OBJECTIVES = ("ttft:3000", "tpot:200")


class Proof:
    """Collects rows of measurements, and checks that held or did not."""

    def __init__(self, full):
        self.full = full
        self.objectives = ["--goodput", *OBJECTIVES]
        self.rows, self.latencies, self.checks = [], [], []

    def check(self, sentence, holds, full=False, detail=None):
        """`full`: depends on the machine's speed or the allocator, and counts in a full run only."""
        counts = self.full or not full
        word = "holds" if holds else "FAILED" if counts else "not here"
        if detail and not holds:
            sentence += f" ({detail})"
        self.checks.append((sentence, word))
        print(f"  {word}: {sentence}", file=sys.stderr, flush=True)

    def row(self, name, result):
        goodput = result["request_goodput"]
        self.rows.append([name, str(result["completed"]), str(refused(result)),
                          str(result["failed"] - refused(result)), f"{result['request_throughput']:.1f}",
                          "" if goodput is None else f"{goodput:.1f}", f"{result['output_throughput']:.0f}",
                          f"{result['median_ttft_ms']:.0f} / {result['p99_ttft_ms']:.0f}",
                          f"{result['median_tpot_ms']:.1f} / {result['p99_tpot_ms']:.1f}"])
        print(f"{name}: {result['completed']} complete", file=sys.stderr, flush=True)

    def latency(self, backend, concurrency, result):
        self.latencies.append([f"{'gRPC' if backend == 'grpc' else 'HTTP'}, {concurrency} at once",
                               f"{result['request_throughput']:.1f}"] + [
                                   f"{result[f'median_{metric}_ms']:.2f} / {result[f'p99_{metric}_ms']:.2f}"
                                   for metric in ("ttft", "tpot", "e2el")])

    def report(self):
        out = []
        if self.rows:
            out += table(["load", "complete", "refused", "other errors", "req/s", "goodput", "tok/s",
                          "TTFT ms p50 / p99", "TPOT ms p50 / p99"], self.rows)
        if self.latencies:
            out += [""] + table(["", "req/s", "TTFT ms p50 / p99", "TPOT ms p50 / p99", "E2EL ms p50 / p99"],
                                self.latencies)
        out += [""] + [f"- {word}: {sentence}" for sentence, word in self.checks]
        return "\n".join(out)

    def failed(self):
        return sum(word == "FAILED" for _, word in self.checks)


def table(head, rows):
    """Markdown."""
    return ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]


def overload(proof, options):
    """A server that runs few and lets few wait: what happens at its limit."""
    with ServerUnderLoad(options.server, options.model, "--max-num-seqs", "32", "--max-waiting-requests", "32",
                         "--kv-cache-memory", "256MiB") as server:
        bench = BenchClient(options.bench, server, 32, options.tokens)
        bench.run("--max-concurrency", "16", "--num-prompts", "32")  # the first requests find nothing warm
        before = scenarios.state_of(server)
        most = scenarios.capacity(proof, bench, options.seconds, concurrency=32)
        scenarios.below_capacity(proof, bench, options.seconds, most)
        scenarios.above_capacity(proof, bench, options.seconds, most)
        scenarios.memory_is_level(proof, server, "overload", before)
        scenarios.latency_table(proof, bench, options.seconds / 3)
        proof.check("the server ended in order", server.stop() == 0)


def crowd(proof, options):
    """A server that runs a thousand at once, and clients that behave badly."""
    with ServerUnderLoad(options.server, options.model, "--max-num-seqs", str(options.streams),
                         "--max-num-batched-tokens", str(max(2048, 2 * options.streams)),
                         "--kv-cache-memory", "1GiB") as server:
        bench = BenchClient(options.bench, server, 16, 2 * options.tokens)
        bench.run("--max-concurrency", str(options.streams), "--num-prompts", str(options.streams))
        scenarios.cancel_storm(proof, bench, options.bad_clients, options.seconds)
        scenarios.slow_readers(proof, bench, options.bad_clients, options.seconds)
        scenarios.never_readers(proof, bench, options.bad_clients, 2 if options.quick else 30)
        if not options.quick:
            scenarios.stalled_readers(proof, bench, STALL_SECONDS + 40)
        scenarios.many_streams(proof, bench, options.streams, options.minutes * 60)
        proof.check("the server ended in order", server.stop() == 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the engram-server binary")
    parser.add_argument("--bench", required=True, help="the engram-bench binary")
    parser.add_argument("--model", default="models/engram-demo")
    parser.add_argument("--seconds", type=float, default=60, help="of each load (default: 60)")
    parser.add_argument("--minutes", type=float, default=5, help="of the many streams (default: 5)")
    parser.add_argument("--streams", type=int, default=1000, help="open at once (default: 1000)")
    parser.add_argument("--tokens", type=int, default=32, help="of an answer (default: 32)")
    parser.add_argument("--bad-clients", type=int, default=100, help="of each kind (default: 100)")
    parser.add_argument("--quick", action="store_true", help="seconds in all; what depends on the machine may fail")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.minutes, options.streams, options.bad_clients, options.tokens = 1, 1 / 60, 48, 8, 4
    proof = Proof(full=not options.quick)
    started = time.monotonic()
    overload(proof, options)
    crowd(proof, options)
    print(proof.report())
    print(f"\n{len(proof.checks)} checks, {proof.failed()} failed, {time.monotonic() - started:.0f} s")
    return 1 if proof.failed() else 0


if __name__ == "__main__":
    sys.exit(main())
