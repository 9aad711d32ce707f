# SPDX-License-Identifier: Apache-2.0
"""Documents as token arrays: what a token teaches is marked, so that packing need not know what a chat is."""
import numpy as np

from .document import KINDS, Chat, Text
from .tokenizer import ASSISTANT, BOS, EOS, USER

# What the loss does with a token as a target. An open question teaches little; its answer is what counts.
SILENT, QUESTION, ANSWER = range(3)


def encode(document, tokenizer):
    """→ token ids and their roles; begins with BOS, ends with EOS."""
    def ids(text):
        return tokenizer.encode(text, add_special_tokens=False).ids
    if isinstance(document, Text):
        tokens = [BOS, *ids(document.text), EOS]
        return tokens, [SILENT] + [ANSWER] * (len(tokens) - 1)
    tokens, roles = [BOS], [SILENT]
    for question, answer in document.turns:
        asked, told = [USER, *ids(question), ASSISTANT], [*ids(answer), EOS]
        tokens += asked + told
        roles += [QUESTION] * len(asked) + [ANSWER] * len(told)
    return tokens, roles


class DocumentFile:
    """All documents of one split, end to end."""

    def __init__(self, tokens, roles, lengths, kinds, chats):
        self.tokens = tokens    # uint16 [total]
        self.roles = roles      # uint8 [total]
        self.lengths = lengths  # int64 [documents]
        self.kinds = kinds      # uint8 [documents], index in KINDS
        self.chats = chats      # bool [documents]
        self.starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)

    @classmethod
    def build(cls, documents, tokenizer):
        encoded = [encode(document, tokenizer) for document in documents]
        return cls(np.array([t for tokens, _ in encoded for t in tokens], np.uint16),
                   np.array([r for _, roles in encoded for r in roles], np.uint8),
                   np.array([len(tokens) for tokens, _ in encoded], np.int64),
                   np.array([KINDS.index(document.kind) for document in documents], np.uint8),
                   np.array([isinstance(document, Chat) for document in documents]))

    def save(self, path):
        np.savez(path, tokens=self.tokens, roles=self.roles, lengths=self.lengths, kinds=self.kinds,
                 chats=self.chats)

    @classmethod
    def load(cls, path):
        with np.load(path) as file:
            return cls(**{name: file[name] for name in ("tokens", "roles", "lengths", "kinds", "chats")})

    def of_kind(self, kind):
        return np.flatnonzero(self.kinds == KINDS.index(kind))

    def count(self, kind):
        """→ documents, tokens"""
        chosen = self.of_kind(kind)
        return len(chosen), int(self.lengths[chosen].sum())
