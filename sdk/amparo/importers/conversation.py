"""What every importer returns: conversations with names and times as the export has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "media", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLimits:
    """How much an importer reads before it refuses. Exports are untrusted bytes.

    Args:
        max_file_bytes: largest plain export, in bytes.
        max_archive_bytes: largest zip file, in bytes; media inside are never read.
        max_archive_members: most files in a zip.
        max_directory_bytes: largest table of contents of a zip, in bytes.
        max_inflated_bytes: most bytes read out of one zip, after decompression.
        max_header_lines: most lines that look like the start of a message.
    """

    max_file_bytes: int = 128 * 1024 * 1024
    max_archive_bytes: int = 4 * 1024 * 1024 * 1024
    max_archive_members: int = 20_000
    max_directory_bytes: int = 16 * 1024 * 1024
    max_inflated_bytes: int = 128 * 1024 * 1024
    max_header_lines: int = 2_000_000


LIMITS = ImportLimits()


@dataclass(frozen=True, slots=True)
class ImportedMessage:
    """One message of an export.

    Args:
        sender: name as in the export, None when the export gives none.
        text: what was written, lines joined by a newline; empty where the export only holds a
            placeholder (media left out, message deleted), so that a placeholder is never assessed.
        sent_at: seconds since the epoch, None when unknown. WhatsApp writes the phone's local time
            without its zone; it is read **as if it were UTC**, so it may be off by up to 14 hours, the
            same for the whole export. Telegram gives real seconds since the epoch.
        kind: "media" with or without a caption, "deleted", else "text".
        attachment: file name of the attachment, where the export tells it.
    """

    sender: str | None = field(repr=False)
    text: str = field(repr=False)
    sent_at: float | None
    kind: Kind = "text"
    attachment: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ImportedConversation:
    """One chat of an export; ``title`` is the chat's name or file name, empty when there is none."""

    title: str = field(repr=False)
    messages: tuple[ImportedMessage, ...] = field(repr=False)

    @property
    def senders(self) -> tuple[str, ...]:
        """Names in the order of their first message."""
        return tuple(dict.fromkeys(m.sender for m in self.messages if m.sender is not None))
