# SPDX-License-Identifier: Apache-2.0
"""The training loop: resumable at any step, with checkpoints that are whole or absent.

A run folder holds state.pt (everything needed to go on), log.txt (what the terminal showed) and progress.jsonl.
"""
import dataclasses
import json
import os
import signal
import time

import torch

from .config import ModelConfig
from .data.batches import Mix, Packer, Position
from .data.document_file import DocumentFile
from .evaluation import losses
from .model.layers import compile_fused, fast_dtype
from .model.lm import LanguageModel
from .optimizers import Optimizers
from .pace import Pace
from .recipe import Rates, Recipe

# A resumed run may end earlier or later than planned; anything else must not change half-way.
_MAY_CHANGE = ("tokens",)


@dataclasses.dataclass(frozen=True)
class Machine:
    device: str = "cpu"
    threads: int = 1
    compile: bool = True
    save_minutes: float = 5
    measure_minutes: float = 30


def load_state(path, device="cpu"):
    return torch.load(path, map_location=device, weights_only=True)


def duration(seconds):
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min {int(seconds) % 60:02} s"


class Trainer:
    def __init__(self, config, token_map, recipe, machine, data_folder, run_folder):
        os.makedirs(run_folder, exist_ok=True)
        torch.set_num_threads(machine.threads)
        torch.manual_seed(recipe.seed)
        compile_fused(machine.compile)
        self.recipe, self.machine, self.folder = recipe, machine, run_folder
        self.dtype = fast_dtype(machine.device)
        self.model = LanguageModel(config, token_map).to(machine.device)
        self.optimizers = Optimizers(self.model, recipe.rates, self.dtype)
        self.train = DocumentFile.load(os.path.join(data_folder, "train.npz"))
        self.held_out = DocumentFile.load(os.path.join(data_folder, "held_out.npz"))
        self.packer = Packer(self.train, Mix(recipe.shares), recipe.seed)
        self.step, self.tokens, self.seconds, self.loss = 0, 0, 0.0, None
        self.stopping = False
        if os.path.exists(self.state_path):
            self._resume()

    @property
    def state_path(self):
        return os.path.join(self.folder, "state.pt")

    def _resume(self):
        state = load_state(self.state_path, self.machine.device)
        now = self._description()
        for part in ("config", "recipe"):
            for name, value in state[part].items():
                if now[part][name] != value and name not in _MAY_CHANGE:
                    raise SystemExit(f"{self.state_path}: {name} was {value}, now it is {now[part][name]}; go on with "
                                     f"the old value, or train in another folder")
        self.model.load_state_dict(state["model"])
        self.optimizers.load_state_dict(state["optimizers"])
        self.packer = Packer(self.train, Mix(self.recipe.shares), self.recipe.seed, Position(**state["position"]))
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        self.loss = state["loss"]
        self.log(f"resumed at step {self.step}, {self.tokens / 1e6:.2f} M tokens")

    def _description(self):
        return {"config": self.model.config.to_json(), "recipe": dataclasses.asdict(self.recipe)}

    def save(self):
        """Written beside and moved: whoever kills the process finds the old state or the new one."""
        position = {name: int(value) for name, value in dataclasses.asdict(self.packer.position).items()}
        state = {**self._description(), "model": self.model.state_dict(), "optimizers": self.optimizers.state_dict(),
                 "position": position, "step": self.step, "tokens": self.tokens, "seconds": self.seconds,
                 "loss": self.loss}
        with open(self.state_path + ".part", "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.state_path + ".part", self.state_path)

    def log(self, line):
        print(line, flush=True)
        with open(os.path.join(self.folder, "log.txt"), "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _record(self, **fields):
        with open(os.path.join(self.folder, "progress.jsonl"), "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, "tokens": self.tokens, **fields}) + "\n")

    def _batch(self):
        length = self.recipe.length_at(self.step)
        arrays = self.packer.batch(self.recipe.batch_tokens // length, length)
        return tuple(torch.from_numpy(array).contiguous().to(self.machine.device) for array in arrays)

    def _kept(self, rows):
        """Engram dropout. Drawn from the step's number: a resumed run draws the same."""
        generator = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + self.step)
        kept = torch.rand(rows, generator=generator) >= self.recipe.engram_dropout
        return kept.float().to(self.machine.device)

    def advance(self):
        """One step; → what the progress line tells."""
        ids, targets, weights = self._batch()
        loss = self.model.loss(ids, targets, weights, self.dtype, keep=self._kept(len(ids)))
        loss.backward()
        norm = self.optimizers.step(self.recipe.rate_at(self.step), float(weights.sum()))
        largest = [experts.balance(self.recipe.balance_speed) for experts in self.model.experts]
        value = loss.item()
        if not value < float("inf"):
            raise SystemExit(f"step {self.step}: the loss is {value}; the last good state is in {self.state_path}")
        self.loss = value if self.loss is None else 0.98 * self.loss + 0.02 * value
        self.step, self.tokens = self.step + 1, self.tokens + ids.numel()
        return {"norm": norm, "largest_expert": max(largest, default=0.0)}

    def measure(self):
        """Losses per kind with the model as it is, in the shapes that training has compiled already."""
        length = self.recipe.length_at(self.step)
        shape = self.recipe.batch_tokens // length, length
        found = losses(self.model, self.train, self.held_out, shape, self.dtype)
        self._record(losses=found)
        for memory, splits in found.items():
            for split, kinds in splits.items():
                self.log(f"  {memory}, {split}: " + ", ".join(f"{k} {v:.3f}" for k, v in kinds.items()))

    def _progress(self, told, speed):
        left = max(0, self.recipe.tokens - self.tokens) / speed
        share = 100 * self.step / self.recipe.steps
        self.log(f"step {self.step}/{self.recipe.steps} ({share:.1f}%)  loss {self.loss:.3f}  "
                 f"{self.tokens / 1e6:.2f} M tokens, epoch {self.packer.position.epoch}  {speed:,.0f} tokens/s  "
                 f"norm {told['norm']:.2f}, largest expert {told['largest_expert']:.2f}  "
                 f"{duration(left)} left")
        self._record(loss=self.loss, tokens_per_second=speed, seconds=self.seconds, **told)

    def run(self, progress_every=25):
        """Trains to the end of the recipe, or until SIGINT or SIGTERM; saves in both cases. → whether it finished."""
        def stop(signum, frame):
            self.stopping = True
        former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        saved = measured = time.monotonic()
        pace = Pace(self.tokens, self.seconds)
        while self.step < self.recipe.steps and not self.stopping:
            told = self.advance()
            now = time.monotonic()
            measuring = now - measured > 60 * self.machine.measure_minutes
            telling = self.step % progress_every == 0 or self.step == self.recipe.steps or pace.speed is None
            if telling or measuring:
                speed = pace.lap(self.tokens)
                self.seconds = pace.seconds
                self._progress(told, speed)
            if now - saved > 60 * self.machine.save_minutes:
                self.save()
                saved = now
            if measuring:
                self.measure()
                measured = time.monotonic()
                pace.start(self.tokens)
        pace.lap(self.tokens)
        self.seconds = pace.seconds
        self.save()
        for number, handler in former.items():
            signal.signal(number, handler)
        finished = self.step >= self.recipe.steps
        self.log("finished" if finished else f"stopped at step {self.step}; the same command goes on from here")
        return finished


def load_trained(path, token_map):
    """The model of a state.pt."""
    state = load_state(path)
    fields = dict(state["config"])
    model = LanguageModel(ModelConfig.from_json(fields), token_map)
    model.load_state_dict(state["model"])
    return model.eval(), state


def recipe_of(state):
    fields = dict(state["recipe"])
    return Recipe(**{**fields, "rates": Rates(**fields["rates"])})
