#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes small_tokenizers.json: tokenizers that use what the checkpoints' own do not (added-token flags,
GPT-2's ByteLevel pattern, ignore_merges), each with texts and the ids Hugging Face gives them.

Needs `pip install tokenizers==0.23.3`. The stored file is what it wrote; tests do not run this.
"""
import json
import os
import random

from tokenizers import Tokenizer

PRINTABLE = [b for b in range(256) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE]
OTHERS = [b for b in range(256) if b not in PRINTABLE]
ALPHABET = [chr(b) if b in PRINTABLE else chr(256 + OTHERS.index(b)) for b in range(256)]
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "Ġwor l", "Ġworl d", "a a", "aa aa", "Ġ Ġ", "1 2",
          "i n", "in g"]


def tokenizer(added, pre_tokenizer, **model):
    vocab = {token: i for i, token in enumerate(ALPHABET)}
    for merge in MERGES:
        vocab.setdefault(merge.replace(" ", ""), len(vocab))
    for token in model.pop("extra", []):
        vocab[token] = len(vocab)
    flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    tokens = []
    for content, changed in added:  # new ones get ids behind the vocabulary, as Hugging Face would give them
        new = len(vocab) + sum(t["id"] >= len(vocab) for t in tokens)
        tokens.append({"id": vocab.get(content, new), "content": content, **flags, **changed})
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": None,
        "pre_tokenizer": pre_tokenizer, "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, **model,
                  "vocab": vocab, "merges": MERGES},
    }


def byte_level(use_regex):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def split(pattern, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": invert}


def main():
    flagged = [
        ("<s>", dict(special=True)), ("<left>", dict(lstrip=True)), ("<right>", dict(rstrip=True)),
        ("<both>", dict(lstrip=True, rstrip=True, special=True)), ("word", dict(single_word=True)),
        ("<s><s>", dict()), ("<late>", dict(normalized=True)), ("late>x", dict()),
        ("ate", dict(normalized=True, single_word=True)), (" gap", dict()), ("<ri", dict(normalized=True)),
        ("<é>", dict(lstrip=True, normalized=True)), ("hello", dict(special=True)),
    ]
    sequence = {"type": "Sequence", "pretokenizers": [
        split({"String": "ll"}), split({"Regex": "\\s+|[^\\s\\p{L}]+"}, invert=True), byte_level(False)]}
    whole = [("<end>", dict(special=True)), ("aaa", dict())]
    cases = {
        "flags": tokenizer(flagged, sequence),
        "gpt2": tokenizer(flagged[:1], byte_level(True)),
        "ignore_merges": tokenizer(whole, byte_level(True), ignore_merges=True,
                                   extra=["world", "Ġhello", "<end>", "aaa", "ðŁĺĢ", "don't"]),
        "bare": tokenizer([], byte_level(False)),
    }
    bits = [t for t, _ in flagged + whole] + [
        "hello", " world", "world", "  ", " ", "\t", "\u00a0", "\u3000", "\n", "wordy", "é", "e\u0301", "_", "1", "12",
        "a", "aaa", "aaaaa", "'s", "don't", "ing", "😀", "日本", "\u200d", "٣", "-", "<", ">"]
    out = {}
    generator = random.Random(20240229)
    for name, spec in cases.items():
        reference = Tokenizer.from_str(json.dumps(spec))
        texts = ["", " ", "<s>", "a<left>", " \u3000<left>  <right> \n x", "word", "aword", "word,word_",
                 "xlate>x <late>x late>x", "<s><s><s>", "  <both>  <both>  ", " gap<right> gap", "<end>", "aaa",
                 "don't", "it's  12  o'clock\n\n x"]
        texts += ["".join(generator.choice(bits) for _ in range(generator.choice([2, 4, 8]))) for _ in range(60)]
        out[name] = {"tokenizer": spec, "cases": []}
        for text in texts:
            ids = reference.encode(text, add_special_tokens=False).ids
            decoded = {key: reference.decode(ids, skip_special_tokens=skip)
                       for key, skip in [("decoded", False), ("decoded_skip", True)]}
            out[name]["cases"].append({"text": text, "ids": ids, **decoded})
    path = os.path.join(os.path.dirname(os.path.realpath(__file__)), "small_tokenizers.json")
    with open(path, "w", encoding="ascii") as file:
        file.write("{\n")
        for i, (name, entry) in enumerate(out.items()):
            file.write(f'"{name}": {{"tokenizer": {json.dumps(entry["tokenizer"])},\n"cases": [\n')
            file.write(",\n".join(json.dumps(case) for case in entry["cases"]))
            file.write("\n]}" + (",\n" if i + 1 < len(out) else "\n"))
        file.write("}\n")


main()
