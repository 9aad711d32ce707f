#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Studies: every shape with every seed once, what is there already is not trained again, and a plot of it."""
import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, "tools/train")

from engram_train import shapes, study  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
KINDS = ("words", "dictionary", "people", "bible", "austen", "chinese")


class TestStudy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.trained = folder.name, []

    def train_one(self, config, seed, run_folder):
        os.makedirs(run_folder)
        self.trained.append((config.n_routed_experts, seed))
        loss = 2 + config.n_routed_experts / 100 + seed / 1000
        return {"memory on": {"seen": dict.fromkeys(KINDS, loss - 1),
                              "held out": {**dict.fromkeys(KINDS, loss), "chinese": 99.0}}}

    def run_study(self):
        return study.run_study(study.u_curve_shapes(), (0, 1), self.folder, self.train_one)

    def test_all_runs_once_and_only_open_text_counts(self):
        results = self.run_study()
        self.assertEqual(len(results), 10)
        self.assertEqual(len(set(self.trained)), 10)
        whole = results[0]
        self.assertEqual((whole["name"], whole["seed"], whole["experts"]), ("experts 100 %", 0, 34))
        self.assertAlmostEqual(whole["held_out"], 2.34)
        self.assertAlmostEqual(whole["seen"], 1.34)

    def test_goes_on_where_it_was(self):
        first = self.run_study()
        os.remove(os.path.join(self.folder, "experts_60_percent-seed1", "losses.json"))
        os.rename(os.path.join(self.folder, "experts_60_percent-seed1"), os.path.join(self.folder, "old"))
        self.trained.clear()
        self.assertEqual(self.run_study(), first)
        self.assertEqual(len(self.trained), 1)

    def test_plot(self):
        root = ElementTree.fromstring(study.plot(self.run_study()))
        dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in root.iter(SVG + "circle")]
        self.assertEqual(len(dots), 10)
        # Fewer experts have a smaller loss here, so their dots are lower down the page and further right.
        self.assertEqual(dots[::2], sorted(dots[::2]))
        self.assertLess(dots[0][1], dots[8][1])
        labels = ["".join(text.itertext()) for text in root.iter(SVG + "text")]
        for name in ("experts 100 %", "experts 40 %", "mean held out loss (nats per token)"):
            self.assertIn(name, labels)

    def test_the_twins(self):
        twins = study.twin_shapes(shapes.DEMO)
        self.assertEqual(twins["with Engram"], shapes.DEMO)
        self.assertEqual(twins["without Engram"], shapes.without_engram(shapes.DEMO))


if __name__ == "__main__":
    unittest.main()
