#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The recorded scenarios that take several steps: clients that leave, a full queue, a drain.

What vLLM did is in tests/testdata/api (records scenario.*); each case here says what this server does.
Run by Bazel, or by hand: scenario_test.py path/to/engram-server
"""
import json
import os
import re
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from report import report  # noqa: E402  (next to this file, wherever Bazel puts it)
from server_process import ServerProcess, make_model  # noqa: E402
from wire import Wire  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE_S = 30


def body(max_tokens, stream, **more):
    return {"prompt": "Hello world", "max_tokens": max_tokens, "temperature": 0, "ignore_eos": True,
            "stream": stream, **more}


def get(port, path):
    with Wire(port) as wire:
        return wire.ask({"method": "GET", "path": path, "headers": [], "body": None})


def post(port, request):
    with Wire(port) as wire:
        wire.post("/v1/completions", request)
        return wire.read_answer()


def metric(port, name):
    text = get(port, "/metrics").body.decode()
    found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.M)
    assert found, f"no metric {name}"
    return sum(float(value) for value in found)


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for: {what}"
        time.sleep(0.01)


def running(port):
    return metric(port, "vllm:num_requests_running")


def is_idle(port):
    return (running(port) == 0 and metric(port, "vllm:num_requests_waiting") == 0
            and metric(port, "vllm:kv_cache_usage_perc") == 0)


def leave_while_running(port, stream, leave):
    with Wire(port) as wire:
        wire.post("/v1/completions", body(500, stream))
        wait_for(lambda: running(port) == 1, "the request runs")
        leave(wire)
        start = time.monotonic()
        wait_for(lambda: is_idle(port), "nothing runs and no block is in use")
        # 500 tokens take longer: it was cut short.
        assert time.monotonic() - start < 2, "cancelling took too long"


def case_cancel_stream(server):
    def leave(wire):
        assert wire.read_some()
        wire.socket.close()
    leave_while_running(server.port, True, leave)


def case_cancel_unary(server):
    leave_while_running(server.port, False, lambda wire: wire.socket.close())


def case_half_close(server):
    """A client that closes its sending side has gone, streaming or not."""
    for stream in (True, False):
        def leave(wire):
            wire.close_sending()
        leave_while_running(server.port, stream, leave)


def case_ten_equal_streams_on_eight_slots(server):
    """vLLM gave six different texts."""
    texts = [None] * 10

    def run(i):
        answer = post(server.port, body(60, True))
        assert answer.status == 200 and len(answer.chunks) >= 60
        events = [e[len("data: "):] for e in answer.body.decode().split("\n\n") if e]
        assert len(events) == 61 and events[-1] == "[DONE]", len(events)
        texts[i] = "".join(json.loads(e)["choices"][0]["text"] for e in events[:-1])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in texts and len(set(texts)) == 1, set(texts)


def case_one_request_id_twice_at_once(server):
    answers = [None, None]

    def run(i):
        answers[i] = post(server.port, body(30, False, request_id="same"))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bodies = [json.loads(answer.body) for answer in answers]
    assert [b["id"] for b in bodies] == ["cmpl-same"] * 2
    assert [b["usage"]["completion_tokens"] for b in bodies] == [30, 30]


def case_load(server):
    def load():
        return json.loads(get(server.port, "/load").body)["server_load"]
    assert load() == 0
    with Wire(server.port) as wire:
        wire.post("/v1/completions", body(500, True))
        wait_for(lambda: load() == 1, "one request counts")
    wait_for(lambda: load() == 0, "it has gone")
    assert post(server.port, body(0, False)).status == 400
    assert load() == 0


def refused(answer, status):
    assert answer.status == status, answer.status
    assert int(answer.header("retry-after")) >= 1
    return json.loads(answer.body)["error"]["reason"]


def case_queue_full(server):
    """One runs and two wait; the next is told at once to come back later, streaming or not."""
    port = server.port
    with Wire(port) as first, Wire(port) as second, Wire(port) as third:
        first.post("/v1/completions", body(500, True))
        wait_for(lambda: running(port) == 1, "one runs")
        second.post("/v1/completions", body(2, False))
        third.post("/v1/completions", body(2, True))
        wait_for(lambda: metric(port, "vllm:num_requests_waiting") == 2, "two wait")
        for stream in (False, True):
            start = time.monotonic()
            assert refused(post(port, body(2, stream)), 429) == "queue_full"
            assert time.monotonic() - start < 0.5
        # A client that waited and left gives its place to another.
        third.socket.close()
        wait_for(lambda: metric(port, "vllm:num_requests_waiting") == 1, "one waits")
        first.socket.close()
        assert second.read_answer().status == 200
        assert post(port, body(2, False)).status == 200


def case_drain(server):
    """SIGTERM: not ready, nothing new, what runs is finished; then the process ends well."""
    port = server.port
    with Wire(port) as stream, Wire(port) as unary:
        stream.post("/v1/completions", body(300, True))
        unary.post("/v1/completions", body(300, False))
        wait_for(lambda: running(port) == 2, "both run")
        server.terminate()
        wait_for(lambda: get(port, "/ready").status == 503, "not ready")
        assert get(port, "/health").status == 503
        assert get(port, "/live").status == 200
        assert refused(post(port, body(2, False)), 503) == "server_draining"
        assert refused(post(port, body(2, True)), 503) == "server_draining"
        answer = stream.read_answer()
        assert answer.body.endswith(b"data: [DONE]\n\n") and answer.body.count(b"data: ") == 301
        assert json.loads(unary.read_answer().body)["usage"]["completion_tokens"] == 300
    assert server.wait(PATIENCE_S) == 0


def run_case(case, server):
    try:
        case(server)
        return []
    except (AssertionError, ValueError, KeyError, AttributeError, OSError) as failure:
        return [f"{type(failure).__name__}: {failure}"]


def main(binary):
    shared = [case_cancel_stream, case_cancel_unary, case_half_close, case_ten_equal_streams_on_eight_slots,
              case_one_request_id_twice_at_once, case_load]
    own = [(case_queue_full, ["--max-num-seqs", "1", "--max-waiting-requests", "2"]), (case_drain, [])]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(ROOT, folder)
        with ServerProcess(binary, model, []) as server:
            results += [(case.__name__, run_case(case, server)) for case in shared]
        for case, flags in own:
            with ServerProcess(binary, model, [], flags) as server:
                results.append((case.__name__, run_case(case, server)))
    return report("scenario", results)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
