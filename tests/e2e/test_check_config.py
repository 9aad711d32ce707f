# SPDX-License-Identifier: Apache-2.0
"""--check-config on broken checkpoints: status 3, and a message that names file, tensor, expected and found."""
import json
import os
import shutil
import struct
import subprocess

import pytest

from server_process import BINARY, DEMO

SHARD = "model.safetensors"


@pytest.fixture
def model(tmp_path):
    """A copy of a small checkpoint, to be broken."""
    folder = tmp_path / "broken"
    shutil.copytree("tests/testdata/tiny/deepseek_v3_noqlora", folder, copy_function=shutil.copyfile)
    return folder


def check(folder, *flags):
    return subprocess.run([BINARY, "--model", str(folder), "--check-config", "--kv-cache-memory", "64MiB", *flags],
                          capture_output=True, text=True, timeout=60, check=False)


def edit_header(folder, edit):
    """Rewrites the shard's header with edit(header); the data stays."""
    content = (folder / SHARD).read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + length])
    edit(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / SHARD).write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length:])


def edit_json(path, **values):
    content = json.loads(path.read_text(encoding="utf-8"))
    content.update(values)
    path.write_text(json.dumps(content), encoding="utf-8")


def assert_refused(result, *words):
    assert result.returncode == 3, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.mark.parametrize("folder", [DEMO, "tests/testdata/tiny/engram_paper", "tests/testdata/tiny/deepseek_v3"])
def test_whole_checkpoints_pass(folder):
    result = check(folder)
    assert result.returncode == 0, result.stderr
    assert "OK" in result.stdout


def test_dummy_weights_need_no_shards(model):
    os.remove(model / SHARD)
    assert check(model, "--load-format", "dummy").returncode == 0
    assert_refused(check(model), SHARD)


def test_truncated_shard(model):
    content = (model / SHARD).read_bytes()
    (model / SHARD).write_bytes(content[:-1000])
    assert_refused(check(model), SHARD)


def test_empty_and_garbled_shard(model):
    (model / SHARD).write_bytes(b"")
    assert_refused(check(model), SHARD)
    (model / SHARD).write_bytes(b"\xff" * 100)
    assert_refused(check(model), SHARD)


def test_missing_tensor(model):
    # Renamed and not removed: the file must stay dense.
    edit_header(model, lambda header: header.update({"model.norm2.weight": header.pop("model.norm.weight")}))
    assert_refused(check(model), "model.norm.weight")


def test_surplus_tensor(model):
    def add(header):
        end = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
        header["model.layers.0.surprise"] = {"dtype": "BF16", "shape": [2], "data_offsets": [end, end + 4]}
    edit_header(model, add)
    with open(model / SHARD, "ab") as file:
        file.write(bytes(4))
    assert_refused(check(model), "model.layers.0.surprise")


def test_wrong_dtype(model):
    edit_header(model, lambda header: header["model.norm.weight"].update({"dtype": "I16"}))
    assert_refused(check(model), SHARD, "model.norm.weight", "I16")


def test_wrong_shape(model):
    def transpose(header):
        header["model.embed_tokens.weight"]["shape"].reverse()
    edit_header(model, transpose)
    assert_refused(check(model), SHARD, "model.embed_tokens.weight", "2048")


def test_config_that_does_not_fit_the_weights(model):
    edit_json(model / "config.json", hidden_size=48)
    assert_refused(check(model), "48")


def test_wrong_key_in_config(model):
    edit_json(model / "config.json", num_hidden_layers="five")
    assert_refused(check(model), "num_hidden_layers")
    edit_json(model / "config.json", num_hidden_layers=3, model_type="llama")
    assert_refused(check(model), "model_type", "llama")


def test_missing_files(model):
    os.remove(model / "tokenizer.json")
    assert_refused(check(model), "tokenizer.json")
    os.remove(model / "config.json")
    assert_refused(check(model), "config.json")


def test_unknown_chat_template(model):
    edit_json(model / "tokenizer_config.json", chat_template="{% for m in messages %}<<{{ m }}>>{% endfor %}")
    assert_refused(check(model), "template")


def test_cache_that_does_not_fit():
    result = check(DEMO, "--kv-cache-memory", "1MiB")
    assert result.returncode == 4, result.stderr
    assert "kv-cache-memory" in result.stderr


def test_settings_that_do_not_fit_the_model():
    result = check(DEMO, "--max-model-len", "100000")
    assert result.returncode == 3
    assert "max-model-len" in result.stderr
