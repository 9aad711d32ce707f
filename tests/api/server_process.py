# SPDX-License-Identifier: Apache-2.0
"""The server under test: started with the flags of the recording, stopped at the end."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

NAMES = ["--served-model-name", "tiny", "tiny-alias"]
KEYS = ["sk-test-1", "sk-test-2"]  # what the server "full" of the recording was started with
START_PATIENCE_S = 120


def make_model(root, folder):
    """The recording's model: DeepSeek-V3's tokenizer and a tiny shape; weights are random anyway."""
    data = os.path.join(root, "tests", "testdata")
    shutil.copy(os.path.join(data, "api", "model", "config.json"), folder)
    shutil.copy(os.path.join(data, "tokenizer_deepseek_v3", "tokenizer.json"), folder)
    with open(os.path.join(data, "tokenizer_deepseek_v3", "tokenizer_config.json"), encoding="utf-8") as file:
        config = json.load(file)
    # The recorded vLLM ran with transformers 5, which does not add the BOS that the tokenizer asks for
    # (fact 12 of the data's README). This server adds it; here it is told not to, so that counts agree.
    config["add_bos_token"] = False
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    return folder


class ServerProcess:
    def __init__(self, binary, model, keys, flags=()):
        self._log = tempfile.TemporaryFile("w+")
        args = [binary, "--model", model, "--load-format", "dummy", *NAMES, "--max-model-len", "512",
                "--max-num-seqs", "8", "--http-port", "0", "--grpc-port", "0", *flags]
        if keys:
            self._keys = tempfile.NamedTemporaryFile("w", suffix=".keys")
            self._keys.write("\n".join(keys) + "\n")
            self._keys.flush()
            args += ["--api-key-file", self._keys.name]
        self._process = subprocess.Popen(args, stdout=self._log, stderr=subprocess.STDOUT)
        self.port = None

    def __enter__(self):
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline and self.alive():
            log = self.log()
            found = re.search(r"listening on [^:]+: HTTP (\d+)", log)
            if found and re.search(r"ready after", log):
                self.port = int(found.group(1))
                return self
            time.sleep(0.05)
        self._process.kill()
        raise RuntimeError("the server did not start:\n" + self.log())

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def alive(self):
        return self._process.poll() is None

    def terminate(self):
        """SIGTERM, without waiting."""
        self._process.terminate()

    def wait(self, timeout_s):
        """The exit status."""
        return self._process.wait(timeout=timeout_s)

    def log(self):
        self._log.seek(0)
        return self._log.read()
