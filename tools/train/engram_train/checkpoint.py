# SPDX-License-Identifier: Apache-2.0
"""Hugging Face folders: names and dtypes of tensors, reading and writing them. docs/CHECKPOINT.md has the format.

Weights are stored as bf16, hyper-connections and the router's bias as float32. Tables have a shard of their own: they
are what a server may keep elsewhere.
"""
import json
import os
import re
import shutil

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from .config import ModelConfig
from .data.tokenizer import BOS_TEXT, CHAT_TEMPLATE, EOS_TEXT, PAD_TEXT
from .model.lm import LanguageModel
from .token_map import build_token_map


def stored_tensors(model):
    """{name in the checkpoint: the model's tensor, or a view of it}: writing to a view loads it."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        name = re.sub(r"\bhc_(attn|ffn|head)\.", r"hc_\1_", name)
        match = re.fullmatch(r"(.*\.experts)\.(\w+)", name)
        if match:
            tensors.update({f"{match[1]}.{expert}.{match[2]}.weight": view for expert, view in enumerate(tensor)})
        else:
            tensors[name] = tensor
    return tensors


def is_float32(name):
    return re.search(r"\bhc_(attn|ffn|head)_|e_score_correction_bias$", name) is not None


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")


def read_model(folder):
    """→ (model, tokenizer); float32, whatever is stored."""
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    config = ModelConfig.load(os.path.join(folder, "config.json"))
    model = LanguageModel(config, build_token_map(tokenizer))
    with open(os.path.join(folder, "model.safetensors.index.json"), encoding="utf-8") as file:
        shards = sorted(set(json.load(file)["weight_map"].values()))
    found = {name: tensor for shard in shards for name, tensor in load_file(os.path.join(folder, shard)).items()}
    wanted = stored_tensors(model)
    for name in sorted(wanted.keys() ^ found.keys()):
        where = "is missing" if name in wanted else "is there, but config.json leaves no place for it"
        raise ValueError(f"{folder}: tensor {name} {where}")
    with torch.no_grad():
        for name, tensor in wanted.items():
            if tensor.shape != found[name].shape:
                raise ValueError(f"{folder}: tensor {name} is {list(found[name].shape)}, "
                                 f"expected {list(tensor.shape)}")
            tensor.copy_(found[name])
    return model.eval(), tokenizer


def write_model(model, tokenizer_path, folder):
    os.makedirs(folder, exist_ok=True)
    backbone, tables = {}, {}
    for name, tensor in stored_tensors(model).items():
        stored = tensor.detach().cpu().to(torch.float32 if is_float32(name) else torch.bfloat16)
        (tables if name.endswith("engram.embed.weight") else backbone)[name] = stored.contiguous().clone()
    shards, index = [shard for shard in (backbone, tables) if shard], {}
    for number, shard in enumerate(shards, 1):
        file_name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        path = os.path.join(folder, file_name)
        save_file(shard, path, metadata={"format": "pt"})
        os.chmod(path, 0o644)
        index.update({name: file_name for name in shard})
    size = sum(tensor.numel() * tensor.element_size() for shard in shards for tensor in shard.values())
    write_json(os.path.join(folder, "model.safetensors.index.json"),
               {"metadata": {"total_size": size}, "weight_map": dict(sorted(index.items()))})
    config = model.config.to_json()
    write_json(os.path.join(folder, "config.json"), config)
    shutil.copyfile(tokenizer_path, os.path.join(folder, "tokenizer.json"))
    write_json(os.path.join(folder, "tokenizer_config.json"), {
        "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": True, "add_eos_token": False,
        "clean_up_tokenization_spaces": False, "bos_token": BOS_TEXT, "eos_token": EOS_TEXT, "pad_token": PAD_TEXT,
        "model_max_length": config["max_position_embeddings"], "chat_template": CHAT_TEMPLATE})
    special = {name: config[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    write_json(os.path.join(folder, "generation_config.json"), {**special, "do_sample": False, "max_new_tokens": 128})
