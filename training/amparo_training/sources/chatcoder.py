"""Logs as ChatCoder and Perverted-Justice have them: one grooming conversation a file.

XML: ``<POST><USERNAME/><DATETIME/><BODY/></POST>``, often without a root. Text: lines of
``name (mm/dd/yy h:mm:ss AM): text``, or ``name: text``. The contact is whoever the line
``# predator: NAME`` (text) or the attribute or element ``PREDATOR`` (XML) names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ..conversations import CHILD, CONTACT, Example
from ..errors import DataError

MAX_BYTES = 64 << 20
_LINE = re.compile(r"(?P<who>[^\s:(][^:(]{0,63}?)\s*(?:\((?P<when>[^)]{3,40})\))?\s*:\s(?P<text>.*)")
_NAMED = re.compile(r"#\s*predator:\s*(?P<who>.+?)\s*$", re.IGNORECASE)
_PROLOGUE = re.compile(r"^\s*<\?xml[^>]*\?>")


def read(path: Path, role: str, *, xml: bool) -> Iterator[Example]:
    """Yield the file's one conversation.

    Raises:
        DataError: nothing fits, or nobody is named as the predator in a file of grooming.
    """
    text = _text(path)
    turns, named = _posts(text, path) if xml else _lines(text, path)
    if not turns:
        raise DataError(f"{path.name}:1: no messages of the form `name: text` or <POST>")
    grooming = role in ("grooming", "author", "segment")
    if grooming and named is None:
        raise DataError(f"{path.name}:1: unlabelled; say `# predator: NAME` or <PREDATOR>NAME</PREDATOR>")
    authors = list(dict.fromkeys(who for who, _ in turns))
    contact = named if named is not None else authors[0]
    if contact not in authors:
        raise DataError(f"{path.name}:1: the named predator writes nothing")
    yield Example(
        id=f"log:{path.stem}",
        lang="en",
        source="log",
        role=role,
        grooming=grooming,
        texts=tuple(t for _, t in turns),
        senders=tuple(CONTACT if w == contact else CHILD for w, _ in turns),
        gaps_s=(None,) * len(turns),
        cues=None,
        warn_at=None,
        group=path.stem,
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path.name}:1: over 64 MiB for one conversation")
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name}:1: {type(error).__name__}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"{path.name}:{line}: not UTF-8; convert it first") from None


def _posts(text: str, path: Path) -> tuple[list[tuple[str, str]], str | None]:
    body = _PROLOGUE.sub("", text)
    try:
        root = fromstring(f"<LOG>{body}</LOG>", forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        line = getattr(error, "position", (1, 0))[0]
        raise DataError(f"{path.name}:{line}: {type(error).__name__}, not ChatCoder XML") from None
    turns = [
        ((post.findtext("USERNAME") or "").strip(), (post.findtext("BODY") or "").strip())
        for post in root.iter("POST")
    ]
    named = (root.findtext(".//PREDATOR") or "").strip() or None
    return [(who, body) for who, body in turns if who and body], named


def _lines(text: str, path: Path) -> tuple[list[tuple[str, str]], str | None]:
    turns: list[tuple[str, str]] = []
    named = None
    for number, line in enumerate(text.splitlines(), 1):
        if match := _NAMED.match(line):
            named = match["who"]
        elif match := _LINE.match(line):
            turns.append((match["who"], match["text"]))
        elif line.strip() and turns:  # a message that goes on
            turns[-1] = (turns[-1][0], f"{turns[-1][1]}\n{line}")
        elif line.strip() and not line.startswith("#"):
            raise DataError(f"{path.name}:{number}: not `name: text`")
    return [(who, said) for who, said in turns if said.strip()], named
