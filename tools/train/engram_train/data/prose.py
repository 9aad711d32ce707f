# SPDX-License-Identifier: Apache-2.0
"""Connected text from the unpacked packages, in pieces of a few paragraphs."""
import glob
import os
import re

from .dictd import articles
from .document import Text
from .rdata import character_vectors
from .sword import passages
from .text import unfit

_PIECE = 3500  # characters, about 900 tokens


def _one(folder, pattern):
    found = glob.glob(os.path.join(folder, pattern), recursive=True)
    if not found:
        raise SystemExit(f"{folder}: no {pattern}; the package changed, or was not unpacked whole: delete the folder "
                         f"and run again")
    return found[0]


def bible(folder):
    for package in ("sword-text-kjv", "sword-text-web"):
        modules = os.path.dirname(_one(folder, f"{package}/usr/share/sword/modules/texts/ztext/*/ot.bzs"))
        # What an edition says about itself is not Scripture either.
        yield from (Text("bible", piece) for piece in passages(modules, _PIECE) if "World English Bible" not in piece)


def paragraphs(lines):
    """Lines of a printed page → paragraphs: an empty line ends one."""
    paragraph = []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line.strip())
        elif paragraph:
            yield " ".join(paragraph).replace("--", "—").replace("_", "")
            paragraph = []


def austen(folder):
    database = "r-cran-janeaustenr/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
    for novel in character_vectors(_one(folder, database)):
        piece, length = [], 0
        for paragraph in paragraphs(novel):
            piece.append(paragraph)
            length += len(paragraph)
            if length > _PIECE:
                yield Text("austen", "\n".join(piece))
                piece, length = [], 0
        if piece:
            yield Text("austen", "\n".join(piece))


def spice(folder):
    """Short pieces with a tone of their own."""
    for name in ("devil", "jargon"):
        index = _one(folder, f"dict-{name}/usr/share/dictd/{name}.index")
        for article in articles(index, _one(folder, f"dict-{name}/usr/share/dictd/{name}.dict.dz")):
            if not unfit(article):
                yield Text("spice", article)


def chinese(folder):
    for name in ("tang300", "song100"):
        path = _one(folder, f"fortunes-zh/usr/share/games/fortunes/{name}")
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"\x1b\[[0-9;]*m", "", file.read())
        for poem in text.split("\n%"):
            lines = [line.strip() for line in poem.split("\n") if line.strip()]
            if lines:
                yield Text("chinese", "\n".join(lines))
