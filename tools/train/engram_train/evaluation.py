# SPDX-License-Identifier: Apache-2.0
"""What a model knows: loss per kind of text, and questions answered exactly, with the memory on and off."""
import json
import os

import torch

from .data.batches import rows_of_kind
from .data.document import KINDS
from .data.tokenizer import ASSISTANT, BOS, EOS, PAD, USER

_BATCH = 32


class _memory:
    """Within it the model's memory is on or off."""

    def __init__(self, model, on):
        self.model, self.on = model, on

    def __enter__(self):
        self.former, self.model.memory_on = self.model.memory_on, self.on

    def __exit__(self, *_):
        self.model.memory_on = self.former


def settings(model):
    """[("memory on", True), …]: a model without Engram has one setting only."""
    return [("memory on", True), ("memory off", False)] if model.ngram_rows else [("no memory", True)]


def losses(model, train, held_out, shape, dtype, as_it_is=False):
    """{"memory on": {"seen": {kind: nats per token}, "held out": …}, …}; of chats, answers alone count.

    as_it_is: do not measure with the memory off too. Gradients stay enabled, so that code compiled for training serves
    here.
    """
    device, found = model.lm_head.weight.device, {}
    for name, on in settings(model)[:1 if as_it_is else None]:
        with _memory(model, on):
            for split, file in (("seen", train), ("held out", held_out)):
                kinds = [kind for kind in KINDS if file.count(kind)[0]]
                batches = {kind: rows_of_kind(file, kind, *shape) for kind in kinds}
                found.setdefault(name, {})[split] = {
                    kind: model.loss(*(torch.from_numpy(a).contiguous().to(device) for a in batch), dtype).item()
                    for kind, batch in batches.items() if batch[2].any()}
    return found


@torch.no_grad()
def exact_answers(model, tokenizer, questions):
    """→ (answers exactly right, share of their tokens right).

    Teacher-forced: an answer counts if every token of it, up to its end, is the model's first choice. That is the
    same as generating it greedily, and needs one pass.
    """
    def ids(text):
        return tokenizer.encode(text, add_special_tokens=False).ids
    pairs = sorted((([BOS, USER, *ids(q["question"]), ASSISTANT], [*ids(q["answer"]), EOS]) for q in questions),
                   key=lambda pair: len(pair[0]) + len(pair[1]))
    exact = right = total = 0
    for start in range(0, len(pairs), _BATCH):
        batch = pairs[start:start + _BATCH]
        time = max(len(asked) + len(answer) for asked, answer in batch)
        tokens = torch.tensor([asked + answer + [PAD] * (time - len(asked) - len(answer)) for asked, answer in batch])
        best = model.logits(tokens.to(model.lm_head.weight.device)).argmax(-1).cpu()
        for row, (asked, answer) in zip(best, batch):
            hits = row[len(asked) - 1:len(asked) + len(answer) - 1] == torch.tensor(answer)
            exact, right, total = exact + bool(hits.all()), right + int(hits.sum()), total + len(answer)
    return exact, right / max(1, total)


def evaluate(model, tokenizer, texts, questions, limit):
    """texts: (train, held out), or None to measure no losses; questions: of questions.json, `limit` of each table.

    → what `write_report` writes."""
    tables = {}
    for question in questions:
        tables.setdefault(question["table"], []).append(question)
    with torch.no_grad():
        report = {"losses": losses(model, *texts, (16, 256), torch.float32) if texts else {}, "exact": {}}
    for table in sorted(tables):
        asked = tables[table][:limit]
        report["exact"][table] = {"asked": len(asked), "seen": asked[0]["seen"]}
        for name, on in settings(model):
            with _memory(model, on):
                exact, share = exact_answers(model, tokenizer, asked)
            report["exact"][table][name] = {"exact": exact, "tokens_right": share}
    return report


def write_report(report, folder):
    """→ evaluation.json and evaluation.md in `folder`."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "evaluation.json"), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    with open(os.path.join(folder, "evaluation.md"), "w", encoding="utf-8") as file:
        file.write(markdown(report))


def _loss_table(found):
    names = list(found)
    kinds = list(found[names[0]]["seen"])
    rows = ["Loss in nats per token (of chats: the answers' tokens).", "",
            "| | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for split in ("seen", "held out"):
        for name in names:
            values = found[name].get(split, {})
            cells = [f"{values[kind]:.3f}" if kind in values else "–" for kind in kinds]
            rows.append(f"| {split}, {name} | " + " | ".join(cells) + " |")
    return [*rows, ""]


def markdown(report):
    rows = _loss_table(report["losses"]) if report["losses"] else []
    names = [name for name in next(iter(report["exact"].values())) if name not in ("asked", "seen")]
    rows += ["Answers exactly right (share of their tokens).", "",
             "| | asked | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for table, found in report["exact"].items():
        cells = [f"{found[name]['exact']} ({100 * found[name]['tokens_right']:.1f} %)" for name in names]
        rows.append(f"| {table} | {found['asked']} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"
