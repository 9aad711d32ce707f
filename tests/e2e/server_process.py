# SPDX-License-Identifier: Apache-2.0
"""The real server as a child process: on free ports, with its log at hand, and surely ended."""
import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

BINARY = os.environ.get("ENGRAM_SERVER", "server/engram-server")
DEMO = "models/engram-demo"
START_SECONDS = 60


def wait_until(condition, what, seconds=20):
    """Polls until condition() is true; its last value. Fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class ServerProcess:
    """Use as a context manager. `flags` are the server's; ports are free ones unless given."""

    def __init__(self, *flags, model=DEMO, wait_ready=True):
        self.log_file = tempfile.NamedTemporaryFile("w+", suffix=".log", dir=os.environ.get("TEST_TMPDIR"))
        command = [BINARY, "--model", model, "--http-port", "0", "--grpc-port", "0", "--log-level", "debug", *flags]
        self.process = subprocess.Popen(command, stdout=self.log_file, stderr=subprocess.STDOUT)
        self.model_name = os.path.basename(model)
        try:
            ports = wait_until(self._ports, "listening", START_SECONDS)
            self.http_port, self.grpc_port = int(ports[1]), int(ports[2])
            if wait_ready:
                wait_until(lambda: self.get("/ready")[0] == 200, "ready", START_SECONDS)
        except BaseException:
            self.kill()
            print(self.log())
            raise

    def _ports(self):
        assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log()}"
        return re.search(r"listening on \S+: HTTP (\d+), gRPC (\d+)", self.log())

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.kill()
        if kind is not None:
            print("\n".join(self.log().split("\n")[-40:]))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def grpc_target(self):
        return f"127.0.0.1:{self.grpc_port}"

    def log(self):
        with open(self.log_file.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def get(self, path):
        """(status, body) of a GET; (0, "") if nobody listens."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name):
        """The sum of a metric over its labels."""
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        assert found, f"no metric {name}"
        return sum(float(value) for value in found)

    def is_idle(self):
        """Nothing runs, nothing waits, and no cache block is in use."""
        return (self.metric("vllm:num_requests_running") == 0 and self.metric("vllm:num_requests_waiting") == 0
                and self.metric("vllm:kv_cache_usage_perc") == 0)

    def wait_idle(self, seconds=10):
        wait_until(self.is_idle, "idle, no block in use", seconds)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait_exit(self, seconds=20):
        return self.process.wait(timeout=seconds)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
