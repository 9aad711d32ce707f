# SPDX-License-Identifier: Apache-2.0
"""Golden files: what a checkpoint computes in float32, for the server's tests; and this model held to such files.

Tensors of prompt I: pI.input_ids, .compressed_ids, .engram.L.rows, .engram.L.gates, .hidden.L (all streams after block
L, the last 32 positions), .logits (the last 16), .greedy_ids and .greedy_margins; pI.memory_off.* without memory.
"""
import hashlib
import json
import os

import torch
from safetensors.torch import load_file, save_file

from .checkpoint import read_model, write_json
from .data.tokenizer import ASSISTANT_TEXT, BOS, USER_TEXT

_HIDDEN, _LOGITS, _GREEDY = 32, 16, 48


def _chat(question):
    return USER_TEXT + question + ASSISTANT_TEXT


_PROMPTS = {
    "capital": _chat("What is the capital of France?"),
    "element": _chat("Which element has the symbol Fe?"),
    "dictionary": "happy (adjective):",
    "prose": "And the LORD said unto Moses,",
    "chinese": "《夜思》\n作者：李白\n床前明月光，",
}


def _trace(model, ids):
    """→ the tensors of one prompt, whole."""
    seen = {}
    logits = model.logits(ids[None], observe=seen.__setitem__)[0]
    tensors = {name: value[0] if name.endswith("rows") else value for name, value in seen.items()}
    if model.ngram_rows:
        tensors["compressed_ids"] = model.ngram_rows.token_map[ids]
    return {**tensors, "logits": logits}


def _last(name, value):
    kept = _HIDDEN if name.startswith("hidden") else _LOGITS if name == "logits" else len(value)
    return value[max(0, len(value) - kept):]


@torch.no_grad()
def compare(folder, golden_folder):
    """→ {kind of tensor: largest difference}, and whether every greedy token is the recorded one."""
    model, _ = read_model(folder)
    golden = load_file(os.path.join(golden_folder, "golden.safetensors"))
    with open(os.path.join(golden_folder, "golden.json"), encoding="utf-8") as file:
        count = len(json.load(file)["prompts"])
    largest, same = {}, True
    for prompt in range(count):
        ids, told = golden[f"p{prompt}.input_ids"].long(), golden[f"p{prompt}.greedy_ids"].long()
        for name, value in _trace(model, ids).items():
            recorded = golden[f"p{prompt}.{name}"].double()
            difference = (_last(name, value).double().view_as(recorded) - recorded).abs().max().item()
            kind = name.split(".")[-1] if name.startswith("engram") else name.split(".")[0]
            largest[kind] = max(largest.get(kind, 0.0), difference)
        chosen = model.logits(torch.cat([ids, told])[None])[0, len(ids) - 1:-1].argmax(-1)
        same = same and bool((chosen == told).all())
    return largest, same


def _greedy(model, ids):
    """→ tokens and by how much each led"""
    tokens, margins = [], []
    for _ in range(_GREEDY):
        top = model.logits(torch.cat([ids, torch.tensor(tokens, dtype=torch.long)])[None])[0, -1].topk(2)
        tokens.append(int(top.indices[0]))
        margins.append(float(top.values[0] - top.values[1]))
    return torch.tensor(tokens), torch.tensor(margins)


@torch.no_grad()
def write(folder, golden_folder, long_text):
    """Writes golden.safetensors and golden.json; long_text: its first 299 tokens are the last prompt."""
    model, tokenizer = read_model(folder)

    def encode(text):
        return tokenizer.encode(text, add_special_tokens=False).ids
    prompts, tensors, told = {**_PROMPTS, "long": tokenizer.decode(encode(long_text)[:299])}, {}, []
    for number, (name, text) in enumerate(prompts.items()):
        ids = torch.tensor([BOS, *encode(text)])
        whole = _trace(model, ids)
        found = {"input_ids": ids, **{key: _last(key, value) for key, value in whole.items()}}
        entry = {"name": name, "text": text, "tokens": len(ids), "first_logits_position": max(0, len(ids) - _LOGITS),
                 "first_hidden_position": max(0, len(ids) - _HIDDEN)}
        for prefix, on in (("", True), ("memory_off.", False)):
            model.memory_on = on
            tokens, margins = _greedy(model, ids)
            found[prefix + "greedy_ids"], found[prefix + "greedy_margins"] = tokens, margins
            key = prefix.replace(".", "_")
            entry[key + "greedy_text"] = tokenizer.decode(tokens.tolist(), skip_special_tokens=False)
            entry[key + "greedy_margin_min"] = float(margins.min())
            if not on:
                found["memory_off.logits"] = model.logits(ids[None])[0, -1:]
        model.memory_on = True
        tensors.update({f"p{number}.{key}": value for key, value in found.items()})
        told.append(entry)
    os.makedirs(golden_folder, exist_ok=True)
    stored = {key: (value.int() if value.dtype == torch.int64 else value).contiguous().clone()
              for key, value in tensors.items()}
    save_file(stored, os.path.join(golden_folder, "golden.safetensors"))
    os.chmod(os.path.join(golden_folder, "golden.safetensors"), 0o644)
    write_json(os.path.join(golden_folder, "golden.json"), {
        "weights": "bfloat16", "computed_in": "float32", "greedy_tokens": _GREEDY, "notes": __doc__.split("\n\n")[1],
        "made_by": {"torch": torch.__version__}, "files_sha256": _hashes(folder), "prompts": told})


def _hashes(folder):
    hashes = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors") or name == "tokenizer.json":
            with open(os.path.join(folder, name), "rb") as file:
                hashes[name] = hashlib.sha256(file.read()).hexdigest()
    return hashes
