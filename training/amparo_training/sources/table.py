"""Plain CSV: a message a row, with a header: ``conversation,from,text,label``, optional ``lang,group``."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ..conversations import CHILD, CONTACT, UNKNOWN, Example
from ..errors import DataError

NEEDED = ("conversation", "from", "text", "label")
MAX_FIELD = 1 << 20


def read(path: Path, role: str) -> Iterator[Example]:
    """Yield conversations; rows of one conversation stand together.

    Raises:
        DataError: the header lacks a column, a label is not 0 or 1 or changes inside a conversation, a
            conversation comes back later, or the file is not UTF-8; names file and line.
    """
    csv.field_size_limit(MAX_FIELD)
    done: set[str] = set()
    current: list[dict[str, str]] = []
    number = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if missing := [name for name in NEEDED if name not in (rows.fieldnames or ())]:
                raise DataError(f"{path.name}:1: no column {missing[0]!r}; needs {', '.join(NEEDED)}")
            for row in rows:
                number = rows.line_num
                _check(row, current, done, f"{path.name}:{number}")
                if current and row["conversation"] != current[0]["conversation"]:
                    done.add(current[0]["conversation"])
                    yield _example(path, role, current)
                    current = []
                current.append(row)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise DataError(f"{path.name}:{number + 1}: {type(error).__name__}, not CSV in UTF-8") from None
    if current:
        yield _example(path, role, current)


def _check(row: dict[str, str], current: list[dict[str, str]], done: set[str], where: str) -> None:
    if None in row or any(row[name] is None for name in NEEDED):
        raise DataError(f"{where}: not as many columns as the header")
    if row["label"] not in ("0", "1"):
        raise DataError(f"{where}: unlabelled; label is 0 or 1")
    if row["conversation"] in done:
        raise DataError(f"{where}: conversation comes back; sort the file by conversation")
    if current and row["conversation"] == current[0]["conversation"] and row["label"] != current[0]["label"]:
        raise DataError(f"{where}: label changes inside a conversation")


def _example(path: Path, role: str, rows: list[dict[str, str]]) -> Example:
    head = rows[0]
    sides = {"child": CHILD, "": UNKNOWN}
    return Example(
        id=f"{path.stem}:{head['conversation']}",
        lang=head.get("lang") or "",
        source=path.stem,
        role=role,
        grooming=head["label"] == "1",
        texts=tuple(r["text"] for r in rows),
        senders=tuple(sides.get(r["from"], CONTACT) for r in rows),
        gaps_s=(None,) * len(rows),
        cues=None,
        warn_at=None,
        group=head.get("group") or head["conversation"],
    )
