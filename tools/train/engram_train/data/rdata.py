# SPDX-License-Identifier: Apache-2.0
"""Reads character vectors from an R package's lazy-load database (Rdata.rdb), as far as such vectors need it.

An entry is a length, a compressed serialization, and nothing between entries but the index file's word for it. The
serialization is XDR: big-endian, every value led by flags whose low byte is its type.
"""
import struct
import zlib

_NULL, _SYMBOL, _PAIRS, _CHARS, _LOGICAL, _INTEGER, _REAL, _STRINGS, _LIST = 254, 1, 2, 9, 10, 13, 14, 16, 19
_REFERENCE, _HAS_ATTRIBUTES, _HAS_TAG = 255, 0x200, 0x400


class _Reader:
    def __init__(self, data):
        self.data, self.at, self.symbols = data, 0, []

    def _integer(self):
        self.at += 4
        return struct.unpack_from(">i", self.data, self.at - 4)[0]

    def header(self):
        """The two bytes 'X\\n', three versions, and from version 3 on the native encoding's name."""
        self.at = 2
        version = self._integer()
        self.at += 8
        if version >= 3:
            encoding_size = self._integer()
            self.at += encoding_size

    def value(self):
        flags = self._integer()
        kind = flags & 0xFF
        if kind == _NULL:
            return None
        if kind == _REFERENCE:
            return self.symbols[(flags >> 8) - 1]
        if kind == _SYMBOL:
            self.symbols.append(self.value())
            return self.symbols[-1]
        if kind == _PAIRS:
            return self._pairs(flags)
        if kind == _CHARS:
            size = self._integer()
            if size < 0:
                return None
            self.at += size
            return self.data[self.at - size:self.at].decode("utf-8", "replace")
        value = self._vector(kind)
        if flags & _HAS_ATTRIBUTES:
            self.value()
        return value

    def _pairs(self, flags):
        while flags & 0xFF == _PAIRS:
            if flags & _HAS_ATTRIBUTES:
                self.value()
            if flags & _HAS_TAG:
                self.value()
            self.value()
            flags = self._integer()
        return None  # attributes: nobody asks for them

    def _vector(self, kind):
        count = self._integer()
        if kind in (_STRINGS, _LIST):
            return [self.value() for _ in range(count)]
        if kind in (_LOGICAL, _INTEGER, _REAL):
            self.at += count * (8 if kind == _REAL else 4)
            return None
        raise ValueError(f"R serialization: type {kind} at byte {self.at}; only vectors and lists are read here")


def character_vectors(path):
    """Every character vector of the database, in the order of the file."""
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at + 4 < len(data):
        decompressor = zlib.decompressobj()
        serialized = decompressor.decompress(data[at + 4:])
        at = len(data) - len(decompressor.unused_data)
        reader = _Reader(serialized)
        reader.header()
        value = reader.value()
        if isinstance(value, list) and value and isinstance(value[0], str):
            yield value
