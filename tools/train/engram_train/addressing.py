# SPDX-License-Identifier: Apache-2.0
"""Which table rows an n-gram selects: sizes of the tables, multipliers, and the hash itself.

The rules are the paper's reference code's; docs/ENGRAM.md tells them in words. Sizes and offsets need the standard
library only.
"""
import functools
import itertools


def is_prime(number):
    return number > 1 and all(number % divisor for divisor in range(2, int(number ** 0.5) + 1))


def table_sizes(layer_ids, orders, heads, base):
    """Per layer, order-major then head: the smallest primes from `base` on, none used twice in the model."""
    used, layers = set(), []
    for _ in layer_ids:
        sizes = []
        for _ in range(orders):
            candidates = (n for n in itertools.count(base) if n not in used and is_prime(n))
            chosen = list(itertools.islice(candidates, heads))
            used.update(chosen)
            sizes += chosen
        layers.append(sizes)
    return layers


def multipliers(seed, layer_id, count, compressed_vocab):
    """Odd numbers so small that a compressed id times one of them fits int64."""
    import numpy
    limit = max(1, (2 ** 63 - 1) // compressed_vocab // 2)
    drawn = numpy.random.default_rng(seed + 10007 * layer_id).integers(0, limit, size=count, dtype=numpy.int64)
    return [2 * int(value) + 1 for value in drawn]


class NgramRows:
    """Token ids → rows of every Engram layer's table."""

    def __init__(self, config, token_map):
        """token_map: [vocabulary] int64 tensor, raw id → compressed id."""
        self.token_map = token_map
        self.compressed_vocab = int(token_map.max()) + 1
        self.order_max = config.engram_max_ngram_size
        self.heads = config.engram_n_heads
        self.pad = int(token_map[2])
        self.sizes = table_sizes(config.engram_layer_ids, self.order_max - 1, self.heads, config.engram_vocab_size)
        self.offsets = [[0, *itertools.accumulate(sizes[:-1])] for sizes in self.sizes]
        self.multipliers = [multipliers(config.engram_seed, layer, self.order_max, self.compressed_vocab)
                            for layer in config.engram_layer_ids]

    @functools.cached_property
    def row_counts(self):
        return tuple(sum(sizes) for sizes in self.sizes)

    def __call__(self, ids):
        """ids [batch, time] → one tensor [batch, time, columns] for each Engram layer."""
        import torch
        compressed = self.token_map.to(ids.device)[ids]
        time = ids.shape[1]
        # back[k][b, t] is the token k steps before t; before the start there is padding.
        back = [torch.nn.functional.pad(compressed, (k, 0), value=self.pad)[:, :time] for k in range(self.order_max)]
        layers = []
        for factors, sizes, offsets in zip(self.multipliers, self.sizes, self.offsets):
            mix, columns = back[0] * factors[0], []
            for order in range(1, self.order_max):
                mix = mix ^ (back[order] * factors[order])
                for column in range((order - 1) * self.heads, order * self.heads):
                    columns.append(mix % sizes[column] + offsets[column])
            layers.append(torch.stack(columns, -1))
        return layers
