"""Which of the bundle's languages a conversation is in: hashed character n-grams, one matrix."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import BundleFormatError
from .text import clean

MAGIC = b"AMLI\x01"
_HEADER = struct.Struct("<5sIHf")  # magic, buckets, classes, scale
_WORDS = re.compile(r"[^\W\d_]+")
MAX_NGRAM = 4
MAX_CHARS = 2_000
"""Of one text; the language of the rest is no different."""


def ngram_counts(text: str, buckets: int) -> npt.NDArray[np.float32]:
    """Counts of hashed n-grams of lowercased words, float32 (buckets,)."""
    hashes = []
    for word in _WORDS.findall(clean(text)[:MAX_CHARS].lower()):
        padded = f" {word} "
        for size in range(1, MAX_NGRAM + 1):
            hashes += [
                zlib.crc32(padded[i : i + size].encode()) % buckets for i in range(len(padded) - size + 1)
            ]
    return np.bincount(np.asarray(hashes, np.int64), minlength=buckets).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class LanguageIdentifier:
    """Linear classifier: logits = counts @ weights, summed over the conversation so far.

    ``labels`` are language codes; weights int8 (buckets, classes) times ``scale``.
    """

    labels: tuple[str, ...]
    weights: npt.NDArray[np.int8]
    scale: float

    def evidence(self, text: str) -> npt.NDArray[np.float32]:
        """Log-odds that ``text`` adds to each label, float32 (classes,); zero for emoji or digits."""
        counts = ngram_counts(text, self.weights.shape[0])
        found = np.flatnonzero(counts)
        scores: npt.NDArray[np.float32] = counts[found] @ self.weights[found].astype(np.float32)
        # A long text is many dependent observations: its weight grows with the root of its length.
        weighted: npt.NDArray[np.float32] = scores * np.float32(
            self.scale / np.sqrt(max(float(counts.sum()) / 40.0, 1.0))
        )
        return weighted

    def to_bytes(self) -> bytes:
        """Header, labels as one NUL-joined string with its length, weights row by row."""
        names = "\0".join(self.labels).encode()
        head = _HEADER.pack(MAGIC, self.weights.shape[0], len(self.labels), self.scale)
        return head + struct.pack("<H", len(names)) + names + self.weights.tobytes()

    @classmethod
    def from_bytes(cls, blob: bytes) -> LanguageIdentifier:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            BundleFormatError: the bytes are not a complete identifier.
        """
        try:
            magic, buckets, classes, scale = _HEADER.unpack_from(blob)
            (size,) = struct.unpack_from("<H", blob, _HEADER.size)
            start = _HEADER.size + 2
            labels = tuple(blob[start : start + size].decode().split("\0"))
            if magic != MAGIC or len(labels) != classes or len(blob) != start + size + buckets * classes:
                raise BundleFormatError("the language identifier is damaged or of an unknown version")
            weights = np.frombuffer(blob, np.int8, offset=start + size).reshape(buckets, classes)
        except (struct.error, ValueError) as error:
            raise BundleFormatError("the language identifier is cut short") from error
        return cls(labels=labels, weights=weights, scale=scale)
