"""Reads rows from the pages of a damaged SQLite file, without SQLite and without the tree above them.

Every leaf page is read by itself, so a damaged page costs what lies in it and nothing else. Source:
sqlite.org/fileformat2.html, sections 1.3, 1.6 and 2.1.
"""

from __future__ import annotations

from collections.abc import Iterator

Value = bytes | int | str | None
Cell = tuple[int | None, list[Value]]
"""Row number (None in a table without one) and columns."""
TABLE_LEAF, INDEX_LEAF, INDEX_INNER = 0x0D, 0x0A, 0x02
MAX_COLUMNS = 8
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)


class DamagedCellError(ValueError):
    """A cell does not follow the file format."""


class Pages:
    """A file's pages.

    Args:
        data: the whole file; when its header is damaged, pages of 4096 bytes are assumed.
    """

    def __init__(self, data: bytes) -> None:
        size = int.from_bytes(data[16:18], "big")
        size = 1 << 16 if size == 1 else size
        sane = data.startswith(b"SQLite format 3\x00") and 512 <= size <= 1 << 16 and size & (size - 1) == 0
        self.data, self.size = data, size if sane else 4096
        self.usable = self.size  # a vault reserves nothing at the end of a page
        self.unreadable = 0

    def cells(self) -> Iterator[Cell]:
        """Every cell that can be read; ``unreadable`` counts the others."""
        for start in range(0, len(self.data), self.size):
            at = start + (100 if start == 0 else 0)
            page = self.data[start : start + self.size]
            if len(self.data) <= at + 8 or self.data[at] not in (TABLE_LEAF, INDEX_LEAF, INDEX_INNER):
                continue
            kind, count = self.data[at], int.from_bytes(self.data[at + 3 : at + 5], "big")
            pointers = at - start + (12 if kind == INDEX_INNER else 8)
            for number in range(min(count, self.size // 4)):
                offset = int.from_bytes(page[pointers + 2 * number : pointers + 2 * number + 2], "big")
                try:
                    yield self._cell(page, offset, kind)
                except (DamagedCellError, IndexError):
                    self.unreadable += 1

    def _cell(self, page: bytes, at: int, kind: int) -> Cell:
        at += 4 if kind == INDEX_INNER else 0
        length, at = _varint(page, at)
        number = None
        if kind == TABLE_LEAF:
            number, at = _varint(page, at)
        if length > len(self.data):
            raise DamagedCellError
        most = self.usable - 35 if kind == TABLE_LEAF else (self.usable - 12) * 64 // 255 - 23
        if length <= most:
            payload = page[at : at + length]
            if len(payload) != length:
                raise DamagedCellError
            return number, _columns(payload)
        least = (self.usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (self.usable - 4)
        local = local if local <= most else least
        follow = int.from_bytes(page[at + local : at + local + 4], "big")
        return number, _columns(page[at : at + local] + self._overflow(follow, length - local))

    def _overflow(self, page: int, length: int) -> bytes:
        """What of the chain of overflow pages is there; may be short."""
        parts, room = [], self.usable - 4
        while length > 0 and 1 < page <= -(-len(self.data) // self.size):
            raw = self.data[(page - 1) * self.size : page * self.size]
            parts.append(raw[4 : 4 + min(room, length)])
            length -= room
            page = int.from_bytes(raw[:4], "big")
        return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        byte = data[at]
        value, at = value << 7 | byte & 127, at + 1
        if byte < 128:
            return value, at
    return value << 8 | data[at], at + 1


def _columns(payload: bytes) -> list[Value]:
    """The columns of a row; a blob that is cut short is None, as it would be if it were gone."""
    end, at = _varint(payload, 0)
    kinds, values = list[int](), list[Value]()
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if at != end or not 0 < len(kinds) <= MAX_COLUMNS:
        raise DamagedCellError
    for kind in kinds:
        if kind in (7, 10, 11):  # floats and reserved kinds: no table of a vault has them
            raise DamagedCellError
        size = _SIZES[kind] if kind < 12 else (kind - 12) // 2
        raw, at = payload[at : at + size], at + size
        if len(raw) != size:
            values.append(None)
        elif kind >= 12:
            values.append(raw if kind % 2 == 0 else raw.decode("utf-8", "replace"))
        else:
            values.append(
                None if kind == 0 else kind - 8 if kind > 7 else int.from_bytes(raw, "big", signed=True)
            )
    return values
