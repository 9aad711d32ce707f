# SPDX-License-Identifier: Apache-2.0
"""Reads a dictionary in dictd's format: an index of headwords with positions, and one compressed text."""
import gzip
import re

_DIGITS = {c: i for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}


def _number(text):
    value = 0
    for character in text:
        value = value * 64 + _DIGITS[character]
    return value


def articles(index_path, dict_path):
    """Articles in the order of the text, one paragraph each; what describes the database itself is left out."""
    with gzip.open(dict_path, "rb") as file:
        data = file.read()
    with open(index_path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    spans = {(_number(row[1]), _number(row[2])) for row in rows if not row[0].startswith("00")}
    for start, size in sorted(spans):
        text = re.sub(r"\s+", " ", data[start:start + size].decode("utf-8", "ignore")).strip()
        yield re.sub(r"[{}]", "", text)
