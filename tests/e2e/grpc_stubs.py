# SPDX-License-Identifier: Apache-2.0
"""Python stubs of proto/engram/v1, generated when first imported, as any client would do it."""
import os
import sys
import tempfile

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from grpc_tools import protoc

_FOLDER = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
# The path of the proto files may be a link out of the sandbox: protoc wants real paths.
_PROTO = "proto/engram/v1/generation.proto"
_RESULT = protoc.main(["protoc", "-I.", f"--python_out={_FOLDER}", f"--grpc_python_out={_FOLDER}", _PROTO])
assert _RESULT == 0, "protoc failed"
sys.path.insert(0, _FOLDER)

from proto.engram.v1 import generation_pb2 as pb  # noqa: E402  pylint: disable=wrong-import-position
from proto.engram.v1 import generation_pb2_grpc as pb_grpc  # noqa: E402  pylint: disable=wrong-import-position

SERVICE = "engram.v1.GenerationService"


def connect(server, **options):
    """(channel, stub) to a ServerProcess. `options` become channel options: keepalive_time_ms=10000."""
    channel = grpc.insecure_channel(server.grpc_target, options=[(f"grpc.{k}", v) for k, v in options.items()])
    return channel, pb_grpc.GenerationServiceStub(channel)


def field_of(error):
    """The field that an INVALID_ARGUMENT names, read with the official google.rpc library."""
    for detail in rpc_status.from_call(error).details:
        bad_request = error_details_pb2.BadRequest()
        if detail.Unpack(bad_request):
            return bad_request.field_violations[0].field
    return None


def reason_of(error):
    """google.rpc.ErrorInfo's reason."""
    for detail in rpc_status.from_call(error).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            assert info.domain == "engram.v1"
            return info.reason
    return None


def join_stream(responses):
    """What a stream's messages are together: {index: (text, ids, logprobs, finish)}, last usage."""
    text, ids, logprobs, finish, usage = {}, {}, {}, {}, None
    for response in responses:
        for choice in response.choices:
            text[choice.index] = text.get(choice.index, "") + choice.text
            ids.setdefault(choice.index, []).extend(choice.token_ids)
            logprobs.setdefault(choice.index, []).extend(choice.logprobs)
            if choice.finish_reason:
                finish[choice.index] = choice.finish_reason
        if response.HasField("usage"):
            usage = response.usage
    return {i: (text[i], ids[i], logprobs[i], finish.get(i)) for i in text}, usage
