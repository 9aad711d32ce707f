#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays what a real vLLM was asked (tests/testdata/api) to this server and compares the answers.

Compared are status, error type and parameter, and of answers the keys, value types and counts of every
body and of every event of a stream; for what does not depend on the weights also the values. Where this
server answers differently on purpose, differences.json says so, record by record, with our answer and
the reason; an entry that no record needs any more fails the test.

Run by Bazel, or by hand: replay_test.py path/to/engram-server [name of a record…]
"""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare  # noqa: E402  (next to this file, wherever Bazel puts it)
import rebuild  # noqa: E402
from report import report  # noqa: E402
from server_process import KEYS, ServerProcess, make_model  # noqa: E402
from wire import Wire  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def read_records():
    path = os.path.join(ROOT, "tests", "testdata", "api", "vllm_dialect.jsonl")
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def covered(records, not_covered):
    """The records to replay, and the reasons to leave groups out that no record has."""
    unused = set(not_covered)
    kept = []
    for record in records:
        groups = [g for g in not_covered if record["id"] == g or record["id"].startswith(g + ".")]
        unused -= set(groups)
        if not groups and record["kind"] in ("http", "scenario"):
            kept.append(record)
    return kept, unused


def replay_http(record, port):
    """What differs, as {aspect: ours}."""
    request = rebuild.request_of(record)
    with Wire(port) as wire:
        answer = wire.ask(request)
    return compare.http(record["response"], answer, record["id"])


def replay_bytes(record, port):
    """A scenario that sends bytes: what differs in the statuses of the answers."""
    differing = {}
    with Wire(port) as wire:
        answers = 0
        for step in record["steps"]:
            if step["do"] == "send bytes":
                wire.send(step["bytes"].encode("latin-1"))
                if "FIN" in record["note"]:
                    wire.close_sending()
            elif step["do"] == "read an answer":
                answers += 1
                ours = wire.read_answer(patience_s=12)
                status = ours.status if ours else 0
                if status != step["saw"]["status"]:
                    differing["status" if answers == 1 else f"status {answers}"] = status
    return differing


def replay(record, ports):
    port = ports[record["server"]]
    if record["kind"] == "http":
        return replay_http(record, port)
    return replay_bytes(record, port)


def judge(differing, allowed):
    """Complaints about a record: differences that nobody explained, explanations without one."""
    complaints = []
    for aspect, ours in differing.items():
        if aspect not in allowed:
            complaints.append(f"{aspect} differs: {ours}")
        elif allowed[aspect] != "*" and allowed[aspect] != ours:
            complaints.append(f"{aspect} is {ours!r}; differences.json says {allowed[aspect]!r}")
    for aspect in allowed:
        if aspect not in differing:
            complaints.append(f"differences.json expects another {aspect}, but it is as recorded")
    return complaints


def allowed_by_record(differences):
    allowed = {}
    for entry in differences["differences"]:
        assert entry["reason"], entry
        for name, aspects in entry["records"].items():
            allowed.setdefault(name, {}).update(aspects)
    return allowed


def main(binary, only):
    with open(os.path.join(HERE, "differences.json"), encoding="utf-8") as file:
        differences = json.load(file)
    allowed = allowed_by_record(differences)
    records, unused_groups = covered(read_records(), differences["not_covered"])
    results = [(g, ["no record is of this kind: take it out of not_covered"]) for g in unused_groups]
    names = {record["id"] for record in records}
    results += [(n, ["differences.json names a record that is not replayed"]) for n in allowed if n not in names]

    with tempfile.TemporaryDirectory() as folder:
        model = make_model(ROOT, folder)
        with ServerProcess(binary, model, []) as plain, ServerProcess(binary, model, KEYS) as full:
            ports = {"plain": plain.port, "full": full.port}
            for record in records:
                if only and record["id"] not in only:
                    continue
                try:
                    complaints = judge(replay(record, ports), allowed.get(record["id"], {}))
                except (AssertionError, ValueError, KeyError, OSError) as failure:
                    complaints = [f"{type(failure).__name__}: {failure}"]
                results.append((record["id"], complaints))
            for server in (plain, full):
                results.append(("server stays alive", [] if server.alive() else [server.log()]))

    return report("replay", results)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], set(sys.argv[2:])))
