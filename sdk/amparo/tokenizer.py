"""SentencePiece unigram tokenizer: longest-prefix normaliser and float32 Viterbi, nothing else.

Source: SentencePiece (Kudo and Richardson 2018), whose output this reproduces id by id. Special
tokens in a text are text: a typed ``</s>`` is four characters, never an end of sequence.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import BundleFormatError
from .text import clean

MAGIC = b"AMTK\x01"
_HEADER = struct.Struct("<5sIIIII")  # magic, pieces, bos, eos, unk, bytes of the charsmap
SPACE = "\u2581"
UNK_PENALTY = np.float32(10.0)
_END = ""  # key of a trie node's (id, score)


@dataclass(frozen=True, kw_only=True)
class TokenizerTable:
    """What a tokenizer is made of. ``pieces[i]`` has id i; control pieces have no text of their own."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    control: frozenset[int]
    bos: int
    eos: int
    unk: int
    charsmap: bytes

    def to_bytes(self) -> bytes:
        """Serialise: header, then scores float32, then length-prefixed UTF-8 strings, little-endian."""
        head = _HEADER.pack(MAGIC, len(self.pieces), self.bos, self.eos, self.unk, len(self.charsmap))
        strings = ["" if i in self.control else p for i, p in enumerate(self.pieces)]
        packed = b"".join(struct.pack("<H", len(b)) + b for b in (s.encode("utf-8") for s in strings))
        return head + self.charsmap + np.asarray(self.scores, "<f4").tobytes() + packed

    @classmethod
    def from_bytes(cls, blob: bytes) -> TokenizerTable:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            BundleFormatError: the bytes are not a complete table.
        """
        try:
            magic, count, bos, eos, unk, map_bytes = _HEADER.unpack_from(blob)
            if magic != MAGIC or not max(bos, eos, unk) < count <= 1 << 20 or not 8 <= map_bytes <= 1 << 24:
                raise BundleFormatError("not a tokenizer table of a known version")
            offset = _HEADER.size + map_bytes
            charsmap = blob[_HEADER.size : offset]
            scores = np.frombuffer(blob, "<f4", count, offset).tolist()
            offset += 4 * count
            pieces = []
            for _ in range(count):
                (size,) = struct.unpack_from("<H", blob, offset)
                pieces.append(blob[offset + 2 : offset + 2 + size].decode("utf-8"))
                offset += 2 + size
        except (struct.error, ValueError) as error:
            raise BundleFormatError("the tokenizer table is cut short or damaged") from error
        if offset != len(blob):
            raise BundleFormatError("the tokenizer table is cut short or followed by other bytes")
        return cls(
            pieces=tuple(pieces),
            scores=tuple(scores),
            control=frozenset(i for i, p in enumerate(pieces) if not p),
            bos=bos,
            eos=eos,
            unk=unk,
            charsmap=charsmap,
        )


class Charsmap:
    """SentencePiece's precompiled map: a double-array trie over UTF-8 bytes, then NUL-ended strings.

    Source: darts-clone's unit layout, as in SentencePiece's normalizer.cc.
    """

    def __init__(self, blob: bytes) -> None:
        size = int.from_bytes(blob[:4], "little")
        if size % 4 or 4 + size > len(blob) or size == 0:
            raise BundleFormatError("the charsmap is damaged")
        units = np.frombuffer(blob, "<u4", size // 4, 4).tolist()
        self._label = [unit & 0x800000FF for unit in units]
        self._offset = [(unit >> 10) << ((unit & 512) >> 6) for unit in units]
        self._leaf = [bool(unit >> 8 & 1) for unit in units]
        self._value = [unit & 0x7FFFFFFF for unit in units]
        self._strings = blob[4 + size :]

    def longest_prefix(self, text: bytes, start: int) -> tuple[str | None, int]:
        """Return the replacement for the longest known prefix at ``start`` and the bytes it takes."""
        position, value, length = self._offset[0], -1, 0
        size = len(self._label)
        for index in range(start, len(text)):
            position ^= text[index]
            if position >= size or self._label[position] != text[index]:
                break
            leaf = self._leaf[position]
            position ^= self._offset[position]
            if leaf:
                value, length = self._value[position], index - start + 1
        if not length:
            return None, 0
        try:
            return self._strings[value : self._strings.index(b"\0", value)].decode("utf-8"), length
        except ValueError:
            raise BundleFormatError("the charsmap is damaged") from None


class Tokenizer:
    """Turn text into piece ids."""

    def __init__(self, table: TokenizerTable) -> None:
        self.table = table
        lowest = np.float32(0)
        self._trie: dict[str, Any] = {}
        for index, (piece, score) in enumerate(zip(table.pieces, table.scores, strict=True)):
            if index in table.control or index == table.unk:
                continue
            lowest = min(lowest, np.float32(score))
            node = self._trie
            for char in piece:
                node = node.setdefault(char, {})
            node[_END] = (index, np.float32(score))
        self._unk_score = np.float32(lowest - UNK_PENALTY)
        self._charsmap = Charsmap(table.charsmap)

    def normalize(self, text: str) -> str:
        """Apply the longest-prefix map, fold runs of spaces, mark spaces as U+2581."""
        data = clean(text).encode("utf-8")
        out: list[str] = []
        previous_is_space = True
        position = 0
        while position < len(data):
            piece, size = self._charsmap.longest_prefix(data, position)
            if piece is None:
                lead = data[position]
                size = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
                piece = data[position : position + size].decode("utf-8")
            position += size
            if previous_is_space:
                piece = piece.lstrip(" ")
            if piece:
                out.append(piece)
                previous_is_space = piece.endswith(" ")
        joined = "".join(out).replace(" ", SPACE).rstrip(SPACE)
        return SPACE + joined if joined else ""

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``, without bos and eos; runs of unknown characters give one id."""
        chars = self.normalize(text)
        size, unk, unk_score, trie = len(chars), self.table.unk, self._unk_score, self._trie
        best: list[np.float32] = [np.float32(0)] * (size + 1)
        back: list[tuple[int, int] | None] = [None] * (size + 1)
        for start in range(size):
            here, end, single = best[start], start, False
            node: dict[str, Any] | None = trie
            while end < size and node is not None and (node := node.get(chars[end])) is not None:
                end += 1
                entry = node.get(_END)
                if entry is not None:
                    single = single or end == start + 1
                    score = here + entry[1]
                    if back[end] is None or score > best[end]:
                        best[end], back[end] = score, (start, entry[0])
            if not single:
                score = here + unk_score
                if back[start + 1] is None or score > best[start + 1]:
                    best[start + 1], back[start + 1] = score, (start, unk)
        ids: list[int] = []
        end = size
        while end > 0:
            step = back[end]
            assert step is not None  # every position is reached, at worst by the unknown piece
            end, index = step
            if index != unk or not ids or ids[-1] != unk:
                ids.append(index)
        return ids[::-1]
