# SPDX-License-Identifier: Apache-2.0
"""Everything that a training run depends on beside the model's shape and the data: one frozen record, saved with it."""
import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Rates:
    """Full learning rates."""
    matrices: float = 0.02
    tables: float = 0.05
    embedding: float = 0.02
    head: float = 0.004
    other: float = 0.002


@dataclasses.dataclass(frozen=True)
class Recipe:
    tokens: int = 50_000_000        # in all; a resumed run may be given another number
    batch_tokens: int = 4096
    length: int = 256
    long_length: int = 1024         # of the rows of the last part
    long_share: float = 0.15        # of the steps
    decay_share: float = 0.5        # of the steps: the rate is constant before, falls to `final_rate` in them
    final_rate: float = 0.02
    warmup_steps: int = 60
    engram_dropout: float = 0.15    # share of rows that train without memory: keeps the model fluent when it is off
    balance_speed: float = 0.003
    seed: int = 0
    rates: Rates = Rates()
    # Prose has far more text than a small model can hold: an epoch shows another part each time.
    shares: dict = dataclasses.field(default_factory=lambda: dict(
        facts=1, talk=2, words=1, dictionary=2, people=1, bible=0.3, austen=0.3, chinese=1, spice=0.3))

    def __post_init__(self):
        for name in ("length", "long_length"):
            if self.batch_tokens % getattr(self, name):
                raise ValueError(f"batch_tokens is {self.batch_tokens}, expected a multiple of {name} "
                                 f"({getattr(self, name)})")

    @property
    def steps(self):
        return max(1, math.ceil(self.tokens / self.batch_tokens))

    def length_at(self, step):
        return self.long_length if step >= self.steps * (1 - self.long_share) else self.length

    def rate_at(self, step):
        """The factor of the full learning rates."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        left = (self.steps - step) / max(1, self.steps * self.decay_share)
        return warm * max(self.final_rate, min(1.0, left))
