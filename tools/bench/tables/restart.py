# SPDX-License-Identifier: Apache-2.0
"""How long a server takes to be ready: with tables to load, and with tables that a keeper holds."""
import os
import subprocess
import tempfile
import time

from markdown import table
from server_under_load import ServerUnderLoad, wait_until


def seconds_to_ready(server, model, config):
    started = time.monotonic()
    with ServerUnderLoad(server, model, "--engram-config", config, "--kv-cache-memory", "256MiB") as running:
        took = time.monotonic() - started
        kept = running.metric("engram_table_huge_page_bytes") / running.metric("engram_table_bytes")
    return took, kept


def measure(server, model, say):
    with tempfile.TemporaryDirectory() as folder:
        socket = os.path.join(folder, "tables.sock")
        keeper = subprocess.Popen([server, "table-keeper", "--socket", socket, "--memory", "16GiB"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if not wait_until(lambda: os.path.exists(socket), 10):
                raise RuntimeError("the table keeper did not start")
            rows = []
            kept = f'{{"placement": "ram", "keeper": "{socket}"}}'
            for name, config in (("loads its own copy", '{"placement": "ram"}'), ("fills the keeper", kept),
                                 ("finds the keeper filled", kept), ("and again", kept),
                                 ("tables on the drive", '{"placement": "nvme"}')):
                say(f"restart: {name}")
                took, huge = seconds_to_ready(server, model, config)
                rows.append([name, f"{took:.2f}", f"{100 * huge:.0f} %"])
        finally:
            keeper.terminate()
            keeper.wait(timeout=60)
    return table(["a server that", "is ready after s", "huge pages"], rows)
