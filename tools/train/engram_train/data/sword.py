# SPDX-License-Identifier: Apache-2.0
"""Reads a Bible in the SWORD project's compressed text format (zText): verses in order, without markup."""
import os
import re
import struct
import zlib

# Not Scripture: footnotes, headings.
_ASIDES = re.compile(r"<(note|title)\b[^>]*?(/>|>.*?</\1>)", re.S)


def _plain(markup):
    text = re.sub(r"<divineName>(.*?)</divineName>", lambda m: m[1].upper(), _ASIDES.sub(" ", markup), flags=re.S)
    text = re.sub(r"<[^>]*>", " " if "lemma" not in markup else "", text)
    text = re.sub(r"\s+", " ", text.replace("¶", " ")).strip()
    return re.sub(r" ([,.;:?!])", r"\1", text)


def verses(folder):
    """folder: holds ot.bz? and nt.bz?. A verse is (block, start, size) of block's text, which is deflated."""
    for testament in ("ot", "nt"):
        parts = {}
        for ending in ("bzs", "bzv", "bzz"):
            with open(os.path.join(folder, f"{testament}.{ending}"), "rb") as file:
                parts[ending] = file.read()
        blocks = [zlib.decompress(parts["bzz"][start:start + packed])
                  for start, packed, _ in struct.iter_unpack("<III", parts["bzs"]) if packed]
        for block, start, size in struct.iter_unpack("<IIH", parts["bzv"]):
            text = _plain(blocks[block][start:start + size].decode("utf-8", "ignore")) if size else ""
            if text:
                yield text


def passages(folder, size):
    """Neighbouring verses, a line each, in pieces of about `size` characters."""
    piece, length = [], 0
    for verse in verses(folder):
        piece.append(verse)
        length += len(verse)
        if length > size:
            yield "\n".join(piece)
            piece, length = [], 0
    if piece:
        yield "\n".join(piece)
