"""Enforce format, labels, balance, originality and the content rule over corpus files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .format import CHILD_CUES, CONTACT_CUES, Conversation, parse

# Words that authored text must not hold, in the eleven languages: the content rule, roughly.
_FORBIDDEN = re.compile(
    r"\b(sex(?!t[oa]s?\b)\w*|porn\w*|nud[eo]\w*|naked|nackt\w*|desnud\w*|pelad[ao]s?|erotic\w*|er[oó]tic\w*|horny|boobs?"
    r"|penis|vagina|masturb\w*|underwear|lingerie|panties|bikini|kiss(?:ed|ing)? (?:you|me)"
    r"|nogi|nuogas?|nuoga|shirtless|torse nu|(?:sin|sem|senza|ohne|zonder|without|xwris|bez) (?:\w+ )?"
    r"(?:camiseta|camisa|maglietta|t-?shirt|shirt|hemd|fanela|teniska|blusa)"
    r"|голичк\w*|секс\w*|порно\w*|γυμν[όήοέ]\w*|σεξ\w*|πορν\w*|সেক্স\w*|নগ্ন\w*|পর্ন\w*|bloot|naakt\w*|nua|nus|nues|spogliat\w*)\b",
    re.IGNORECASE,
)
_CONTACTABLE = re.compile(r"https?://|www\.|[\w.]+@[\w]+\.\w|\+?\d[\d \-]{7,}\d")


def check(path: Path) -> tuple[list[Conversation], list[str]]:
    """Return the conversations of one file and every finding as ``file:line: text``."""
    conversations = list(parse(path))
    findings: list[str] = []
    for conversation in conversations:
        where = f"{path.name}:{conversation.line} {conversation.id}"
        findings += [f"{where}: {text}" for text in _conversation_findings(conversation, path)]
    ids = Counter(c.id for c in conversations)
    findings += [f"{path.name}: id {i} used {n} times" for i, n in ids.items() if n > 1]
    findings += [f"{path.name}: {text}" for text in near_duplicates(conversations)]
    return conversations, findings


def _conversation_findings(c: Conversation, path: Path) -> list[str]:
    found: list[str] = []
    part = "tr" if path.parent.name == "train" else "te"
    if path.parent.name in ("train", "test") and (c.id[3:5] != part or c.lang != path.stem):
        found.append("id does not fit its file")
    if not 6 <= len(c.turns) <= 60:
        found.append(f"{len(c.turns)} messages; 8 to 40 wanted")
    if not {"contact", "child"} <= {t.who for t in c.turns}:
        found.append("needs both contact and child")
    return found + _turn_findings(c) + _label_findings(c)


def _turn_findings(c: Conversation) -> list[str]:
    found: list[str] = []
    for index, turn in enumerate(c.turns):
        allowed = CHILD_CUES if turn.who == "child" else CONTACT_CUES
        if wrong := set(turn.cues) - set(allowed):
            found.append(f"message {index}: {sorted(wrong)} not a sign of {turn.who}")
        if "sexual_approach" in turn.cues:
            found.append(f"message {index}: sexual_approach is never authored")
        if _FORBIDDEN.search(turn.text):
            found.append(f"message {index}: a word that the content rule forbids")
        if _CONTACTABLE.search(turn.text):
            found.append(f"message {index}: looks like a link, address or number of a person")
    return found


def _label_findings(c: Conversation) -> list[str]:
    found: list[str] = []
    signs = {cue for t in c.turns if t.who != "child" for cue in t.cues}
    if c.grooming and (c.warn_at is None or not 3 <= c.warn_at < len(c.turns)):
        found.append("grooming needs warn: between message 4 and the last")
    elif c.grooming and len(signs) < 2:
        found.append("grooming needs at least two different signs of the contact")
    elif c.grooming and c.warn_at is not None:
        before = {q for t in c.turns[: c.warn_at + 1] if t.who != "child" for q in t.cues}
        if len(before) < 2:
            found.append("fewer than two different signs up to the warning point")
    if not c.grooming and c.warn_at is not None:
        found.append("harmless has no warning point")
    return found


def _shingles(c: Conversation) -> set[str]:
    text = re.sub(r"\W+", " ", " ".join(t.text for t in c.turns).lower())
    return {text[i : i + 12] for i in range(0, max(len(text) - 11, 1))}


def near_duplicates(conversations: Sequence[Conversation], limit: float = 0.2) -> list[str]:
    """Name pairs that share more than ``limit`` of the smaller one's 12-character shingles."""
    sets = [_shingles(c) for c in conversations]
    found = []
    for i, a in enumerate(sets):
        for j in range(i):
            if len(a & sets[j]) > limit * min(len(a), len(sets[j])):
                found.append(f"{conversations[i].id} nearly repeats {conversations[j].id}")
    return found


def summary(conversations: Sequence[Conversation]) -> str:
    """Counts by label, cue and script, and mean sizes by label: what balance looks like."""
    rows = []
    for label in (True, False):
        part = [c for c in conversations if c.grooming is label]
        if not part:
            continue
        turns = [t for c in part for t in c.turns]
        contact, child = ([t for t in turns if (t.who == "child") is side] for side in (False, True))
        cues = Counter(q for t in turns for q in t.cues)
        rows.append(
            f"{'grooming' if label else 'harmless'}: {len(part)} conversations"
            f" ({sum(c.script == 'latin' for c in part)} latin), {len(turns) / len(part):.1f} messages,"
            f" contact {sum(len(t.text) for t in contact) / max(len(contact), 1):.0f} characters a message,"
            f" child {sum(len(t.text) for t in child) / max(len(child), 1):.0f}\n"
            f"  signs: {', '.join(f'{k} {n}' for k, n in cues.most_common())}"
        )
    return "\n".join(rows)
