# SPDX-License-Identifier: Apache-2.0
"""Tables that outlive the server: a keeper, and servers that are started, killed and started again."""
import json
import signal
import subprocess
import tempfile

import openai
import pytest

from server_process import BINARY, ServerProcess, wait_until


@pytest.fixture(name="socket")
def keeper():
    """The socket of a running keeper; short, as sockets' names must be."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = directory + "/tables.sock"
        with subprocess.Popen([BINARY, "table-keeper", "--socket", path, "--memory", "64MiB"],
                              stderr=subprocess.DEVNULL) as process:
            wait_until(lambda: ask(path, "--list").returncode == 0, "the keeper answers")
            yield path
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0


def ask(socket, *flags):
    return subprocess.run([BINARY, "table-keeper", "--socket", socket, *flags], capture_output=True, text=True,
                          timeout=60, check=False)


def flags(socket):
    return "--engram-config", json.dumps({"placement": "ram", "keeper": socket})


def answer(server):
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", timeout=60)
    question = [{"role": "user", "content": "What is a horse?"}]
    return client.chat.completions.create(model="engram-demo", messages=question).choices[0].message.content


def test_a_restarted_server_finds_its_tables(socket):
    with ServerProcess("--engram-config", '{"placement": "mmap"}') as server:
        expected = answer(server)
    with ServerProcess(*flags(socket)) as first:
        assert first.log().count("left with the table keeper") == 2
        assert answer(first) == expected
        with ServerProcess(*flags(socket)) as beside:
            assert beside.log().count("found with the table keeper") == 2
            assert "(ram), taking 0 B of the available memory" in beside.log()
            assert answer(beside) == expected
        first.kill()
    held = ask(socket, "--list").stdout.splitlines()
    assert len(held) == 2 and all("engram" in line for line in held)
    with ServerProcess(*flags(socket)) as again:
        assert again.log().count("found with the table keeper") == 2
        assert answer(again) == expected
        assert ask(socket, "--drop", "all").stdout == "dropped 2\n"
        assert answer(again) == expected, "what is mapped stays"


def test_without_a_keeper_the_server_starts_and_says_so(tmp_path):
    with ServerProcess(*flags(str(tmp_path / "none.sock"))) as server:
        assert "no table keeper answers" in server.log()
        assert answer(server)


def test_asking_a_keeper_that_is_not_there_fails(tmp_path):
    result = ask(str(tmp_path / "none.sock"), "--list")
    assert result.returncode == 1
    assert "no table keeper answers" in result.stderr
