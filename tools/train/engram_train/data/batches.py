# SPDX-License-Identifier: Apache-2.0
"""Packs documents into rows of equal length, in an order that a seed and a position determine.

A position is three numbers, so a run resumes with exactly the batch that it would have seen, and rows may get longer
in the middle of a run.
"""
import dataclasses

import numpy as np

from .document import KINDS
from .document_file import ANSWER, QUESTION, SILENT
from .tokenizer import BOS, PAD


@dataclasses.dataclass
class Position:
    epoch: int = 0
    index: int = 0   # in the epoch's order
    offset: int = 0  # into a text that the former row could not hold


@dataclasses.dataclass(frozen=True)
class Mix:
    """How an epoch is made of the documents."""
    shares: dict                  # kind → how often an epoch shows it; below 1, every epoch shows another part
    question_weight: float = 0.3
    join_chats: float = 0.3       # how often a chat goes on where the former one ended, as one conversation


class Packer:
    def __init__(self, file, mix, seed, position=None):
        self.file, self.mix, self.seed = file, mix, seed
        self.position = position or Position()
        self.order = self._order(self.position.epoch)
        self.weight_of_role = np.zeros(3, np.float32)
        self.weight_of_role[QUESTION], self.weight_of_role[ANSWER] = mix.question_weight, 1

    def _order(self, epoch):
        chosen = []
        for number, kind in enumerate(KINDS):
            documents, share = self.file.of_kind(kind), self.mix.shares.get(kind, 1)
            if share < 1:
                part = int(len(documents) * share)
                shuffled = np.random.default_rng([self.seed, number]).permutation(documents)
                documents = np.take(shuffled, range(part * epoch, part * (epoch + 1)), mode="wrap")
            chosen.append(np.repeat(documents, max(1, int(share))))
        return np.random.default_rng([self.seed, epoch, len(KINDS)]).permutation(np.concatenate(chosen))

    def _joins(self, document):
        """Decided by the document and the epoch alone, so that a resumed run decides the same."""
        draw = np.random.default_rng([self.seed, self.position.epoch, int(document)]).random()
        return draw < self.mix.join_chats

    def _next_document(self):
        if self.position.index == len(self.order):
            self.position = Position(self.position.epoch + 1)
            self.order = self._order(self.position.epoch)
        return self.order[self.position.index]

    def _row(self, length):
        """→ tokens and loss weights as targets, both [length]"""
        tokens, roles = np.full(length, PAD), np.full(length, SILENT)
        used, after_chat = 0, False
        while used < length:
            document, position = self._next_document(), self.position
            start, size = self.file.starts[document], self.file.lengths[document]
            is_chat = bool(self.file.chats[document])
            begin = position.offset
            if is_chat and after_chat and self._joins(document):
                begin = 1  # without its BOS
            elif begin:    # the rest of a text needs a beginning of its own
                tokens[used] = BOS
                used += 1
            count = min(size - begin, length - used)
            tokens[used:used + count] = self.file.tokens[start + begin:start + begin + count]
            roles[used:used + count] = self.file.roles[start + begin:start + begin + count]
            used, after_chat = used + count, is_chat
            # A text cut by the end of the row goes on in the next. A chat does not: half a question teaches nothing.
            rest = begin + count if not is_chat and begin + count < size - 1 else 0
            self.position = Position(position.epoch, position.index + (not rest), rest)
        return tokens, self.weight_of_role[roles]

    def batch(self, rows, length):
        """→ inputs, targets (int64) and weights (float32), each [rows, length]"""
        packed = [self._row(length + 1) for _ in range(rows)]
        tokens, weights = (np.stack(part) for part in zip(*packed))
        return tokens[:, :-1], tokens[:, 1:], weights[:, 1:]


def rows_of_kind(file, kind, rows, length):
    """A fixed batch of one kind for measuring, answers only: padded at the end when there is too little text."""
    documents = file.of_kind(kind)
    documents = documents[np.random.default_rng(0).permutation(len(documents))]
    tokens, weights = np.full((rows, length + 1), PAD), np.zeros((rows, length + 1), np.float32)
    row, used = 0, 0
    for document in documents:
        size = min(file.lengths[document], length + 1)
        if used + size > length + 1:
            row, used = row + 1, 0
        if row == rows:
            break
        start = file.starts[document]
        tokens[row, used:used + size] = file.tokens[start:start + size]
        weights[row, used:used + size] = file.roles[start:start + size] == ANSWER
        used += size
    return tokens[:, :-1], tokens[:, 1:], weights[:, 1:]
