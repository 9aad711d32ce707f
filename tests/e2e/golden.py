# SPDX-License-Identifier: Apache-2.0
"""Golden files of tests/testdata, read without anybody's help, and the arithmetic to compare with."""
import array
import json
import math
import struct

_TYPES = {"F32": "f", "I32": "i"}


class Golden:
    """golden.json and golden.safetensors of a folder."""

    def __init__(self, folder):
        with open(f"{folder}/golden.json", encoding="utf-8") as file:
            self.prompts = json.load(file)["prompts"]
        with open(f"{folder}/golden.safetensors", "rb") as file:
            self._bytes = file.read()
        length = struct.unpack("<Q", self._bytes[:8])[0]
        self._header = json.loads(self._bytes[8:8 + length])
        self._data = 8 + length

    def names(self):
        return [name for name in self._header if name != "__metadata__"]

    def rows(self, name):
        """A tensor as rows of its last dimension; one list if it has only one."""
        entry = self._header[name]
        begin, end = entry["data_offsets"]
        values = array.array(_TYPES[entry["dtype"]])
        values.frombytes(self._bytes[self._data + begin:self._data + end])
        width = entry["shape"][-1]
        if len(entry["shape"]) == 1:
            return values.tolist()
        return [values[i:i + width] for i in range(0, len(values), width)]


def log_softmax(logits):
    top = max(logits)
    total = top + math.log(math.fsum(math.exp(x - top) for x in logits))
    return [x - total for x in logits]
