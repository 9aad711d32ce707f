# SPDX-License-Identifier: Apache-2.0
"""The server that a load proof is about: as a child process, with an eye on its memory and files."""
import os
import re
import subprocess
import tempfile
import time
import urllib.request

START_SECONDS = 120
MIB = 1 << 20


def wait_until(condition, seconds):
    """True as soon as condition() holds; False after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


class ServerUnderLoad:
    """Use as a context manager. Both ports are free ones."""

    def __init__(self, binary, model, *flags):
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        command = [binary, "--model", model, "--http-port", "0", "--grpc-port", "0", *flags]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        self.http_port = self.grpc_port = 0
        if not wait_until(self._ready, START_SECONDS):
            self.stop()
            raise RuntimeError(f"the server did not become ready:\n{self._log_text()}")

    def _log_text(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self._log_text()}")
        ports = re.search(r"listening on \S+: HTTP (\d+), gRPC (\d+)", self._log_text())
        if ports:
            self.http_port, self.grpc_port = int(ports[1]), int(ports[2])
        return ports and self._get("/ready") is not None

    def _get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends it; its exit status, which is 0 after an orderly end."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def metric(self, name):
        """The sum of a metric over its labels; None if the server does not answer."""
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", self._get("/metrics") or "", re.MULTILINE)
        return sum(float(value) for value in found) if found else None

    def is_idle(self):
        """Nothing runs or waits, and no cache block is in use."""
        names = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
        return all(self.metric(name) == 0 for name in names)

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))
