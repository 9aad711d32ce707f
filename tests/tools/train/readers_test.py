#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Readers of the sources' formats, on small files that are written here byte by byte."""
import gzip
import os
import struct
import sys
import tempfile
import unittest
import zlib

sys.path.insert(0, "tools/train")

from engram_train.data import dictd, prose, rdata, sword, wordnet  # noqa: E402


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path


class TestWordNet(Folder):
    LICENCE = "  1 This software and database is being provided to you\n"
    NOUNS = ("00000100 05 n 02 horse 0 Equus_caballus 0 002 @ 00000200 n 0000 ~ 00000300 n 0000 | "
             'solid-hoofed quadruped; domesticated; "he rode a horse"\n'
             "00000200 05 n 01 equine 0 001 ~ 00000100 n 0000 | hoofed mammal\n"
             "00000300 05 n 01 pony 0 001 @ 00000100 n 0000 | a small horse  \n"
             "00000400 06 n 01 horse 1 000 | a padded apparatus\n")
    ADJECTIVES = ("00000010 00 a 02 hot 0 warm(p) 0 001 ! 00000020 a 0101 | of high temperature\n"
                  "00000020 00 s 01 cold 0 001 ! 00000010 a 0101 | of low temperature\n")

    def setUp(self):
        super().setUp()
        for ending in ("noun", "verb", "adj", "adv"):
            data = {"noun": self.NOUNS, "adj": self.ADJECTIVES}.get(ending, "")
            index = {"noun": "horse n 2 2 @ ~ 2 1 00000100 00000400\npony n 1 1 @ 1 0 00000300\n",
                     "adj": "hot a 1 1 ! 1 1 00000010\n"}.get(ending, "")
            self.write("data." + ending, (self.LICENCE + data).encode())
            self.write("index." + ending, (self.LICENCE + index).encode())
        self.wordnet = wordnet.WordNet(self.folder)

    def test_senses_come_with_their_words_and_without_examples(self):
        horse, apparatus = self.wordnet.senses["horse", "noun"]
        self.assertEqual(horse.words, ["horse", "Equus caballus"])
        self.assertEqual(horse.definition, "solid-hoofed quadruped; domesticated")
        self.assertEqual(apparatus.definition, "a padded apparatus")

    def test_relations(self):
        horse = self.wordnet.senses["horse", "noun"][0]
        self.assertEqual([s.word for s in self.wordnet.related(horse, "kind_of")], ["equine"])
        self.assertEqual([s.word for s in self.wordnet.related(horse, "kinds")], ["pony"])
        self.assertEqual(self.wordnet.related(horse, "parts"), [])

    def test_opposites_are_of_words(self):
        hot = self.wordnet.senses["hot", "adjective"][0]
        self.assertEqual(hot.words, ["hot", "warm"])
        self.assertEqual(self.wordnet.opposites(hot, "hot"), ["cold"])
        self.assertEqual(self.wordnet.opposites(hot, "warm"), [])


class TestSword(Folder):
    def write_testament(self, name, verses):
        texts = [verse.encode() for verse in verses]
        block = zlib.compress(b"".join(texts))
        self.write(name + ".bzs", struct.pack("<III", 0, len(block), sum(map(len, texts))))
        self.write(name + ".bzz", block)
        starts = [sum(map(len, texts[:i])) for i in range(len(texts))]
        self.write(name + ".bzv", b"".join(struct.pack("<IIH", 0, start, len(text))
                                           for start, text in zip(starts, texts)))

    def test_verses_without_markup_and_footnotes(self):
        self.write_testament("ot", ["", '<w lemma="strong:H07225">In the beginning</w> <w lemma="x">God</w> created',
                                    "And the <divineName>Lord</divineName> said<note>or: spoke</note>, Go ."])
        self.write_testament("nt", ["¶ Grace<note n=\"a\"/>be unto you"])
        self.assertEqual(list(sword.verses(self.folder)), [
            "In the beginning God created", "And the LORD said, Go.", "Grace be unto you"])
        self.assertEqual(list(sword.passages(self.folder, 30)), [
            "In the beginning God created\nAnd the LORD said, Go.", "Grace be unto you"])


def r_flags(kind, attributes=0, tag=0):
    return struct.pack(">i", kind | attributes << 9 | tag << 10)


def r_string(text):
    return r_flags(9) + struct.pack(">i", len(text.encode())) + text.encode()


class TestRData(Folder):
    def entry(self, value, version=2):
        head = b"X\n" + struct.pack(">iii", version, 0x30402, 0x20300)
        if version == 3:
            head += struct.pack(">i", 5) + b"UTF-8"
        return struct.pack(">i", len(head + value)) + zlib.compress(head + value)

    def test_character_vectors_among_other_things(self):
        words = r_flags(16) + struct.pack(">i", 2) + r_string("It is a truth") + r_string("zoë")
        symbol = r_flags(1) + r_string("names")
        named = (r_flags(16, attributes=1) + struct.pack(">i", 1) + r_string("EMMA")
                 + r_flags(2, tag=1) + symbol + r_flags(16) + struct.pack(">i", 1) + r_string("x") + r_flags(254))
        numbers = r_flags(13) + struct.pack(">iii", 2, 1, 2)
        path = self.write("a.rdb", self.entry(words) + self.entry(numbers) + self.entry(named, version=3))
        self.assertEqual(list(rdata.character_vectors(path)), [["It is a truth", "zoë"], ["EMMA"]])

    def test_other_types_are_named(self):
        path = self.write("a.rdb", self.entry(r_flags(24) + struct.pack(">i", 0)))
        with self.assertRaisesRegex(ValueError, "type 24"):
            list(rdata.character_vectors(path))


class TestDictd(Folder):
    def test_articles_in_order_once_each(self):
        text = b"info  about\n" + b"ABBOT, n.\n  See {MONK}.\n" + b"ZEAL, n. A disorder.\n"
        dictionary = self.write("d.dict.dz", gzip.compress(text))
        index = self.write("d.index", b"00databaseinfo\tA\tM\nzeal\tk\tV\nabbot\tM\tY\nmonk\tM\tY\n")
        self.assertEqual(list(dictd.articles(index, dictionary)), ["ABBOT, n. See MONK.", "ZEAL, n. A disorder."])


class TestParagraphs(unittest.TestCase):
    def test_lines_become_paragraphs(self):
        lines = ["CHAPTER I", "", "", "It is a truth--_universally_", "acknowledged", "", "My dear"]
        self.assertEqual(list(prose.paragraphs(lines)),
                         ["CHAPTER I", "It is a truth—universally acknowledged", "My dear"])


if __name__ == "__main__":
    unittest.main()
