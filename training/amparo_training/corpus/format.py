"""Read the corpus format of docs/annotation-guide.md: one message a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataError

CONTACT_CUES = (
    "age_probe", "personal_probe", "supervision_probe", "flattery", "isolation", "secrecy",
    "platform_move", "inducement", "recruitment", "image_request", "sexual_approach", "meeting",
    "coercion",
)  # fmt: skip
CHILD_CUES = ("minor_disclosure", "distress")
CUES = CONTACT_CUES + CHILD_CUES
LANGUAGES = ("en", "es", "pt", "fr", "it", "de", "nl", "el", "bg", "lt", "bn")
ROOT = Path(__file__).parent

_HEADER = re.compile(
    r"== (?P<id>[a-z]{2}-(?:tr|te)-\d{3}) \| (?P<label>grooming|harmless) \| region: (?P<region>[^|]+?)"
    r" \| script: (?P<script>native|latin) \| approach: (?P<approach>[^|]+?)"
    r" \| scenario: (?P<scenario>[^|]+)$"
)
_GAP = re.compile(r"~ (\d{1,3})\s?(s|m|h|d)$")
_TURN = re.compile(r"(?P<who>[^\s:{}][^:{}]{0,30}): (?P<text>[^{}]*[^{}\s])(?:\s+\{(?P<cues>[a-z_, ]+)\})?$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class CorpusError(DataError):
    """A corpus file breaks the format or the content rule; the message names file and line."""

    code = "corpus"
    advice = "See docs/annotation-guide.md, and run amparo-corpus check on the file."


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One message. ``gap_s`` is the stated time since the message before, None where not stated."""

    who: str
    text: str = field(repr=False)
    cues: tuple[str, ...] = ()
    gap_s: int | None = None


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """One authored conversation. ``warn_at`` is an index into ``turns``, None when harmless."""

    id: str
    lang: str
    grooming: bool
    region: str
    script: str
    approach: str
    scenario: str
    warn_at: int | None
    turns: tuple[Turn, ...]
    line: int = 0


class _Draft:
    """A conversation while its lines come in."""

    def __init__(self, header: dict[str, str], line: int) -> None:
        self.header, self.line = header, line
        self.turns: list[Turn] = []
        self.warn: int | None = None
        self.gap: int | None = None

    def add(self, line: str, where: str) -> None:
        if line.startswith("warn:"):
            if not line[5:].strip().isdigit():
                raise CorpusError(f"{where}: warn needs a message index")
            self.warn = int(line[5:])
        elif match := _GAP.match(line):
            self.gap = int(match[1]) * _SECONDS[match[2]]
        elif match := _TURN.match(line):
            cues = tuple(c.strip() for c in (match["cues"] or "").split(",") if c.strip())
            self.turns.append(Turn(who=match["who"], text=match["text"].strip(), cues=cues, gap_s=self.gap))
            self.gap = None
        else:
            raise CorpusError(f"{where}: neither header, warn, gap nor message")

    def build(self) -> Conversation:
        header = self.header
        return Conversation(
            id=header["id"], lang=header["id"][:2], grooming=header["label"] == "grooming",
            region=header["region"], script=header["script"], approach=header["approach"],
            scenario=header["scenario"].strip(), warn_at=self.warn, turns=tuple(self.turns), line=self.line,
        )  # fmt: skip


def parse(path: Path) -> Iterator[Conversation]:
    """Yield the conversations of one file.

    Raises:
        CorpusError: a line does not fit the format.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path.name}: not UTF-8 near byte {error.start}") from None
    draft: _Draft | None = None
    for number, raw in enumerate(lines, 1):
        line, where = raw.rstrip(), f"{path.name}:{number}"
        if not line or line.startswith("# "):
            continue
        if line.startswith("=="):
            if draft is not None:
                yield draft.build()
            match = _HEADER.match(line)
            if match is None:
                raise CorpusError(f"{where}: header does not fit the format")
            draft = _Draft(match.groupdict(), number)
        elif draft is None:
            raise CorpusError(f"{where}: text before the first header")
        else:
            draft.add(line, where)
    if draft is not None:
        yield draft.build()


def load(part: str, languages: tuple[str, ...] = LANGUAGES) -> list[Conversation]:
    """Read one part ("train" or "test") of the corpus in the order of ``languages``."""
    files = (ROOT / part / f"{lang}.txt" for lang in languages)
    return [conversation for file in files if file.exists() for conversation in parse(file)]
