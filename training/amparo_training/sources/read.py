"""Choose the reader by format or file name, and hold every reader to the same limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..config import SourceConfig
from ..conversations import ROLES, Example
from ..errors import DataError
from . import chatcoder, jsonl, pan12, table

FORMATS = ("auto", "jsonl", "pan12", "chatcoder", "log", "csv")


def read_source(path: Path, role: str, kind: str = "auto", labels: Path | None = None) -> Iterator[Example]:
    """Yield the conversations of one file.

    Args:
        path: a file; gzip where the format is JSON Lines.
        role: what the conversations are, one of ``ROLES``.
        kind: one of ``FORMATS``; "auto" goes by the suffix: .jsonl[.gz], .csv, .xml (PAN12 or ChatCoder
            by its root), .txt or .log.
        labels: for PAN12, the file that names the predators.
    Raises:
        DataError: the file is malformed, unlabelled, mis-encoded or too big; names file and line.
    """
    if role not in ROLES:
        raise DataError(f"unknown role {role!r}; one of {', '.join(ROLES)}")
    kind = _kind(path) if kind == "auto" else kind
    if kind == "pan12":
        return pan12.read(path, role, labels)
    if kind in ("chatcoder", "log"):
        return chatcoder.read(path, role, xml=kind == "chatcoder")
    if kind == "csv":
        return table.read(path, role)
    if kind == "jsonl":
        return jsonl.read(path, role)
    raise DataError(f"unknown format {kind!r}; one of {', '.join(FORMATS)}")


def _kind(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    if name.endswith(".csv"):
        return "csv"
    if name.endswith((".txt", ".log")):
        return "log"
    if not name.endswith(".xml"):
        return "jsonl"
    try:
        with path.open("rb") as file:
            return "pan12" if b"<conversations" in file.read(4096) else "chatcoder"
    except OSError as error:
        raise DataError(f"{path.name}: {type(error).__name__}") from None


def read(source: SourceConfig, folder: Path) -> Iterator[Example]:
    """Yield one configured source's conversations."""
    labels = folder / source.labels if source.labels else None
    return read_source(folder / source.path, source.role, source.format, labels)
