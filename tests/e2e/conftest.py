# SPDX-License-Identifier: Apache-2.0
"""What several test files share: one server with the demo model, and clients to it."""
import openai
import pytest

import grpc_stubs
from server_process import ServerProcess


@pytest.fixture(scope="module")
def demo():
    """A server with the demo model that serves all tests of a file and is idle after each."""
    with ServerProcess("--max-num-seqs", "16", "--kv-cache-memory", "128MiB") as server:
        yield server


@pytest.fixture
def client(demo):
    with openai.OpenAI(base_url=demo.url + "/v1", api_key="none", max_retries=0, timeout=60) as made:
        yield made
    demo.wait_idle()


@pytest.fixture
def stub(demo):
    channel, made = grpc_stubs.connect(demo)
    yield made
    channel.close()
    demo.wait_idle()
