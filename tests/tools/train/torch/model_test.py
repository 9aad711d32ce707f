# SPDX-License-Identifier: Apache-2.0
"""Parts of the trainer's model against slower code that is plainly right, and their gradients against autograd's."""
import tempfile
import unittest

import torch
from tokenizers import Tokenizer

from engram_train import shapes
from engram_train.checkpoint import read_model, stored_tensors, write_model
from engram_train.data.tokenizer import train_tokenizer
from engram_train.model.lm import LanguageModel
from engram_train.model.mhc import Sinkhorn
from engram_train.model.moe import MixtureOfExperts
from engram_train.token_map import build_token_map


def plain_sinkhorn(logits, iterations, eps):
    matrix = torch.softmax(logits, 1) + eps
    matrix = matrix / (matrix.sum(0, keepdim=True) + eps)
    for _ in range(iterations - 1):
        matrix = matrix / (matrix.sum(1, keepdim=True) + eps)
        matrix = matrix / (matrix.sum(0, keepdim=True) + eps)
    return matrix


class TestSinkhorn(unittest.TestCase):
    def test_values_and_gradients(self):
        torch.manual_seed(0)
        logits, weights = torch.randn(4, 4, 9, dtype=torch.float64), torch.randn(4, 4, 9, dtype=torch.float64)
        results = []
        for function in (plain_sinkhorn, Sinkhorn.apply):
            x = logits.clone().requires_grad_(True)
            y = function(x, 20, 1e-6)
            (y * weights).sum().backward()
            results.append((y.detach(), x.grad))
        torch.testing.assert_close(*results)

    def test_doubly_stochastic(self):
        matrix = Sinkhorn.apply(torch.randn(4, 4, 5), 20, 1e-6)
        for axis in (0, 1):
            torch.testing.assert_close(matrix.sum(axis), torch.ones(4, 5), atol=1e-3, rtol=0)


class TestMixtureOfExperts(unittest.TestCase):
    def test_each_token_gets_its_experts(self):
        torch.manual_seed(1)
        moe, x = MixtureOfExperts(shapes.SMOKE, 1.0), torch.randn(7, shapes.SMOKE.hidden_size, requires_grad=True)
        moe.gate.e_score_correction_bias[2] = 0.3
        y = moe(x)
        chosen, weights = moe.gate(x, moe.count)
        expected = []
        for token, experts, shares in zip(x, chosen, weights):
            total = moe.shared_experts(token[None])[0]
            for expert, share in zip(experts, shares):
                e = moe.experts
                hidden = torch.nn.functional.silu(e.gate_proj[expert] @ token) * (e.up_proj[expert] @ token)
                total = total + share * (e.down_proj[expert] @ hidden)
            expected.append(total)
        expected = torch.stack(expected)
        torch.testing.assert_close(y, expected)
        parameters = [x, *moe.parameters()]
        found = torch.autograd.grad(y.pow(2).sum(), parameters, retain_graph=True)
        for ours, theirs in zip(found, torch.autograd.grad(expected.pow(2).sum(), parameters)):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)

    def test_balancing_helps_the_idle(self):
        moe = MixtureOfExperts(shapes.SMOKE, 1.0)
        moe.load = torch.tensor([10, 0, 5, 1])
        self.assertEqual(moe.balance(0.5), 10 / 16)
        self.assertEqual(moe.gate.e_score_correction_bias.tolist(), [-0.5, 0.5, -0.5, 0.5])


def small_model(folder):
    path = folder + "/tokenizer.json"
    train_tokenizer(["a horse is a horse, of course; 床前明月光"] * 3, 300, path)
    torch.manual_seed(2)
    config = shapes.SMOKE.replace(vocab_size=300)
    return LanguageModel(config, build_token_map(Tokenizer.from_file(path))).eval(), path


class TestLanguageModel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.model, self.tokenizer = small_model(self.folder)

    def test_parameters_are_counted_right(self):
        config = self.model.config
        total = sum(parameter.numel() for parameter in self.model.parameters())
        self.assertEqual(total, shapes.active_parameters(config) + shapes.sparse_parameters(config))

    @torch.no_grad()
    def test_the_future_does_not_reach_back(self):
        for block in self.model.model.layers:
            if block.engram:
                block.engram.short_conv.conv.weight.normal_()
        ids = torch.randint(5, 280, (2, 30))
        changed = ids.clone()
        changed[:, 20:] = torch.randint(5, 280, (2, 10))
        before, after = self.model.logits(ids), self.model.logits(changed)
        torch.testing.assert_close(before[:, :20], after[:, :20])
        self.assertGreater((before[:, 20:] - after[:, 20:]).abs().max(), 1e-3)

    @torch.no_grad()
    def test_kept_rows_decide_about_memory_one_by_one(self):
        ids = torch.randint(5, 280, (2, 12))
        on = self.model.logits(ids)
        mixed = self.model.logits(ids, keep=torch.tensor([1.0, 0.0]))
        self.model.memory_on = False
        off = self.model.logits(ids)
        torch.testing.assert_close(mixed[0], on[0])
        torch.testing.assert_close(mixed[1], off[1])
        self.assertGreater((on - off).abs().max(), 1e-4)

    @torch.no_grad()
    def test_loss_is_the_weighted_mean(self):
        ids, targets = torch.randint(5, 280, (2, 700)), torch.randint(5, 280, (2, 700))
        weights = torch.rand(2, 700)
        nll = torch.nn.functional.cross_entropy(self.model.logits(ids).flatten(0, 1), targets.flatten(),
                                                reduction="none")
        expected = (nll * weights.flatten()).sum() / weights.sum()
        torch.testing.assert_close(self.model.loss(ids, targets, weights, torch.float32), expected)

    def test_export_is_read_back_unchanged(self):
        write_model(self.model, self.tokenizer, self.folder + "/model")
        reread, tokenizer = read_model(self.folder + "/model")
        self.assertEqual(tokenizer.to_str(), Tokenizer.from_file(self.tokenizer).to_str())
        self.assertEqual(reread.config, self.model.config)
        for (name, ours), theirs in zip(stored_tensors(self.model).items(), stored_tensors(reread).values()):
            torch.testing.assert_close(theirs, ours, atol=1e-6, rtol=2 ** -8, msg=name)

    def test_a_tokenizer_of_another_checkpoint_is_refused(self):
        write_model(self.model, self.tokenizer, self.folder + "/model")
        train_tokenizer(["entirely other words, so that other tokens become one"] * 3, 280,
                        self.folder + "/model/tokenizer.json")
        with self.assertRaisesRegex(ValueError, "engram_compressed_vocab_size"):
            read_model(self.folder + "/model")


if __name__ == "__main__":
    unittest.main()
