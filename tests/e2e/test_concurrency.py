# SPDX-License-Identifier: Apache-2.0
"""Many clients at once: each gets exactly what it gets alone, and those who leave leave nothing behind."""
import json
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import openai

import grpc_stubs
from grpc_stubs import pb
from server_process import ServerProcess

MODEL = "engram-demo"
PROMPTS = [
    "Once upon a time", "The capital of France is", "你好，世界", "1, 2, 3, 4,", "def main():",
    "The horse was tamed by Alexander the Great, who " * 6,
    "It was the best of times, it was the worst of times, " * 9,
]


def mixed_request(i):
    """The i-th of a mix: lengths, sampling, stop strings, choices; a third of them streamed, a third over gRPC."""
    chance = random.Random(i)
    request = {
        "prompt": f"{chance.choice(PROMPTS)} {i % 5}",
        "max_tokens": chance.randint(1, 64),
        "temperature": chance.choice([0, 0.7, 1.0]),
        "seed": i,
        "n": 1,
        "logprobs": 2,
        "stop": chance.choice([[], ["e "], ["\n\n", "the"]]),
        "top_k": chance.choice([0, 20]),
        "repetition_penalty": chance.choice([1.0, 1.25]),
        "presence_penalty": chance.choice([0.0, 0.5]),
        "ignore_eos": chance.random() < 0.5,
        "engram": {"enabled": chance.random() < 0.8},
    }
    if request["temperature"] > 0 and i % 4 == 0:
        request["n"] = 2
    return request


class Asker:
    """Asks one request over HTTP, streamed or not, or over gRPC; every answer in one form."""

    def __init__(self, server):
        self.client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120)
        self.channel, self.stub = grpc_stubs.connect(server)

    def close(self):
        self.client.close()
        self.channel.close()

    def ask(self, i):
        return (self.over_http, self.over_http_stream, self.over_grpc)[i % 3](mixed_request(i))

    def split(self, request):
        extra = {"return_token_ids": True}
        for key in ("top_k", "repetition_penalty", "ignore_eos", "engram"):
            extra[key] = request.pop(key)
        return {"model": MODEL, "extra_body": extra, **request}

    def over_http(self, request):
        answer = self.client.completions.create(**self.split(request))
        return {c.index: (c.text, c.token_ids, c.logprobs.token_logprobs, c.finish_reason) for c in answer.choices}

    def over_http_stream(self, request):
        found = {}
        for chunk in self.client.completions.create(stream=True, **self.split(request)):
            for choice in chunk.choices:
                text, ids, logprobs, finish = found.get(choice.index, ("", [], [], None))
                more = choice.logprobs.token_logprobs if choice.logprobs else []
                found[choice.index] = (text + choice.text, ids + (choice.token_ids or []), logprobs + more,
                                       choice.finish_reason or finish)
        return found

    def over_grpc(self, request):
        response = self.stub.Generate(pb.GenerateRequest(**request), timeout=120)
        return {c.index: (c.text, list(c.token_ids), [one.token.logprob for one in c.logprobs], c.finish_reason)
                for c in response.choices}


def test_64_mixed_requests_give_what_each_gives_alone():
    # Few sequences and blocks: requests queue, share prefixes, and are preempted.
    with ServerProcess("--max-num-seqs", "12", "--max-num-batched-tokens", "96", "--kv-cache-memory", "3MiB",
                       "--max-model-len", "256", "--block-size", "8") as server:
        asker = Asker(server)
        alone = [asker.ask(i) for i in range(64)]
        with ThreadPoolExecutor(64) as pool:
            together = list(pool.map(asker.ask, range(64)))
        asker.close()
        server.wait_idle()
        assert server.metric("vllm:num_preemptions_total") > 0
        assert server.metric("vllm:prefix_cache_hits_total") > 0
        for i, (one, many) in enumerate(zip(alone, together)):
            assert many == one, f"request {i}: {mixed_request(i)}"
        assert len({json.dumps(one, sort_keys=True) for one in alone}) > 40  # the mix is one


def raw_request(stream, tokens):
    body = json.dumps({"model": MODEL, "prompt": "Once upon a time", "max_tokens": tokens, "stream": stream,
                       "ignore_eos": True}).encode()
    return (b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


def leave_http(server, chance):
    """A client that goes away: somewhere in its request, while it waits, or in the middle of a stream."""
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=30) as connection:
        request = raw_request(stream=chance.random() < 0.6, tokens=500)
        if chance.random() < 0.1:
            request = request[:chance.randrange(len(request))]
        connection.sendall(request)
        connection.settimeout(chance.choice([0.001, 0.02, 0.2]))
        try:
            for _ in range(chance.randint(0, 5)):
                if not connection.recv(600):
                    break
        except TimeoutError:
            pass
        if chance.random() < 0.5:  # a reset instead of a goodbye
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def leave_grpc(stub, chance):
    request = pb.GenerateRequest(prompt="Once upon a time", max_tokens=500, ignore_eos=True)
    if chance.random() < 0.5:
        call = stub.GenerateStream(request)
        for _ in range(chance.randint(0, 4)):
            next(call)
    else:
        call = stub.Generate.future(request)
        threading.Event().wait(chance.choice([0, 0.02, 0.2]))
    call.cancel()


def test_clients_killed_at_random_leave_no_block_in_use():
    # Four run at a time: many leave while they are queued.
    with ServerProcess("--max-num-seqs", "4", "--kv-cache-memory", "32MiB", "--max-waiting-requests", "64") as server:
        channel, stub = grpc_stubs.connect(server)

        def leave(i):
            chance = random.Random(i)
            leave_http(server, chance) if i % 2 else leave_grpc(stub, chance)

        with ThreadPoolExecutor(24) as pool:
            list(pool.map(leave, range(120)))
        server.wait_idle(seconds=10)
        # And it goes on as if nothing had been.
        asker = Asker(server)
        assert asker.over_grpc(mixed_request(1)) == asker.over_grpc(mixed_request(1))
        asker.close()
        channel.close()
        server.wait_idle()
        assert server.process.poll() is None
