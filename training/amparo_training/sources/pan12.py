"""The official XML of PAN 2012 "Sexual Predator Identification", with the list of predators.

Layout: ``<conversations><conversation id><message line><author/><time/><text/>``. The list has one
author id a line. The filter known as VTPAN (Villatoro-Tello et al. 2012): conversations of one
participant, of fewer than six messages by a participant, and messages that are long runs of
unrecognised characters (drawings) go.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ..conversations import CHILD, CONTACT, UNKNOWN, Example
from ..errors import DataError

MIN_MESSAGES = 6
MIN_RUN = 20
_DRAWING = re.compile(rf"[^\w\s]{{{MIN_RUN},}}")
_PREDATOR = re.compile(r"[0-9a-f]{32}\s*")


def predators(path: Path) -> frozenset[str]:
    """Read the ids of predators.

    Raises:
        DataError: a line is no author id; names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name}:1: {type(error).__name__}") from None
    for number, line in enumerate(lines, 1):
        if line.strip() and not _PREDATOR.fullmatch(line):
            raise DataError(f"{path.name}:{number}: not an author id of 32 hexadecimal digits")
    return frozenset(line.strip() for line in lines if line.strip())


def read(path: Path, role: str, labels: Path | None, vtpan: bool = True) -> Iterator[Example]:
    """Yield conversations; grooming where a predator takes part.

    With a predator, his messages are the contact's and the others' the child's. Without one, the
    first of two authors counts as the contact; of more than two, nobody is known.

    Raises:
        DataError: the XML is malformed or hostile, or no list of predators is given.
    """
    if labels is None:
        raise DataError(f"{path.name}:1: unlabelled; name the file of predators as `labels`")
    bad = predators(labels)
    number = 0
    try:
        for _, element in iterparse(path, events=("end",)):
            if element.tag != "conversation":
                continue
            number += 1
            messages = [m for m in map(_message, element.iter("message")) if m[1]]
            identity = element.get("id") or str(number)
            element.clear()
            if messages and (not vtpan or keeps(messages)):
                yield _example(path, role, identity, messages, bad)
    except (ParseError, DefusedXmlException, UnicodeDecodeError, OSError, ValueError) as error:
        line = getattr(error, "position", (number, 0))[0]
        raise DataError(f"{path.name}:{line}: {type(error).__name__}, not PAN12 XML") from None


def _message(element: Element) -> tuple[str, str]:
    text = html.unescape(element.findtext("text") or "").strip()
    return (element.findtext("author") or "").strip(), "" if _DRAWING.search(text) else text


def keeps(messages: list[tuple[str, str]]) -> bool:
    """The VTPAN rule over (author, text)."""
    counts = Counter(author for author, _ in messages)
    return len(counts) > 1 and min(counts.values()) >= MIN_MESSAGES


def _example(
    path: Path, role: str, identity: str, messages: list[tuple[str, str]], bad: frozenset[str]
) -> Example:
    authors = list(dict.fromkeys(author for author, _ in messages))
    wrong = [a for a in authors if a in bad]
    if wrong:
        side = {a: CONTACT if a in bad else CHILD for a in authors}
    elif len(authors) == 2:
        side = {authors[0]: CONTACT, authors[1]: CHILD}
    else:
        side = dict.fromkeys(authors, UNKNOWN)
    return Example(
        id=f"{path.stem}:{identity}",
        lang="en",
        source=path.stem,
        role=role,
        grooming=bool(wrong),
        texts=tuple(t for _, t in messages),
        senders=tuple(side[a] for a, _ in messages),
        gaps_s=(None,) * len(messages),
        cues=None,
        warn_at=None,
        group=wrong[0] if wrong else identity,
    )
