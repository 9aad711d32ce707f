# SPDX-License-Identifier: Apache-2.0
"""Conversations with tables in every storage, prefetch on and off: they give the same tokens, or it says where not."""
import concurrent.futures
import json
import random
import urllib.request

from server_under_load import ServerUnderLoad

TURNS = 3
AT_ONCE = 8
TOKENS_PER_TURN = 16
VOCABULARY = 8192


def complete(server, prompt):
    """Greedy; the ids of the answer."""
    body = {"model": "engram", "prompt": prompt, "max_tokens": TOKENS_PER_TURN, "temperature": 0, "ignore_eos": True,
            "return_token_ids": True}
    request = urllib.request.Request(f"http://127.0.0.1:{server.http_port}/v1/completions", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)["choices"][0]["token_ids"]


def converse(server, seed):
    """Turns of random ids, each after the answer to the one before."""
    draw = random.Random(seed)
    history, answers = [0], []
    for _ in range(TURNS):
        history += [draw.randrange(16, VOCABULARY) for _ in range(draw.randrange(4, 40))]
        answer = complete(server, history)
        history += answer
        answers += answer
    return answers


def hold(binary, model, config, flags, count):
    with ServerUnderLoad(binary, model, "--engram-config", json.dumps(config), "--kv-cache-memory", "256MiB",
                         "--served-model-name", "engram", *flags) as server:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda seed: converse(server, seed), range(count)))


def compare(binary, model, count, say):
    """Markdown lines, and whether all were equal."""
    lines, same, reference, first = [], True, None, None
    for config in ({"placement": "ram"}, {"placement": "mmap"}, {"placement": "nvme"},
                   {"placement": "nvme", "cache_bytes": "1MiB"}):
        for flags in ([], ["--engram-prefetch", "off"]):
            name = " ".join([json.dumps(config), *flags])
            say(f"conversations: {name}")
            answers = hold(binary, model, config, flags, count)
            if reference is None:
                reference, first = answers, name
                continue
            differ = sum(ours != theirs for ours, theirs in zip(answers, reference))
            same &= differ == 0
            lines.append(f"- {name}: {differ} of {count} conversations differ from {first}")
    tokens = sum(len(answer) for answer in reference)
    lines.append(f"- {tokens} tokens in each, {len(set(map(tuple, reference)))} different conversations")
    return lines, same
