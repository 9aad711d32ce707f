# SPDX-License-Identifier: Apache-2.0
"""A run that was stopped and resumed is the run that was not, and batches hold what they should."""
import dataclasses
import os
import tempfile
import unittest

import numpy as np
import torch
from tokenizers import Tokenizer

from engram_train import shapes
from engram_train.data.batches import Mix, Packer, Position
from engram_train.data.document import Chat, Text
from engram_train.data.document_file import ANSWER, QUESTION, SILENT, DocumentFile, encode
from engram_train.data.tokenizer import ASSISTANT, BOS, EOS, PAD, USER, train_tokenizer
from engram_train.optimizers import Muon, RowAdagrad
from engram_train.recipe import Recipe
from engram_train.token_map import build_token_map
from engram_train.trainer import Machine, Trainer


def documents():
    chats = [Chat("facts", ((f"What is {n}?", f"It is the number {n}."),)) for n in range(60)]
    talks = [Chat("talk", ((f"Is {n} odd?", "I will see."), ("And?", f"{n % 2 == 1}."))) for n in range(20)]
    texts = [Text("bible", " ".join(f"verse {n} line {line}," for line in range(40))) for n in range(12)]
    return chats + talks + texts


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        path = self.folder + "/tokenizer.json"
        self.tokenizer = train_tokenizer([str(document) for document in documents()], 320, path)
        self.file = DocumentFile.build(documents(), Tokenizer.from_file(path))
        for name in ("train", "held_out"):
            self.file.save(f"{self.folder}/{name}.npz")


class TestDocuments(Folder):
    def test_roles_of_a_conversation(self):
        tokens, roles = encode(Chat("talk", (("a", "b"), ("c", "d"))), self.tokenizer)
        self.assertEqual([t for t in tokens if t < 5], [BOS, USER, ASSISTANT, EOS, USER, ASSISTANT, EOS])
        self.assertEqual(roles, [SILENT] + 2 * [QUESTION, QUESTION, QUESTION, ANSWER, ANSWER])


class TestPacker(Folder):
    mix = Mix({"bible": 0.5, "talk": 2})

    def test_resumes_at_the_same_batch_whatever_the_length_of_rows(self):
        packer = Packer(self.file, self.mix, seed=7)
        for _ in range(5):
            packer.batch(2, 64)
        again = Packer(self.file, self.mix, 7, Position(**dataclasses.asdict(packer.position)))
        for length in (64, 64, 128, 32):
            for ours, theirs in zip(packer.batch(2, length), again.batch(2, length)):
                np.testing.assert_array_equal(ours, theirs)

    def test_an_epoch_shows_every_kind_as_often_as_it_should(self):
        packer = Packer(self.file, self.mix, seed=7)
        kinds = [int((self.file.kinds[packer.order] == number).sum()) for number in (0, 1, 5)]
        self.assertEqual(kinds, [60, 40, 6])
        first = set(packer.order[self.file.kinds[packer.order] == 5])
        second = packer._order(1)
        self.assertFalse(first & set(second[self.file.kinds[second] == 5]))  # the other half of the prose

    def test_no_token_of_a_text_is_lost_at_the_end_of_a_row(self):
        texts = DocumentFile.build([d for d in documents() if isinstance(d, Text)], self.tokenizer)
        packer, seen = Packer(texts, Mix({}), seed=1), []
        while packer.position.epoch == 0 and packer.position.index < len(packer.order):
            tokens, _ = packer._row(50)
            seen += [int(token) for token in tokens if token not in (BOS, PAD, EOS)]
        whole = sum(int(((t > EOS) & (t != PAD)).sum()) for t in (texts.tokens,))
        self.assertGreaterEqual(len(seen), whole)

    def test_weights(self):
        inputs, targets, weights = Packer(self.file, Mix({}, join_chats=0), seed=3).batch(4, 100)
        np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])
        self.assertEqual(set(np.unique(weights)), {np.float32(0), np.float32(0.3), np.float32(1)})
        self.assertTrue((weights[targets == BOS] == 0).all())
        self.assertTrue((weights[targets == EOS] == 1).all())
        self.assertTrue((weights[targets == ASSISTANT] == np.float32(0.3)).all())


class TestOptimizers(unittest.TestCase):
    def test_muon_turns_by_the_rate_whatever_the_gradient(self):
        torch.manual_seed(0)
        found = Muon.orthogonal(torch.randn(3, 16, 40) * 100, torch.float32)
        for singular in torch.linalg.svdvals(found).flatten():
            self.assertTrue(0.5 < singular < 1.4, singular)

    def test_row_adagrad_touches_looked_up_rows_alone(self):
        table = torch.nn.Parameter(torch.ones(6, 4))
        optimizer = RowAdagrad([table], lr=0.1)
        rows = torch.tensor([1, 4, 4])
        torch.nn.functional.embedding(rows, table, sparse=True).sum().backward()
        optimizer.step(tokens=10)
        changed = (table != 1).any(1).tolist()
        self.assertEqual(changed, [False, True, False, False, True, False])
        # The first step of Adagrad is the rate itself, whatever the size of the gradient.
        torch.testing.assert_close(table[1].detach(), torch.full((4,), 0.9), atol=1e-3, rtol=0)


class TestResume(Folder):
    recipe = Recipe(tokens=8 * 256, batch_tokens=256, length=64, long_length=128, warmup_steps=2)

    def trainer(self, name, **changes):
        config = shapes.SMOKE.replace(vocab_size=320, num_hidden_layers=2)
        token_map = build_token_map(self.tokenizer)
        return Trainer(config, token_map, dataclasses.replace(self.recipe, **changes), Machine(compile=False),
                       self.folder, os.path.join(self.folder, name))

    def test_stopped_and_resumed_equals_uninterrupted(self):
        whole = self.trainer("whole")
        self.assertTrue(whole.run())
        first = self.trainer("parts")
        for _ in range(3):
            first.advance()
        first.save()
        second = self.trainer("parts")
        self.assertEqual(second.step, 3)
        self.assertTrue(second.run())
        for (name, ours), theirs in zip(whole.model.state_dict().items(), second.model.state_dict().values()):
            self.assertTrue(torch.equal(ours, theirs), name)

    def test_another_recipe_is_refused_but_for_the_length_of_the_run(self):
        trainer = self.trainer("run")
        trainer.advance()
        trainer.save()
        self.assertEqual(self.trainer("run", tokens=512).recipe.steps, 2)
        with self.assertRaisesRegex(SystemExit, "engram_dropout was 0.15, now it is 0.5"):
            self.trainer("run", engram_dropout=0.5)


if __name__ == "__main__":
    unittest.main()
