# SPDX-License-Identifier: Apache-2.0
"""Command line of the trainer. Without a command it does everything: data, training, export, evaluation."""
import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys

import torch
from tokenizers import Tokenizer

from . import golden, shapes, study
from .card import model_card
from .checkpoint import read_model, stored_tensors, write_model
from .data.document_file import DocumentFile
from .data.prepare import SMOKE, Amounts, prepare
from .evaluation import evaluate, losses, markdown, write_report
from .model.layers import compile_fused
from .recipe import Recipe
from .token_map import build_token_map
from .trainer import Machine, Trainer, load_trained

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(_HERE)))


def common(parser):
    parser.add_argument("--work", default=os.path.join(_ROOT, ".train"),
                        help="folder for packages, data, checkpoints and the exported model (default: .train)")
    parser.add_argument("--threads", type=int, default=max(1, len(os.sched_getaffinity(0))), help="CPU threads")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")


def paths(args):
    return {name: os.path.join(args.work, name) for name in ("packages", "data", "run", "model")}


def token_map_of(data_folder):
    return build_token_map(Tokenizer.from_file(os.path.join(data_folder, "tokenizer.json")))


def machine_of(args, **changes):
    return Machine(device=args.device, threads=args.threads, compile=not args.no_compile, **changes)


def export(run_folder, data_folder, model_folder):
    """Writes the trained model, reads it back and holds it to what was trained."""
    tokenizer_path = os.path.join(data_folder, "tokenizer.json")
    trained, state = load_trained(os.path.join(run_folder, "state.pt"), token_map_of(data_folder))
    write_model(trained, tokenizer_path, model_folder)
    reread, _ = read_model(model_folder)
    with torch.no_grad():
        for (name, ours), theirs in zip(stored_tensors(trained).items(), stored_tensors(reread).values()):
            if not torch.allclose(ours, theirs, rtol=2 ** -8, atol=1e-30):
                raise SystemExit(f"{model_folder}: {name} differs from what was trained")
    shutil.copyfile(os.path.join(_HERE, "data", "NOTICE"), os.path.join(model_folder, "NOTICE"))
    print(f"exported {model_folder}: step {state['step']}, {state['tokens']:,} tokens")
    return reread.config, state


def run_evaluation(model_folder, data_folder, out, limit):
    compile_fused(False)  # questions have many lengths: compiling for each would take longer than it saves
    model, tokenizer = read_model(model_folder)
    with open(os.path.join(data_folder, "questions.json"), encoding="utf-8") as file:
        questions = json.load(file)
    texts = None
    if tokenizer.to_str() == Tokenizer.from_file(os.path.join(data_folder, "tokenizer.json")).to_str():
        texts = [DocumentFile.load(os.path.join(data_folder, name + ".npz")) for name in ("train", "held_out")]
    else:
        print(f"{model_folder} has another tokenizer than {data_folder}: losses per token would not compare, "
              f"only questions are asked")
    report = evaluate(model, tokenizer, texts, questions, limit)
    write_report(report, out)
    print(markdown(report))
    return report


def torch_checks():
    """The tests that need torch; those that do not are in tools/test."""
    tests = os.path.join(_ROOT, "tests", "tools", "train", "torch")
    subprocess.run([sys.executable, "-m", "unittest", "discover", "--start-directory", tests, "--pattern", "*_test.py"],
                   check=True, cwd=_ROOT)


def command_all(args):
    where = paths(args)
    if args.smoke:
        torch_checks()
    prepare(where["data"], where["packages"], SMOKE if args.smoke else Amounts())
    config = shapes.SMOKE if args.smoke else shapes.DEMO
    if args.twin:
        config = shapes.without_engram(config)
    recipe = Recipe(tokens=args.tokens, seed=args.seed)
    if args.smoke:
        recipe = dataclasses.replace(recipe, tokens=50 * 512, batch_tokens=512, long_length=512, warmup_steps=5)
    trainer = Trainer(config, token_map_of(where["data"]), recipe, machine_of(args), where["data"], where["run"])
    if trainer.step == 0:
        trainer.log(f"{shapes.active_parameters(config):,} active and {shapes.sparse_parameters(config):,} sparse "
                    f"parameters, {recipe.steps} steps of {recipe.batch_tokens} tokens, seed {recipe.seed}")
    if trainer.run(progress_every=10 if args.smoke else 25):
        config, state = export(where["run"], where["data"], where["model"])
        report = run_evaluation(where["model"], where["data"], where["run"], 40 if args.smoke else 400)
        with open(os.path.join(where["data"], "sources.json"), encoding="utf-8") as file:
            card = model_card(config, state, json.load(file), markdown(report))
        with open(os.path.join(where["model"], "README.md"), "w", encoding="utf-8") as file:
            file.write(card)


def command_prepare(args):
    prepare(os.path.join(args.work, "data"), os.path.join(args.work, "packages"))


def command_export(args):
    where = paths(args)
    export(where["run"], where["data"], args.out or where["model"])


def command_evaluate(args):
    where = paths(args)
    torch.set_num_threads(args.threads)
    model = args.model or where["model"]
    run_evaluation(model, where["data"], args.out or where["run"], args.limit)


def command_golden(args):
    if args.text:
        with open(args.text, encoding="utf-8") as file:
            golden.write(args.model, args.golden, file.read())
    largest, same = golden.compare(args.model, args.golden)
    print(f"greedy tokens {'equal' if same else 'DIFFER'}; largest differences: "
          + ", ".join(f"{kind} {value:.1e}" for kind, value in largest.items()))
    if not same or max(largest.values()) > 1e-3:
        raise SystemExit(f"{args.model} does not compute what {args.golden} says")


def command_study(args):
    where, folder = paths(args), os.path.join(args.work, "study-" + args.name)
    prepare(where["data"], where["packages"])
    token_map = token_map_of(where["data"])

    def train_one(config, seed, run_folder):
        recipe = Recipe(tokens=args.tokens, seed=seed)
        trainer = Trainer(config, token_map, recipe, machine_of(args, measure_minutes=1e9), where["data"], run_folder)
        if not trainer.run():
            raise SystemExit("stopped; the same command goes on from here")
        return losses(trainer.model, trainer.train, trainer.held_out,
                      (recipe.batch_tokens // recipe.long_length, recipe.long_length), trainer.dtype, as_it_is=True)
    chosen = study.u_curve_shapes() if args.name == "u-curve" else study.twin_shapes(shapes.DEMO)
    results = study.run_study(chosen, range(args.seeds), folder, train_one)
    with open(os.path.join(folder, "plot.svg"), "w", encoding="utf-8") as file:
        file.write(study.plot(results))
    print(f"wrote {folder}/study.json and plot.svg")


def trains(parser, tokens):
    common(parser)
    parser.add_argument("--tokens", type=int, default=tokens, help=f"tokens of a run (default: {tokens:,})")
    parser.add_argument("--no-compile", action="store_true", help="do without torch.compile (needs no C++ compiler)")


def main():
    parser = argparse.ArgumentParser(prog="tools/train/train", description=__doc__)
    commands = parser.add_subparsers(metavar="command", required=True)

    def command(name, function, text):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        return sub
    everything = command("all", command_all, "Prepare data, train, export, evaluate; goes on where it was stopped.")
    trains(everything, Recipe.tokens)
    everything.add_argument("--seed", type=int, default=0)
    everything.add_argument("--twin", action="store_true",
                            help="train the twin without Engram (with a --work of its own)")
    everything.add_argument("--smoke", action="store_true", help="a tiny model for 50 steps, and the tests with torch")
    common(command("prepare", command_prepare, "Only fetch the sources and make the data."))
    exporting = command("export", command_export, "Write the latest checkpoint as a Hugging Face folder.")
    common(exporting)
    exporting.add_argument("--out", help="default: WORK/model")
    evaluating = command("evaluate", command_evaluate, "Measure an exported model.")
    common(evaluating)
    evaluating.add_argument("--model", help="folder of a model (default: WORK/model)")
    evaluating.add_argument("--out", help="folder for evaluation.json and .md (default: WORK/run)")
    evaluating.add_argument("--limit", type=int, default=400, help="questions asked of each table")
    checking = command("golden", command_golden, "Hold this model to golden files, or write them first (--text).")
    checking.add_argument("--model", required=True)
    checking.add_argument("--golden", required=True, help="folder with golden.safetensors and golden.json")
    checking.add_argument("--text", help="write the files first; this text's beginning is the long prompt")
    studying = command("study", command_study, "Equal runs of several shapes, and their plot.")
    studying.add_argument("name", choices=("u-curve", "twin"))
    trains(studying, 4_000_000)
    studying.add_argument("--seeds", type=int, default=2)
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"):
        arguments = ["all", *arguments]
    args = parser.parse_args(arguments)
    args.function(args)


if __name__ == "__main__":
    main()
