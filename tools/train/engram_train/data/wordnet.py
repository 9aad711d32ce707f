# SPDX-License-Identifier: Apache-2.0
"""Reads WordNet's database files (man wndb): synonym sets, their glosses and relations, senses by frequency."""
import dataclasses
import os
import re

_POS = {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}
_FILES = {"noun": "noun", "verb": "verb", "adjective": "adj", "adverb": "adv"}

# Relations that questions are made of, by their symbols.
RELATIONS = {"@": "kind_of", "@i": "instance_of", "~": "kinds", "%p": "parts", "!": "opposites"}


@dataclasses.dataclass
class Synset:
    pos: str
    field: int            # lexicographer file: 18 is people
    words: list           # as spelled: "horse", "Mary Queen of Scots"
    definition: str       # the gloss without its examples
    relations: dict       # "kinds" → [(word index here or None, pos, offset, word index there or None)]

    @property
    def word(self):
        return self.words[0]


def _clean(word):
    return re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ")


def parse_synset(line):
    """One line of data.<pos>; → (offset, Synset)"""
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    count = int(fields[3], 16)
    words = [_clean(word) for word in fields[4:4 + 2 * count:2]]
    position = 4 + 2 * count
    relations = {}
    for number in range(int(fields[position])):
        symbol, offset, pos, ends = fields[position + 1 + 4 * number:position + 5 + 4 * number]
        if symbol in RELATIONS:
            source, target = int(ends[:2], 16), int(ends[2:], 16)
            relations.setdefault(RELATIONS[symbol], []).append(
                (source - 1 if source else None, _POS[pos], int(offset), target - 1 if target else None))
    definition = re.split(r'[;,:]? +"', gloss.strip())[0].strip().strip(";").strip()
    return int(fields[0]), Synset(_POS[fields[2]], int(fields[1]), words, definition, relations)


def parse_index(line):
    """One line of index.<pos>; → (word, offsets, most frequent sense first)"""
    fields = line.split()
    count = int(fields[2])
    return fields[0].replace("_", " "), [int(offset) for offset in fields[-count:]]


class WordNet:
    def __init__(self, folder):
        self.synsets = {}  # (pos, offset) → Synset
        self.senses = {}   # (word in lower case, pos) → [Synset], most frequent first
        for pos, ending in _FILES.items():
            for line in self._lines(folder, "data." + ending):
                offset, synset = parse_synset(line)
                self.synsets[pos, offset] = synset
            for line in self._lines(folder, "index." + ending):
                word, offsets = parse_index(line)
                self.senses[word, pos] = [self.synsets[pos, offset] for offset in offsets]

    @staticmethod
    def _lines(folder, name):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return [line for line in file if not line.startswith("  ")]  # the licence is indented

    def related(self, synset, relation):
        return [self.synsets[pos, offset] for _, pos, offset, _ in synset.relations.get(relation, [])]

    def opposites(self, synset, word):
        """Opposites of one word of a synset: antonymy is between words, not between meanings."""
        found = []
        for source, pos, offset, target in synset.relations.get("opposites", []):
            if source is not None and target is not None and synset.words[source].lower() == word:
                found.append(self.synsets[pos, offset].words[target])
        return found
