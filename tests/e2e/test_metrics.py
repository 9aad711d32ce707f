# SPDX-License-Identifier: Apache-2.0
"""/metrics and the periodic log line of the real server: what its Engram lookups cost."""
import re

import openai

from server_process import ServerProcess, wait_until

MODEL = "engram-demo"
LAYERS = ("1", "3")  # engram_layer_ids of the demo model
LOOKUPS = 8  # per token and layer: orders 2 and 3, 4 heads each
ROW_BYTES = 64  # 32 values of bf16
MAPPED = ("--engram-config", '{"placement": "mmap"}')  # not what this machine would choose


def engram_metrics(server):
    """{(name, layer, tier): value} of all engram_ series."""
    found = re.findall(r'^(engram_\w+?)(?:{layer="(\d+)"(?:,tier="(\w+)")?})? (\S+)$', server.get("/metrics")[1],
                       re.MULTILINE)
    return {(name, layer, tier): float(value) for name, layer, tier, value in found}


def complete(server, prompt, **extra):
    """The number of tokens that went through the model: all but the last one sampled."""
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
    usage = client.completions.create(model=MODEL, prompt=prompt, max_tokens=9, temperature=0,
                                      extra_body={"ignore_eos": True, **extra}).usage
    server.wait_idle()
    return usage.prompt_tokens + usage.completion_tokens - 1


def grown(server, action):
    before = engram_metrics(server)
    tokens = action()
    after = engram_metrics(server)
    return tokens, {key: value - before[key] for key, value in after.items()}


def check_counts(tokens, by):
    for layer in LAYERS:
        assert by["engram_lookups_total", layer, ""] == tokens * LOOKUPS
        unique = by["engram_unique_rows_total", layer, ""]
        assert tokens < unique <= tokens * LOOKUPS
        assert by["engram_row_bytes_total", layer, "mmap"] == unique * ROW_BYTES
        assert by["engram_gather_seconds_total", layer, ""] > 0


def test_lookups_are_counted_per_layer():
    with ServerProcess(*MAPPED, "--no-enable-prefix-caching") as server:
        tokens, by = grown(server, lambda: complete(server, "What is a horse? What is a horse?"))
        check_counts(tokens, by)
        assert by["engram_steps_total", "", ""] == 9  # the prompt, then one token each
        now = engram_metrics(server)
        assert now["engram_table_bytes", "1", "mmap"] == 120408 * ROW_BYTES
        assert now["engram_table_bytes", "3", "mmap"] == 120976 * ROW_BYTES
        for name in ("engram_row_cache_lookups_total", "engram_row_cache_hits_total", "engram_disk_reads_total",
                     "engram_disk_read_bytes_total", "engram_disk_read_seconds_total",
                     "engram_table_huge_page_bytes"):
            for layer in LAYERS:  # a mapped table has neither cache nor reads of its own
                assert now[name, layer, ""] == 0


def test_memory_that_is_off_is_not_counted():
    with ServerProcess(*MAPPED) as server:
        _, by = grown(server, lambda: complete(server, "A river", engram={"enabled": False}))
        assert by["engram_lookups_total", "1", ""] == 0
        assert by["engram_steps_total", "", ""] == 9


def test_without_prefetch_layers_wait_for_all_of_it():
    with ServerProcess(*MAPPED, "--engram-prefetch", "off", "--no-enable-prefix-caching") as server:
        tokens, by = grown(server, lambda: complete(server, "What is a horse?"))
        check_counts(tokens, by)
        for layer in LAYERS:
            assert by["engram_stall_seconds_total", layer, ""] >= by["engram_gather_seconds_total", layer, ""]


def test_the_periodic_log_line_ends_with_the_lookups():
    with ServerProcess(*MAPPED) as server:
        tokens = complete(server, "What is a horse?")
        line = wait_until(lambda: re.search(r"Prefix cache hit rate: .*, Engram: (\d+) rows \([\d.]+% unique, "
                                            r"[\d.]+ MB\), gather [\d.]+ ms, stall [\d.]+ ms$", server.log(),
                                            re.MULTILINE), "the line of every ten seconds", 20)
        warm_up = 16  # tokens of the step at start
        assert int(line[1]) == (tokens + warm_up) * LOOKUPS * len(LAYERS)


def test_a_model_without_memory_has_no_such_metrics():
    with ServerProcess(*MAPPED, model="tests/testdata/tiny/deepseek_v3") as server:
        assert not engram_metrics(server)


def test_a_table_on_a_drive_tells_of_its_reads():
    with ServerProcess("--engram-config", '{"placement": "nvme", "cache_bytes": "64MiB"}') as server:
        _, first = grown(server, lambda: complete(server, "What is a horse?"))
        _, second = grown(server, lambda: complete(server, "What is a horse?"))
        for layer in LAYERS:
            assert engram_metrics(server)["engram_table_bytes", layer, "nvme"] > 0
            assert first["engram_disk_reads_total", layer, ""] > 0
            assert first["engram_disk_read_seconds_total", layer, ""] > 0
            # The same tokens again: their rows are in the cache. But for those of the last one, which nobody
            # computes: the table hears of it all the same, and may read while the first answer is on its way.
            assert second["engram_disk_reads_total", layer, ""] <= LOOKUPS
            assert second["engram_row_cache_hits_total", layer, ""] > 0
