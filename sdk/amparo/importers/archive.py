"""The chat's text out of a zip export, without trusting the zip."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ..errors import ImportFormatError
from .conversation import ImportLimits

_SNIFF_BYTES = 4096
_MAX_SNIFFED = 200
_CHUNK_BYTES = 1 << 16
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError,
    OverflowError, KeyError, IndexError, struct.error, MemoryError,
)  # fmt: skip


class _CappedFile(io.FileIO):
    """A file that refuses one large read: zipfile reads a zip's whole table of contents at once."""

    max_read_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            data = super().read(self.max_read_bytes + 1) or b""
            size = len(data)
        elif size <= self.max_read_bytes:
            data = super().read(size) or b""
        if size > self.max_read_bytes:
            raise zipfile.BadZipFile
        return data


def chat_member(path: Path, is_chat: Callable[[bytes], bool], limits: ImportLimits) -> tuple[str, bytes]:
    """Find the chat among a zip's members by content and inflate it.

    Args:
        path: the zip file.
        is_chat: tells from a member's first 4,096 bytes whether it is a chat.
        limits: members and bytes beyond which the zip is refused.
    Returns:
        The member's file name without folder and ending, and its bytes.
    Raises:
        ImportFormatError: damaged, encrypted, too large, or without a chat.
    """
    problem = "the zip file is damaged, encrypted or packed in an unknown way"
    try:
        with _CappedFile(path) as file:
            file.max_read_bytes = limits.max_directory_bytes
            with zipfile.ZipFile(file) as archive:
                found = _search(archive, is_chat, limits)
        if isinstance(found, tuple):
            return found
        problem = found
    except _BROKEN:
        pass
    raise ImportFormatError(problem)


def _search(
    archive: zipfile.ZipFile, is_chat: Callable[[bytes], bool], limits: ImportLimits
) -> tuple[str, bytes] | str:
    """Return the chat, or what is wrong."""
    members = [m for m in archive.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
    if len(members) > limits.max_archive_members:
        return f"the zip file has more than {limits.max_archive_members} members"
    for member in sorted(members, key=_rank)[:_MAX_SNIFFED]:
        # Stored and deflate are all that phones write; others inflate without a bound.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            continue
        with archive.open(member) as stream:
            head = stream.read(_SNIFF_BYTES)
            if not is_chat(head):
                continue
            parts, size = [head], len(head)
            while chunk := stream.read(_CHUNK_BYTES):
                parts.append(chunk)
                if (size := size + len(chunk)) > limits.max_inflated_bytes:
                    return f"the chat in the zip file is larger than {limits.max_inflated_bytes} bytes"
        return PurePosixPath(member.filename).stem, b"".join(parts)
    return "the zip file holds no chat"


def _rank(member: zipfile.ZipInfo) -> tuple[int, int]:
    """Likely names first; a document sent in the chat may look like an export, so order matters."""
    name = PurePosixPath(member.filename).name.casefold()
    depth = member.filename.count("/")
    if name in ("_chat.txt", "result.json"):
        return 0, depth
    if name.startswith("whatsapp") and name.endswith(".txt"):
        return 1, depth
    return (2 if name.endswith((".txt", ".json")) else 3), depth
