#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes of the trainer's models and tables, the schedule of a run, and config.json."""
import sys
import unittest

sys.path.insert(0, "tools/train")

from engram_train import shapes  # noqa: E402
from engram_train.addressing import table_sizes  # noqa: E402
from engram_train.config import ModelConfig  # noqa: E402
from engram_train.recipe import Recipe  # noqa: E402


class TestTableSizes(unittest.TestCase):
    def test_the_official_demo(self):
        first, second = table_sizes((1, 15), 2, 8, 646400)
        self.assertEqual(first, [646403, 646411, 646421, 646423, 646433, 646453, 646519, 646523,
                                 646537, 646543, 646549, 646571, 646573, 646577, 646609, 646619])
        self.assertEqual((sum(first), second[0], second[-1], sum(second)), (10344164, 646631, 646879, 10348242))

    def test_the_paper(self):
        sizes = table_sizes((1, 14), 2, 8, 2262400)
        self.assertEqual([sum(layer) for layer in sizes], [36199972, 36204260])

    def test_the_shipped_model(self):
        self.assertEqual([sum(layer) for layer in table_sizes((1, 3), 2, 4, 15000)], [120408, 120976])


class TestShapes(unittest.TestCase):
    def test_the_twin_is_as_active_and_has_no_memory(self):
        for config in (shapes.DEMO, shapes.STUDY, shapes.SMOKE):
            twin = shapes.without_engram(config)
            self.assertEqual((twin.engram_layer_ids, shapes.table_parameters(twin)), ((), 0))
            self.assertLess(abs(shapes.active_parameters(twin) / shapes.active_parameters(config) - 1), 0.001)

    def test_shares_keep_both_totals(self):
        whole = shapes.with_expert_share(shapes.STUDY, 1.0)
        self.assertEqual(whole.engram_layer_ids, ())
        for share in (0.9, 0.8, 0.6, 0.4):
            config = shapes.with_expert_share(shapes.STUDY, share)
            sparse, active = shapes.sparse_parameters(config), shapes.active_parameters(config)
            self.assertLess(abs(sparse / shapes.sparse_parameters(whole) - 1), 0.01)
            self.assertLess(abs(active / shapes.active_parameters(whole) - 1), 0.01)
            experts = sparse - shapes.table_parameters(config)
            self.assertLess(abs(experts / sparse - share), 0.02)

    def test_the_demo_fits_the_repository(self):
        parameters = shapes.active_parameters(shapes.DEMO) + shapes.sparse_parameters(shapes.DEMO)
        self.assertLess(2 * parameters, 45e6)  # bf16


class TestConfig(unittest.TestCase):
    def test_written_and_read(self):
        config = shapes.DEMO.replace(engram_num_embeddings=(7, 9))
        self.assertEqual(ModelConfig.from_json(config.to_json()), config)

    def test_what_is_not_implemented_is_refused_by_name(self):
        for field, value in (("q_lora_rank", 64), ("n_group", 2), ("scoring_func", "softmax"), ("hc_mult", 1)):
            with self.assertRaisesRegex(ValueError, field):
                ModelConfig.from_json({**shapes.DEMO.to_json(), field: value})


class TestRecipe(unittest.TestCase):
    recipe = Recipe(tokens=1000 * 4096)

    def test_the_rate_rises_stays_and_falls(self):
        rates = [self.recipe.rate_at(step) for step in range(1000)]
        self.assertEqual(self.recipe.steps, 1000)
        self.assertLess(rates[0], 0.05)
        self.assertEqual(set(rates[60:500]), {1.0})
        self.assertEqual(rates[500:], sorted(rates[500:], reverse=True))
        self.assertAlmostEqual(rates[-1], 0.02)

    def test_long_rows_come_last(self):
        lengths = [self.recipe.length_at(step) for step in range(1000)]
        self.assertEqual(lengths, [256] * 850 + [1024] * 150)

    def test_rows_must_fill_a_batch(self):
        with self.assertRaisesRegex(ValueError, "long_length"):
            Recipe(batch_tokens=4096, long_length=1000)


if __name__ == "__main__":
    unittest.main()
