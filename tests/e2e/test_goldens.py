# SPDX-License-Identifier: Apache-2.0
"""Every reference checkpoint over HTTP: log-probabilities of prompts (echo) and of greedy continuations, and
the gates over gRPC, against what other implementations computed."""
import openai
import pytest

import grpc_stubs
from golden import Golden, log_softmax
from grpc_stubs import pb
from server_process import DEMO, ServerProcess

TINY = ["deepseek_v3", "deepseek_v3_noqlora", "engram_paper", "engram_demo_profile", "engram_plain"]
TOLERANCE = {"ref": 2e-4, "cpu": 1e-3}
GATE_TOLERANCE = {"ref": 3e-5, "cpu": 1e-3}
CASES = [(f"tests/testdata/tiny/{name}", f"tests/testdata/tiny/{name}", backend)
         for name in TINY for backend in ("ref", "cpu")]
DEMO_CASE = (DEMO, "tests/testdata/engram-demo", "cpu")
CASES.append(DEMO_CASE)


def case_name(case):
    return case[0].split("/")[-1] + "-" + case[2]


def top(entry, count):
    return sorted(entry.values(), reverse=True)[:count]


class Checkpoint:
    def __init__(self, server, golden, backend):
        self.golden = golden
        self.tolerance = TOLERANCE[backend]
        self.gate_tolerance = GATE_TOLERANCE[backend]
        self.server = server
        self.client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120)

    def close_enough(self, got, wanted):
        assert got == pytest.approx(wanted, abs=self.tolerance, rel=0)

    def complete(self, ids, **arguments):
        # Tokens as ids: different tokens may have the same text.
        extra = {"return_token_ids": True, "return_tokens_as_token_ids": True, "ignore_eos": True,
                 **arguments.pop("extra", {})}
        answer = self.client.completions.create(model="", prompt=[ids], temperature=0, extra_body=extra, **arguments)
        return answer.choices[0]


@pytest.fixture(scope="module", params=CASES, ids=case_name)
def checkpoint(request):
    model, golden, backend = request.param
    flags = ["--backend", backend, "--kv-cache-memory", "64MiB", "--max-num-seqs", "4"]
    with ServerProcess(*flags, model=model) as server:
        made = Checkpoint(server, Golden(golden), backend)
        yield made
        made.client.close()
        server.wait_idle()


def test_prompt_logprobs(checkpoint):
    golden = checkpoint.golden
    for i, prompt in enumerate(golden.prompts):
        ids = golden.rows(f"p{i}.input_ids")
        first = prompt["first_logits_position"]
        wanted = [log_softmax(row) for row in golden.rows(f"p{i}.logits")]
        choice = checkpoint.complete(ids, echo=True, logprobs=5, max_tokens=1)
        assert choice.prompt_token_ids == ids, prompt["name"]
        # Entry p is token p; its log-probability comes from the logits at p - 1.
        got, tops = choice.logprobs.token_logprobs, choice.logprobs.top_logprobs
        assert got[0] is None
        assert len(got) == len(ids) + 1
        for position in range(first, len(ids)):
            row = wanted[position - first]
            token = ids[position + 1] if position + 1 < len(ids) else choice.token_ids[0]
            checkpoint.close_enough(got[position + 1], row[token])
            checkpoint.close_enough(top(tops[position + 1], 5), sorted(row, reverse=True)[:5])


def test_greedy_continuations(checkpoint):
    golden = checkpoint.golden
    for i, prompt in enumerate(golden.prompts):
        wanted = golden.rows(f"p{i}.greedy_ids")
        choice = checkpoint.complete(golden.rows(f"p{i}.input_ids"), max_tokens=len(wanted))
        assert choice.token_ids == wanted, prompt["name"]
        assert choice.finish_reason == "length"


@pytest.mark.parametrize("checkpoint", [DEMO_CASE], indirect=True, ids=case_name)
def test_memory_switched_off(checkpoint):
    golden = checkpoint.golden
    for i, prompt in enumerate(golden.prompts):
        wanted = golden.rows(f"p{i}.memory_off.greedy_ids")
        choice = checkpoint.complete(golden.rows(f"p{i}.input_ids"), max_tokens=len(wanted), logprobs=5,
                                     extra={"engram": {"enabled": False}})
        assert choice.token_ids == wanted, prompt["name"]
        row = log_softmax(golden.rows(f"p{i}.memory_off.logits")[-1])
        checkpoint.close_enough(choice.logprobs.token_logprobs[0], row[wanted[0]])


def test_text_prompts_tokenize_alike(checkpoint):
    golden = checkpoint.golden
    for i, prompt in enumerate(golden.prompts):
        if not prompt["text"]:
            continue  # BOS alone
        choice = checkpoint.client.completions.create(
            model="", prompt=prompt["text"], max_tokens=1, extra_body={"return_token_ids": True}).choices[0]
        assert choice.prompt_token_ids == golden.rows(f"p{i}.input_ids"), prompt["name"]


def test_gates_over_grpc(checkpoint):
    golden = checkpoint.golden
    layers = sorted({int(name.split(".")[2]) for name in golden.names() if name.endswith(".gates")})
    channel, stub = grpc_stubs.connect(checkpoint.server)
    with channel:
        for i, prompt in enumerate(golden.prompts):
            request = pb.GenerateRequest(max_tokens=3, temperature=0, ignore_eos=True, engram={"gates": True})
            request.token_ids.ids.extend(golden.rows(f"p{i}.input_ids"))
            if not layers:
                with pytest.raises(grpc_stubs.grpc.RpcError) as caught:
                    stub.Generate(request, timeout=60)
                assert grpc_stubs.field_of(caught.value) == "engram.gates"
                return
            response = stub.Generate(request, timeout=60)
            per_layer = [golden.rows(f"p{i}.engram.{layer}.gates") for layer in layers]
            wanted = [[gate for rows in per_layer for gate in rows[position]]
                      for position in range(prompt["tokens"])]
            assert len(response.prompt.gates) == len(wanted)
            for got, row in zip(response.prompt.gates, wanted):
                assert list(got.values) == pytest.approx(row, abs=checkpoint.gate_tolerance, rel=0)
            # One per token of the answer; the last one has not been read.
            assert [len(gates.values) for gates in response.choices[0].gates] == [len(wanted[0])] * 2 + [0]
