"""Deterministic CBOR, the restricted profile of the evidence format.

Writing is cbor2's. Reading is our own, because cbor2 accepts duplicate keys, long integers, unsorted
maps and trailing bytes: this reader accepts exactly the bytes that writing the value again would give.
Source: RFC 8949, 4.2.1; `docs/evidence-format.md`, section 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cbor2

from ..errors import EvidenceFormatError

MAX_INT = (1 << 53) - 1
MAX_DEPTH = 8
MAX_KEY_BYTES = 64
MAX_ITEMS = 1 << 20
_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP = range(6)
_SIMPLE = {0xF4: False, 0xF5: True, 0xF6: None}


def encode(value: Any) -> bytes:
    """Write a value of the profile; raises EvidenceFormatError when it is outside the profile.

    Maps have only uint or only text keys, for which cbor2's length-first order and the bytewise order
    of RFC 8949 4.2.1 agree.
    """
    _check(value, 0)
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, *, max_bytes: int = 1 << 20) -> Any:
    """Read one value that fills ``data`` exactly.

    Raises:
        EvidenceFormatError: too large, too deep, outside the profile, not canonical, or bytes left over.
    """
    value, end = decode_first(data, 0, max_bytes=max_bytes)
    if end != len(data):
        raise EvidenceFormatError("bytes follow the object")
    return value


def decode_first(data: bytes, start: int, *, max_bytes: int = 1 << 20) -> tuple[Any, int]:
    """Read the value at ``start``; returns it and the offset after it. For CBOR sequences."""
    reader = _Reader(data, min(len(data), start + max_bytes))
    value, end = reader.item(start, 0)
    return value, end


def expect_map(
    value: Any, required: Mapping[int, type], optional: Mapping[int, type] | None = None
) -> dict[int, Any]:
    """Check that ``value`` is a version 1 map with exactly these keys and types.

    Unknown keys are refused: whoever signs something must mean all of it.
    Raises:
        EvidenceFormatError: not a map, wrong version, a key missing, unknown or of another type.
    """
    if not isinstance(value, dict):
        raise EvidenceFormatError("the object is not a map")
    if value.get(0) != 1 or isinstance(value.get(0), bool):
        raise EvidenceFormatError("the object's version is not known")
    allowed = {0: int, **required, **(optional or {})}
    if not all(key in value for key in required) or not all(key in allowed for key in value):
        raise EvidenceFormatError("the object lacks a field or has an unknown one")
    for key, item in value.items():
        if type(item) is not allowed[key]:
            raise EvidenceFormatError("a field of the object has the wrong type")
        if isinstance(item, int) and item < 0:
            raise EvidenceFormatError("a field of the object is negative")
    return value


def fixed(value: bytes, length: int) -> bytes:
    """Return ``value`` when it has exactly ``length`` bytes; raises EvidenceFormatError otherwise."""
    if not isinstance(value, bytes) or len(value) != length:
        raise EvidenceFormatError("a byte string of the object has the wrong length")
    return value


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise EvidenceFormatError("the value is nested too deeply")
    kind = type(value)
    if kind is int:
        if not -MAX_INT <= value <= MAX_INT:
            raise EvidenceFormatError("an integer is out of range")
    elif kind is dict:
        _check_map(value, depth)
    elif kind is list:
        for item in value:
            _check(item, depth + 1)
    elif kind is str:
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise EvidenceFormatError("a text is not valid Unicode") from None
    elif kind is not bytes and kind is not bool and value is not None:
        raise EvidenceFormatError("a type is outside the profile")


def _check_map(value: dict[Any, Any], depth: int) -> None:
    kinds = set(map(type, value))
    if len(kinds) > 1:
        raise EvidenceFormatError("a map mixes kinds of keys")
    if value and depth >= MAX_DEPTH:
        raise EvidenceFormatError("the value is nested too deeply")
    if kinds == {int}:
        if min(value) < 0 or max(value) > MAX_INT:
            raise EvidenceFormatError("a map key is out of range")
    else:
        for key in value:
            if type(key) is not str or len(key.encode("utf-8", "replace")) > MAX_KEY_BYTES:
                raise EvidenceFormatError("a map key is neither a uint nor a short text")
            _check(key, depth + 1)
    for item in value.values():
        if type(item) is not bytes:
            _check(item, depth + 1)


class _Reader:
    """Walks the bytes once. Every limit is checked before anything of that size is made."""

    def __init__(self, data: bytes, end: int) -> None:
        self.data, self.end, self.items = data, end, 0

    def head(self, at: int) -> tuple[int, int, int]:
        """Major type, argument and the offset after the head; only shortest forms."""
        if at >= self.end:
            raise EvidenceFormatError("the object ends too early")
        first = self.data[at]
        major, low = first >> 5, first & 31
        if low < 24:
            return major, low, at + 1
        if low > 27:
            raise EvidenceFormatError("an indefinite or reserved length is not canonical")
        size = 1 << (low - 24)
        if at + 1 + size > self.end:
            raise EvidenceFormatError("the object ends too early")
        argument = int.from_bytes(self.data[at + 1 : at + 1 + size], "big")
        if argument < (24, 1 << 8, 1 << 16, 1 << 32)[low - 24]:
            raise EvidenceFormatError("a number is not in its shortest form")
        return major, argument, at + 1 + size

    def item(self, at: int, depth: int) -> tuple[Any, int]:
        """The value at ``at`` and the offset after it."""
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise EvidenceFormatError("the object is nested too deeply or has too many parts")
        first = self.data[at] if at < self.end else 0
        if first < 24 and at < self.end:  # a small number, the most common item
            return first, at + 1
        if first in _SIMPLE:
            return _SIMPLE[first], at + 1
        major, argument, at = self.head(at)
        if major in (_UINT, _NINT):
            value = argument if major == _UINT else -1 - argument
            if abs(value) > MAX_INT:
                raise EvidenceFormatError("an integer is out of range")
            return value, at
        if major > _MAP:
            raise EvidenceFormatError("a tag, float or simple value is outside the profile")
        if argument > self.end - at:
            raise EvidenceFormatError("a length is larger than the object")
        if major in (_BYTES, _TEXT):
            return self.string(major, at, at + argument)
        return self.array(argument, at, depth) if major == _ARRAY else self.map(argument, at, depth)

    def string(self, major: int, at: int, end: int) -> tuple[bytes | str, int]:
        """A byte string, or a text that is valid UTF-8."""
        raw = bytes(self.data[at:end])
        if major == _BYTES:
            return raw, end
        try:
            return raw.decode("utf-8"), end
        except UnicodeDecodeError:
            raise EvidenceFormatError("a text is not valid UTF-8") from None

    def array(self, count: int, at: int, depth: int) -> tuple[list[Any], int]:
        """``count`` values."""
        values = []
        for _ in range(count):
            value, at = self.item(at, depth + 1)
            values.append(value)
        return values, at

    def map(self, count: int, at: int, depth: int) -> tuple[dict[Any, Any], int]:
        """``count`` pairs, keys of one kind and strictly rising in their encoded bytes."""
        values: dict[Any, Any] = {}
        previous, kind = b"", None
        for _ in range(count):
            key, after = self.item(at, depth + 1)
            raw = bytes(self.data[at:after])
            if kind is None:
                kind = type(key)
            if type(key) is not kind or not (kind is int or kind is str) or raw[0] >> 5 == _NINT:
                raise EvidenceFormatError("a map key is neither a uint nor a text, or kinds are mixed")
            if len(raw) > MAX_KEY_BYTES + 2 or (kind is str and len(key.encode()) > MAX_KEY_BYTES):
                raise EvidenceFormatError("a map key is too long")
            if raw <= previous:
                raise EvidenceFormatError("map keys are not in order, or one comes twice")
            values[key], at = self.item(after, depth + 1)
            previous = raw
        return values, at
