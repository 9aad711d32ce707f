# SPDX-License-Identifier: Apache-2.0
"""From loading to the end: readiness, keys, a full queue, drain, signals, exit codes, commands."""
import json
import os
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import openai
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import grpc_stubs
from grpc_stubs import pb
from server_process import BINARY, DEMO, ServerProcess, wait_until

MODEL = "engram-demo"
# For tests in which a request must not end by itself on any machine: a thousand tokens take seconds.
SLOW = ("--backend", "ref")


def client_of(server, **options):
    return openai.OpenAI(base_url=server.url + "/v1", **{"api_key": "none", "max_retries": 0, "timeout": 60, **options})


def start_stream(client, tokens):
    """A stream whose first chunk has come."""
    stream = client.completions.create(model=MODEL, prompt="Once", max_tokens=tokens, stream=True,
                                       extra_body={"ignore_eos": True})
    next(stream)
    return stream


def drain(stream):
    """(number of chunks, finish reason) of the rest."""
    chunks = list(stream)
    return len(chunks), [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1]


def run(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_not_ready_while_loading():
    # A large cache takes seconds to lay out: time to look at the server meanwhile.
    with ServerProcess("--kv-cache-memory", "3GiB", wait_ready=False) as server:
        assert server.get("/ready")[0] == 503
        assert server.get("/live")[0] == 200
        assert server.get("/v1/models")[0] == 503
        channel, stub = grpc_stubs.connect(server)
        with channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(
                health_pb2.HealthCheckRequest(service=grpc_stubs.SERVICE), timeout=60)
            assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=10).state == pb.SERVER_STATE_LOADING
            with pytest.raises(grpc.RpcError) as early:
                stub.Generate(pb.GenerateRequest(prompt="x"), timeout=10)
            assert early.value.code() == grpc.StatusCode.UNAVAILABLE
            assert grpc_stubs.reason_of(early.value) == "loading"
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            wait_until(lambda: server.get("/ready")[0] == 200, "ready")
            server.terminate()
            assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert server.wait_exit() == 0


def test_a_signal_while_loading_ends_it_at_once():
    with ServerProcess("--kv-cache-memory", "3GiB", wait_ready=False) as server:
        server.terminate()
        assert server.wait_exit(5) == 128 + signal.SIGTERM


def test_drain_finishes_what_runs_and_refuses_what_is_new():
    with ServerProcess() as server:
        client = client_of(server)
        channel, stub = grpc_stubs.connect(server)
        stub.ListModels(pb.ListModelsRequest(), timeout=10)
        stream = start_stream(client, 700)
        call = stub.GenerateStream(pb.GenerateRequest(prompt="Once", max_tokens=700, ignore_eos=True), timeout=60)
        next(call)
        server.terminate()
        wait_until(lambda: server.get("/ready")[0] == 503, "not ready")
        assert server.get("/live")[0] == 200
        with pytest.raises(openai.InternalServerError) as refused:
            client.completions.create(model=MODEL, prompt="x")
        assert refused.value.status_code == 503
        assert int(refused.value.response.headers["retry-after"]) > 0
        with pytest.raises(grpc.RpcError) as refused_call:
            stub.Generate(pb.GenerateRequest(prompt="x"), timeout=10)
        assert refused_call.value.code() == grpc.StatusCode.UNAVAILABLE
        assert grpc_stubs.reason_of(refused_call.value) == "server_draining"
        assert drain(stream)[1] == "length"
        joined, usage = grpc_stubs.join_stream(call)
        assert joined[0][3] == pb.FINISH_REASON_LENGTH
        assert usage.completion_tokens == 700
        assert server.wait_exit() == 0
        channel.close()


def test_drain_timeout_ends_what_still_runs():
    with ServerProcess("--drain-timeout", "0.2", *SLOW) as server:
        client = client_of(server)
        channel, stub = grpc_stubs.connect(server)
        stream = start_stream(client, 1000)
        call = stub.GenerateStream(pb.GenerateRequest(prompt="Once", max_tokens=1000, ignore_eos=True), timeout=60)
        next(call)
        server.terminate()
        assert drain(stream)[1] == "abort"
        assert grpc_stubs.join_stream(call)[0][0][3] == pb.FINISH_REASON_ABORTED
        assert server.wait_exit() == 0
        channel.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_it_at_once(number):
    with ServerProcess(*SLOW) as server:
        stream = start_stream(client_of(server), 1000)
        server.process.send_signal(number)
        wait_until(lambda: server.get("/ready")[0] == 503, "not ready")
        server.process.send_signal(number)
        assert server.wait_exit(5) == 128 + number
        with pytest.raises(Exception):  # whatever the client makes of a cut connection
            drain(stream)


def test_full_queue_says_so_at_once_and_clients_retry():
    with ServerProcess("--max-num-seqs", "1", "--max-waiting-requests", "1") as server:
        client = client_of(server)
        channel, stub = grpc_stubs.connect(server)
        running = start_stream(client, 600)
        waiting = stub.Generate.future(pb.GenerateRequest(prompt="x", max_tokens=2, ignore_eos=True), timeout=60)
        wait_until(lambda: server.metric("vllm:num_requests_waiting") == 1, "one waits")

        began = time.monotonic()
        with pytest.raises(openai.RateLimitError) as refused:
            client.completions.create(model=MODEL, prompt="x")
        with pytest.raises(grpc.RpcError) as refused_call:
            stub.Generate(pb.GenerateRequest(prompt="x"), timeout=10)
        assert time.monotonic() - began < 1
        assert int(refused.value.response.headers["retry-after"]) > 0
        assert refused_call.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert grpc_stubs.reason_of(refused_call.value) == "queue_full"
        assert dict(refused_call.value.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"

        # The official client comes again by itself, as Retry-After tells it.
        with ThreadPoolExecutor(1) as pool:
            patient = pool.submit(client.with_options(max_retries=20).completions.create, model=MODEL, prompt="x",
                                  max_tokens=2, extra_body={"ignore_eos": True})
            assert drain(running)[1] == "length"
            assert patient.result(timeout=60).usage.completion_tokens == 2
        assert len(waiting.result(timeout=60).choices[0].token_ids) == 2
        server.wait_idle()
        channel.close()


def test_queued_request_of_a_client_that_left_does_not_run():
    with ServerProcess("--max-num-seqs", "1", *SLOW) as server:
        client = client_of(server)
        channel, stub = grpc_stubs.connect(server)
        running = start_stream(client, 1000)
        waiting = stub.Generate.future(pb.GenerateRequest(prompt="x", max_tokens=900, ignore_eos=True), timeout=60)
        late = stub.Generate.future(pb.GenerateRequest(prompt="x", max_tokens=900, ignore_eos=True), timeout=0.3)
        wait_until(lambda: server.metric("vllm:num_requests_waiting") == 2, "two wait")
        waiting.cancel()
        wait_until(lambda: server.metric("vllm:num_requests_waiting") == 0, "none waits", 5)
        assert late.exception(timeout=10).code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert server.metric("vllm:num_requests_running") == 1
        running.close()
        server.wait_idle(5)
        channel.close()


def test_keys():
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write("# team\nsk-one\nsk-two\n")
        keys.flush()
        with ServerProcess("--api-key-file", keys.name) as server:
            for key, fits in [("sk-one", True), ("sk-two", True), ("sk-three", False), ("sk-on", False)]:
                client = client_of(server, api_key=key)
                channel, stub = grpc_stubs.connect(server)
                request = pb.GenerateRequest(prompt="x", max_tokens=1)
                if fits:
                    assert client.models.list().data[0].id == MODEL
                    stub.Generate(request, metadata=[("authorization", f"Bearer {key}")], timeout=10)
                else:
                    with pytest.raises(openai.AuthenticationError):
                        client.models.list()
                    with pytest.raises(grpc.RpcError) as refused:
                        stub.Generate(request, metadata=[("authorization", f"Bearer {key}")], timeout=10)
                    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
                channel.close()
            assert server.get("/ready")[0] == 200  # probes have no key
            assert server.get("/v1/models")[0] == 401


def test_healthcheck_command():
    with ServerProcess() as server:
        ready = run("healthcheck", "--http-port", str(server.http_port))
        assert (ready.returncode, ready.stderr) == (0, "")
        port = server.http_port
    gone = run("healthcheck", "--http-port", str(port), "--timeout", "2")
    assert gone.returncode == 1
    assert "/ready" in gone.stderr


def test_taken_ports():
    with ServerProcess() as server:
        for flag, port, free in [("--http-port", server.http_port, "--grpc-port"),
                                 ("--grpc-port", server.grpc_port, "--http-port")]:
            second = run("--model", DEMO, flag, str(port), free, "0")
            assert second.returncode == 5
            assert str(port) in second.stderr


def test_commands_and_usage_errors():
    assert run("--version").stdout.startswith("engram-server ")
    assert "--kv-cache-memory" in run("--help").stdout
    assert json.loads(run("--max-num-seqs", "3", "--print-config").stdout)["max-num-seqs"] == 3
    for arguments, words in [((), "--model is required"), (("--modle", "x"), "did you mean --model?"),
                             (("--model", DEMO, "--max-num-seqs", "0"), "--max-num-seqs: 0 is not in"),
                             (("--model", DEMO, "--api-key-file", "no/such"), "no/such")]:
        wrong = run(*arguments)
        assert wrong.returncode == 2
        assert words in wrong.stderr


def test_json_log():
    with ServerProcess("--log-format", "json") as server:
        client_of(server).completions.create(model=MODEL, prompt='a "quoted" prompt', max_tokens=1,
                                             extra_headers={"x-request-id": "id-of-mine"})
        wait_until(lambda: "id-of-mine" in server.log(), "the request in the log")
        lines = [json.loads(line) for line in server.log().strip().split("\n")]
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    assert not any("quoted" in line["message"] for line in lines)  # prompts are nobody's business


def test_served_names():
    with ServerProcess("--served-model-name", "one", "two") as server:
        client = client_of(server)
        assert [model.id for model in client.models.list().data] == ["one", "two"]
        assert client.completions.create(model="two", prompt="x", max_tokens=1).choices
        with pytest.raises(openai.NotFoundError):
            client.completions.create(model=MODEL, prompt="x", max_tokens=1)


def test_a_thousand_idle_streams_need_no_thousand_threads():
    """Queued streams: each holds a connection, none holds a thread."""
    with ServerProcess("--max-num-seqs", "1", "--http-threads", "2", "--grpc-threads", "2", *SLOW) as server:
        channel, stub = grpc_stubs.connect(server)
        running = start_stream(client_of(server), 1000)
        calls = [stub.GenerateStream(pb.GenerateRequest(prompt="x", max_tokens=900), timeout=120)
                 for _ in range(1000)]
        wait_until(lambda: server.metric("vllm:num_requests_waiting") >= 1000, "a thousand wait", 30)
        threads = len(os.listdir(f"/proc/{server.process.pid}/task"))
        assert threads < 60
        for call in calls:
            call.cancel()
        running.close()
        server.wait_idle(20)
        channel.close()
