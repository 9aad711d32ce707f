#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a run tells of its speed, and how long it says it took."""
import sys
import unittest

sys.path.insert(0, "tools/train")

from engram_train.pace import Pace  # noqa: E402


class TestPace(unittest.TestCase):
    def setUp(self):
        self.now = 100.0
        self.pace = Pace(tokens=1000, seconds=50.0, clock=lambda: self.now)

    def lap(self, seconds, tokens):
        self.now += seconds
        return self.pace.lap(tokens)

    def test_speed_is_of_this_sitting_and_time_of_all(self):
        self.assertEqual(self.lap(10, 3000), 200)
        self.assertEqual(self.pace.seconds, 60)

    def test_the_first_lap_which_compiles_is_forgotten(self):
        self.lap(1000, 1100)
        self.assertEqual(self.lap(10, 3100), 200)
        self.assertAlmostEqual(self.lap(10, 4100), 180)

    def test_bug_tokens_before_a_measurement_counted_as_made_after_it(self):
        """Losses are measured in the middle of a lap; the lap's tokens had then only the rest of its time."""
        self.lap(10, 2000)
        self.assertEqual(self.lap(9, 2900), 100)
        self.now += 500  # the measurement
        self.pace.start(2900)
        self.assertEqual(self.lap(1, 3000), 100)
        self.assertEqual(self.pace.seconds, 70)

    def test_a_lap_without_a_step_has_no_speed(self):
        self.assertIsNone(self.lap(0, 1000))
        self.assertIsNone(self.lap(5, 1000))
        self.assertEqual(self.lap(5, 2000), 200)


if __name__ == "__main__":
    unittest.main()
