"""Read the corpus format of docs/annotation-guide.md: one message a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

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
    r" \| script: (?P<script>native|latin) \| approach: (?P<approach>[^|]+?) \| scenario: (?P<scenario>[^|]+)$"
)
_GAP = re.compile(r"~ (\d{1,3})\s?(s|m|h|d)$")
_TURN = re.compile(r"(?P<who>[^\s:{}][^:{}]{0,30}): (?P<text>[^{}]*[^{}\s])(?:\s+\{(?P<cues>[a-z_, ]+)\})?$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class CorpusError(ValueError):
    """A corpus file breaks the format or the content rule; the message names file and line."""


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


def parse(path: Path) -> Iterator[Conversation]:
    """Yield the conversations of one file.

    Raises:
        CorpusError: a line does not fit the format.
    """
    header: dict[str, str] | None = None
    turns: list[Turn] = []
    warn: int | None = None
    gap: int | None = None
    start = 0
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path.name}: not UTF-8 near byte {error.start}") from None

    def build() -> Conversation:
        assert header is not None
        return Conversation(
            id=header["id"], lang=header["id"][:2], grooming=header["label"] == "grooming",
            region=header["region"], script=header["script"], approach=header["approach"],
            scenario=header["scenario"].strip(), warn_at=warn, turns=tuple(turns), line=start,
        )  # fmt: skip

    for number, raw in enumerate(lines, 1):
        line = raw.rstrip()
        where = f"{path.name}:{number}"
        if not line or line.startswith("# "):
            continue
        if line.startswith("=="):
            if header is not None:
                yield build()
            match = _HEADER.match(line)
            if match is None:
                raise CorpusError(f"{where}: header does not fit the format")
            header, turns, warn, gap, start = match.groupdict(), [], None, None, number
        elif header is None:
            raise CorpusError(f"{where}: text before the first header")
        elif line.startswith("warn:"):
            if not line[5:].strip().isdigit():
                raise CorpusError(f"{where}: warn needs a message index")
            warn = int(line[5:])
        elif match := _GAP.match(line):
            gap = int(match[1]) * _SECONDS[match[2]]
        elif match := _TURN.match(line):
            cues = tuple(c.strip() for c in (match["cues"] or "").split(",") if c.strip())
            turns.append(Turn(who=match["who"], text=match["text"].strip(), cues=cues, gap_s=gap))
            gap = None
        else:
            raise CorpusError(f"{where}: neither header, warn, gap nor message")
    if header is not None:
        yield build()


def load(part: str, languages: tuple[str, ...] = LANGUAGES) -> list[Conversation]:
    """Read one part ("train" or "test") of the corpus in the order of ``languages``."""
    files = (ROOT / part / f"{lang}.txt" for lang in languages)
    return [conversation for file in files if file.exists() for conversation in parse(file)]
