#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The model card says what was trained, on what, and how it did; the notice has the licences that ask for one."""
import dataclasses
import sys
import unittest

sys.path.insert(0, "tools/train")

from engram_train import shapes  # noqa: E402
from engram_train.card import model_card  # noqa: E402
from engram_train.recipe import Recipe  # noqa: E402

SOURCES = {"packages": {"wordnet-base": {"version": "1%3a3.0-37", "sha256": "x"}},
           "counts": {"train": {"facts": {"documents": 12, "tokens": 2000}},
                      "held_out": {"facts": {"documents": 1, "tokens": 77}}}}
RUN = {"recipe": dataclasses.asdict(Recipe(seed=5)), "step": 3, "tokens": 9000}


class TestCard(unittest.TestCase):
    def test_says_what_was_done(self):
        card = model_card(shapes.DEMO, RUN, SOURCES, "| capitals | 7 |\n")
        for part in ("wordnet-base 1:3.0-37", "| facts | 12 | 2,000 | 77 |", "9,000 tokens in 3 steps", "seed 5",
                     "4.5 times", "Engram in layers 1 and 3", "| capitals | 7 |", "NOTICE"):
            self.assertIn(part, card)
        total = shapes.active_parameters(shapes.DEMO) + shapes.sparse_parameters(shapes.DEMO)
        self.assertIn(f"{total:,} parameters", card)

    def test_the_twin_has_no_memory(self):
        self.assertIn("no Engram", model_card(shapes.without_engram(shapes.DEMO), RUN, SOURCES, ""))

    def test_notice(self):
        with open("tools/train/engram_train/data/NOTICE", encoding="utf-8") as file:
            notice = file.read()
        for part in ("WordNet 3.0 Copyright 2006 by Princeton University", "Copyright (c) 2014 Annexare Studio",
                     "World English Bible", "Jargon File 4.4.7"):
            self.assertIn(part, notice)


if __name__ == "__main__":
    unittest.main()
