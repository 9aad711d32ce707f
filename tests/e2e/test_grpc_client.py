# SPDX-License-Identifier: Apache-2.0
"""Python's own gRPC, with stubs made from the proto file: generation, errors, health, reflection, keep-alive."""
import threading
import time

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import grpc_stubs
from grpc_stubs import pb

ANSWER = "The capital of France is Paris."


def chat(text, **fields):
    return pb.GenerateRequest(chat={"messages": [{"role": "user", "content": text}]}, **fields)


def test_chat(stub):
    response = stub.Generate(chat("What is the capital of France?", request_id="mine"), timeout=30)
    assert response.choices[0].text == ANSWER
    assert response.choices[0].finish_reason == pb.FINISH_REASON_STOP
    assert response.request_id == "mine"
    assert response.model == "engram-demo"
    assert response.usage.completion_tokens == len(response.choices[0].token_ids)


def test_stream_is_the_same_as_unary(stub):
    request = pb.GenerateRequest(prompt="Once upon a time", temperature=1, seed=3, n=3, max_tokens=30, logprobs=2,
                                 prompt_logprobs=1, return_prompt_token_ids=True, stop=["the"])
    unary = stub.Generate(request, timeout=30)
    responses = list(stub.GenerateStream(request, timeout=30))
    assert len(responses) > 3
    streamed, usage = grpc_stubs.join_stream(responses)
    assert streamed == {c.index: (c.text, list(c.token_ids), list(c.logprobs), c.finish_reason)
                        for c in unary.choices}
    assert usage.completion_tokens == unary.usage.completion_tokens
    assert [r.HasField("prompt") for r in responses] == [True] + [False] * (len(responses) - 1)
    assert responses[0].prompt == unary.prompt
    assert len(unary.prompt.logprobs) == len(unary.prompt.token_ids) == unary.usage.prompt_tokens
    assert not unary.prompt.logprobs[0].HasField("token")
    assert unary.prompt.logprobs[1].token.token_id == unary.prompt.token_ids[1]
    assert all(len(one.top) == 2 for one in unary.choices[0].logprobs)


def test_same_tokens_as_over_http(stub, client):
    http = client.completions.create(model="", prompt="Once upon a time", temperature=1, seed=11, max_tokens=20,
                                     extra_body={"return_token_ids": True})
    response = stub.Generate(pb.GenerateRequest(prompt="Once upon a time", temperature=1, seed=11, max_tokens=20),
                             timeout=30)
    assert list(response.choices[0].token_ids) == http.choices[0].token_ids
    assert response.choices[0].text == http.choices[0].text


def test_prompt_alone(stub):
    response = stub.Generate(pb.GenerateRequest(prompt="The capital of France is Paris.", max_tokens=0,
                                                prompt_logprobs=0), timeout=30)
    assert response.choices[0].text == ""
    assert len(response.prompt.logprobs) == response.usage.prompt_tokens
    assert all(entry.token.logprob < 0 for entry in response.prompt.logprobs[1:])


def test_memory_gates(stub):
    response = stub.Generate(chat("What is the capital of France?", engram={"gates": True}), timeout=30)
    gates = response.choices[0].gates
    assert len(gates) == len(response.choices[0].token_ids)
    assert all(len(entry.values) == 8 for entry in gates[:-1])  # two layers, four streams
    assert all(0 < value < 1 for entry in gates for value in entry.values)
    assert len(response.prompt.gates) == response.usage.prompt_tokens


@pytest.mark.parametrize("request_fields, field", [
    ({}, "input"),
    ({"prompt": "x", "temperature": 2.5}, "temperature"),
    ({"prompt": "x", "temperature": float("nan")}, "temperature"),
    ({"prompt": "x", "top_k": -2}, "top_k"),
    ({"prompt": "x", "top_p": 0}, "top_p"),
    ({"prompt": "x", "n": 129}, "n"),
    ({"prompt": "x", "logprobs": 21}, "logprobs"),
    ({"prompt": "x", "prompt_logprobs": -1}, "prompt_logprobs"),
    ({"prompt": "x", "max_tokens": -5}, "max_tokens"),
    ({"prompt": "x", "stop": ["a"] * 17}, "stop"),
    ({"prompt": "x", "stop_token_ids": [8192]}, "stop_token_ids"),
    ({"prompt": "x", "logit_bias": {5: 101}}, "logit_bias"),
    ({"prompt": "x", "priority": 2000000}, "priority"),
    ({"prompt": "x", "cache_salt": "s" * 257}, "cache_salt"),
    ({"prompt": "x", "request_id": "r" * 129}, "request_id"),
    ({"prompt": "x", "time_limit_ms": 0}, "time_limit_ms"),
    ({"token_ids": {"ids": [8192]}}, "token_ids.ids"),
    ({"token_ids": {"ids": []}}, "token_ids.ids"),
    ({"chat": {}}, "chat.messages"),
    ({"chat": {"messages": [{"role": "usr", "content": "x"}]}}, "chat.messages[0].role"),
])
def test_invalid_fields_are_named(stub, request_fields, field):
    for call in (stub.Generate, lambda request, timeout: list(stub.GenerateStream(request, timeout=timeout))):
        with pytest.raises(grpc.RpcError) as caught:
            call(pb.GenerateRequest(**request_fields), timeout=30)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert grpc_stubs.field_of(caught.value).startswith(field)


def test_other_errors(stub):
    with pytest.raises(grpc.RpcError) as unknown:
        stub.Generate(pb.GenerateRequest(model="other", prompt="x"), timeout=30)
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as long:
        stub.Generate(pb.GenerateRequest(prompt="word " * 5000), timeout=30)
    assert long.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert grpc_stubs.reason_of(long.value) == "context_length_exceeded"
    with pytest.raises(grpc.RpcError) as large:
        stub.Generate(pb.GenerateRequest(prompt="x" * (17 << 20)), timeout=30)
    assert large.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_tokenize_and_detokenize(stub):
    text = "naïve café 你好 🙂"
    tokens = stub.Tokenize(pb.TokenizeRequest(prompt=text, add_special_tokens=False), timeout=30)
    assert tokens.max_model_len == 1024
    assert stub.Detokenize(pb.DetokenizeRequest(token_ids=tokens.token_ids), timeout=30).text == text
    rendered = stub.Tokenize(pb.TokenizeRequest(chat={"messages": [{"role": "user", "content": "Hi"}]}), timeout=30)
    generated = stub.Generate(chat("Hi", max_tokens=1, return_prompt_token_ids=True), timeout=30)
    assert rendered.token_ids == generated.prompt.token_ids


def test_models_and_server(stub):
    models = stub.ListModels(pb.ListModelsRequest(), timeout=30).models
    assert [(m.name, m.max_model_len, m.vocab_size, m.has_engram) for m in models] == [
        ("engram-demo", 1024, 8192, True)]
    info = stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=30)
    assert info.state == pb.SERVER_STATE_SERVING
    assert info.cache_blocks_total > 0


def test_deadline_and_time_limit(demo, stub):
    long = pb.GenerateRequest(prompt="Once", max_tokens=1000, ignore_eos=True)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Generate(long, timeout=0.15)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    demo.wait_idle(seconds=5)
    long.time_limit_ms = 150
    response = stub.Generate(long, timeout=30)
    assert response.choices[0].finish_reason == pb.FINISH_REASON_TIME_LIMIT
    assert 0 < len(response.choices[0].token_ids) < 1000


def test_cancel_frees_at_once(demo, stub):
    stream = stub.GenerateStream(pb.GenerateRequest(prompt="Once", max_tokens=1000, ignore_eos=True), timeout=60)
    next(stream)
    stream.cancel()
    demo.wait_idle(seconds=5)


def test_health(demo):
    channel, _ = grpc_stubs.connect(demo)
    with channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", grpc_stubs.SERVICE):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            health.Check(health_pb2.HealthCheckRequest(service="other"), timeout=10)
        assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


def test_reflection(demo):
    channel, _ = grpc_stubs.connect(demo)
    with channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {grpc_stubs.SERVICE, "grpc.health.v1.Health"} <= set(database.get_services())
        service = DescriptorPool(database).FindServiceByName(grpc_stubs.SERVICE)
        assert [method.name for method in service.methods] == [
            "Generate", "GenerateStream", "Tokenize", "Detokenize", "ListModels", "GetServerInfo"]


def test_keep_alive_pings_are_tolerated(demo):
    """gRPC servers end connections that ping more often than every five minutes, unless told otherwise."""
    channel, stub = grpc_stubs.connect(demo, keepalive_time_ms=10000, keepalive_permit_without_calls=1,
                                       http2_max_pings_without_data=0)
    states = []
    with channel:
        stub.ListModels(pb.ListModelsRequest(), timeout=10)
        channel.subscribe(lambda state: states.append((state, time.monotonic())))
        # Two strikes are forgiven and the third ping ends the connection: wait for more than three.
        threading.Event().wait(35)
        stub.ListModels(pb.ListModelsRequest(), timeout=10)
    during = [state for state, _ in states if state not in (grpc.ChannelConnectivity.READY,
                                                            grpc.ChannelConnectivity.SHUTDOWN)]
    assert during == [], "the server ended the connection"
