# SPDX-License-Identifier: Apache-2.0
"""The trainer's model, loaded with the shipped checkpoint, computes what the golden files of the server's tests say."""
import os
import unittest

from engram_train import golden

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))))


class TestGolden(unittest.TestCase):
    def test_demo_checkpoint(self):
        largest, same = golden.compare(os.path.join(_ROOT, "models", "engram-demo"),
                                       os.path.join(_ROOT, "tests", "testdata", "engram-demo"))
        self.assertTrue(same)
        for kind, limit in (("rows", 0), ("compressed_ids", 0), ("gates", 2e-5), ("hidden", 5e-3), ("logits", 2e-4)):
            self.assertLessEqual(largest[kind], limit, kind)


if __name__ == "__main__":
    unittest.main()
