# SPDX-License-Identifier: Apache-2.0
"""How fast a run is: time and tokens of its steps alone, whatever is done between them."""
import time

_NEW = 0.2  # weight of the latest lap in the speed that is told


class Pace:
    def __init__(self, tokens, seconds=0.0, clock=time.monotonic):
        """tokens, seconds: what former sittings of the run had."""
        self.seconds, self.speed = seconds, None
        self._clock, self._laps = clock, 0
        self.start(tokens)

    def start(self, tokens):
        """From now on time counts."""
        self._since, self._tokens = self._clock(), tokens

    def lap(self, tokens):
        """Until now it did; the next lap begins. → tokens a second, smoothed"""
        now = self._clock()
        taken, done = now - self._since, tokens - self._tokens
        self.seconds += taken
        if done and taken > 0:
            # The first lap compiles: it says nothing of those that follow.
            steady = self._laps > 1
            self.speed = (1 - _NEW) * self.speed + _NEW * done / taken if steady else done / taken
            self._laps += 1
        self._since, self._tokens = now, tokens
        return self.speed
