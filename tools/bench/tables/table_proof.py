#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables far bigger than a model: what they cost, wherever they lie, and that every storage gives the same.

Makes two checkpoints with tables for memory and for the drive, measures tables alone, the engine on top of them, and
how long a restart takes, and holds conversations with each storage: docs/BENCHMARKING.md, "Table proof". Prints
Markdown; exits with 1 if a row or a token was wrong. --quick takes seconds, on small tables; its figures say nothing.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

import conversations
import restart
from markdown import table

SHAPES = "tools/bench/models"
TEXT = "docs/API.md"


def say(line):
    print(line, file=sys.stderr, flush=True)


def run_json(*command):
    """Runs a bench that writes its result where --json says."""
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        done = subprocess.run([*command, "--json", result.name], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return json.load(open(result.name, encoding="utf-8"))


def share(rate, of):
    return f"{rate / of:.2f}" if of else ""


def make_checkpoint(options, shape):
    directory = os.path.join(options.dir, shape)
    if not os.path.exists(directory):
        say(f"making {directory}")
        subprocess.run([options.bench, "make-checkpoint", "--config", f"{SHAPES}/{shape}.json", "--tokenizer",
                        "models/engram-demo", "--out", directory], check=True, stdout=subprocess.DEVNULL)
    return directory


def tables_alone(options, directory, storage, *flags):
    """Rows per second behind the seam, and the limit that the same run found; every row is checked."""
    say(f"{storage} alone")
    report = run_json(options.bench, "table", directory, "--storage", storage, "--seconds", str(options.seconds),
                      *flags)
    rows = [[run["storage"], run["state"], run["ids"], str(run["threads"]), str(run["batch"]),
             f"{run['rows_per_s']:,.0f}", f"{run['limit_rows_per_s']:,.0f}",
             share(run["rows_per_s"], run["limit_rows_per_s"]),
             share(run["rows_per_s"], run["bare_batches_rows_per_s"]),
             f"{run['gather_p50_us']:,.0f} / {run['gather_p99_us']:,.0f}", f"{run['rows_checked']:,}"]
            for run in report["runs"]]
    loads = [(load, report["table_rows"] * report["row_bytes"], report["limits"]["disk_sequential_bytes_per_s"])
             for load in report["loads"]]
    return rows, loads


def times(ratio):
    return f"**{ratio['median']:.3f}** ({ratio['min']:.3f} – {ratio['max']:.3f})"


def engine(options, directory, config, text):
    """Tokens per second without lookups, and rates with prefetch on and off as shares of it and of each other; the
    three take turns."""
    say(f"engine: {config['placement']}, {'text' if text else 'random ids'}")
    seed = random.randrange(100_000)  # other rows each time: what lies under a virtual drive may have kept the last
    found = run_json(options.engine_bench, "--model", directory, "--engram", "both", "--prefetch", "both",
                     "--engram-config", json.dumps(config), "--threads", "2", "--batch", "1,16", "--prompt-len",
                     str(options.prompt), "--output-len", str(options.tokens), "--repeat", options.repeat, "--seed",
                     str(seed), *(["--text", TEXT] if text else []))
    rows = []
    for batch in sorted({row["batch"] for row in found["rows"]}):
        ahead, at_layer, none = (next(row for row in found["rows"] if (row["batch"], row["lookups"]) == (batch, kind))
                                 for kind in ("ahead", "at layer", "none"))
        for what in ("prefill", "decode"):
            rows.append([config["placement"], "text" if text else "random", str(batch), what,
                         f"{none[f'{what}_tokens_per_s']['median']:.1f}", times(ahead["of_none"][what]),
                         times(at_layer["of_none"][what]), times(ahead["of_at_layer"][what])])
    waits = {kind: found["prefetch"][kind]["stall_s"] for kind in ("ahead", "at layer")}
    return rows, [config["placement"], "text" if text else "random", f"{waits['ahead']:.2f}",
                  f"{waits['at layer']:.2f}"]


def set_page_cache(directory, full):
    """Has all files of a checkpoint in the page cache, or none: what an earlier run has read helps nobody."""
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb", buffering=0) as file:
            while full and file.read(16 << 20):
                pass
            if not full:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def engine_tables(options, memory, drive):
    rates, waits = [], []
    for directory, placement in ((memory, "ram"), (memory, "mmap"), (drive, "mmap"), (drive, "nvme")):
        size = os.path.basename(directory).removeprefix("tables_").upper()
        for text in (False, True):
            if placement == "mmap":
                set_page_cache(directory, directory == memory)  # that one fits; the other is read as it is needed
            rows, waited = engine(options, directory, {"placement": placement}, text)
            rates += [[size, *row] for row in rows]
            waits.append([size, *waited])
    return table(["tables", "storage", "ids", "batch", "phase", "tokens/s without lookups", "prefetch on, share of it",
                  "prefetch off", "on ÷ off"], rates) + [""] + table(
                      ["tables", "storage", "ids", "layers waited s, prefetch on", "off"], waits)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the engram-server binary")
    parser.add_argument("--bench", required=True, help="the engram-bench binary")
    parser.add_argument("--engine-bench", required=True, help="the engine_bench binary")
    parser.add_argument("--dir", help="where the checkpoints lie or are made: 34 GB (default: a temporary folder)")
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement of a table (default: 2)")
    parser.add_argument("--repeat", default="30,8", help="runs of the engine at batch 1 and 16 (default: 30,8)")
    parser.add_argument("--prompt", type=int, default=64, help="tokens of a prompt (default: 64)")
    parser.add_argument("--tokens", type=int, default=24, help="of an answer (default: 24)")
    parser.add_argument("--conversations", type=int, default=100, help="with each storage (default: 100)")
    parser.add_argument("--parts", default="alone,engine,restart,conversations", help="what to do; a list")
    parser.add_argument("--quick", action="store_true", help="seconds in all, on small tables")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.repeat, options.prompt, options.tokens, options.conversations = 0.1, "1", 16, 4, 8
    parts = options.parts.split(",")
    with tempfile.TemporaryDirectory() as folder:
        options.dir = options.dir or folder
        memory = make_checkpoint(options, "tables_small" if options.quick else "tables_12gb")
        drive = memory if options.quick else make_checkpoint(options, "tables_20gb")
        out, same = [], True
        if "alone" in parts:
            ram, loads = tables_alone(options, memory, "ram", "--batch", "64,1024")
            nvme, _ = tables_alone(options, drive, "nvme", "--state", "cold", "--batch", "8,64,1024")
            mapped, _ = tables_alone(options, drive, "mmap", "--state", "cold", "--batch", "64", "--threads", "1")
            out += table(["storage", "state", "ids", "threads", "batch", "rows/s", "limit", "of limit",
                          "of bare batches", "Gather µs p50 / p99", "rows checked"], ram + nvme + mapped)
            out += [""] + [f"- loading {size / 1e9:.1f} GB into RAM: {load['seconds']:.1f} s, "
                           f"{size / load['seconds'] / 1e9:.2f} GB/s of {limit / 1e9:.2f} front to back; "
                           f"{100 * load['huge_page_share']:.1f} % on huge pages" for load, size, limit in loads] + [""]
        if "engine" in parts:
            out += engine_tables(options, memory, drive) + [""]
        if "restart" in parts:
            out += restart.measure(options.server, memory, say) + [""]
        if "conversations" in parts:
            lines, same = conversations.compare(options.server, memory, options.conversations, say)
            out += lines
    print("\n".join(out))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
