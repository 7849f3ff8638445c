"""Write what the ports are held to: constants and error codes, and vectors of the shipped bundle."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amparo import config as c
from amparo._version import __version__
from amparo.conversation import Conversation, Model
from amparo.errors import AmparoError
from amparo.message import CHILD_CUES, CUES, FAMILIES, Message, Tier
from amparo.policy import action_for
from amparo_training.conversations import CHILD, CONTACT, Example

MARGIN = 0.02
"""A tier is certain when every risk so far lies further than this from the three thresholds."""
TEXTS, FUZZED = 1_200, 2_400
_GENERATED = "// Written by `amparo-export spec`; do not edit.\n"


def errors() -> dict[str, str]:
    """Code → advice of every error, the SDK's one list."""
    found, open_ = {}, [AmparoError]
    while open_:
        kind = open_.pop()
        found[kind.code] = kind.advice
        open_ += kind.__subclasses__()
    return dict(sorted(found.items()))


def contract() -> dict[str, Any]:
    """Numbers and names that every port shares."""
    numbers = {k: v for k, v in vars(c).items() if k.isupper() and isinstance(v, int)}
    return {
        "schema": c.SCHEMA, "sdk_version": __version__, "config": numbers, "languages": list(c.LANGUAGES),
        "cues": list(CUES), "child_cues": list(CHILD_CUES),
        "families": {name: list(cues) for name, cues in FAMILIES.items()}, "errors": errors(),
    }  # fmt: skip


def typescript() -> str:
    """The contract's constants as a TypeScript module."""
    value = contract()

    def const(name: str, of: object) -> str:
        return f"export const {name} = {json.dumps(of, ensure_ascii=False, indent=2)} as const;\n"

    return "".join(
        [
            _GENERATED,
            const("SCHEMA", value["schema"]),
            const("SDK_VERSION", value["sdk_version"]),
            const("CONFIG", value["config"]),
            const("LANGUAGES", value["languages"]),
            f"export const CUES: readonly string[] = {json.dumps(value['cues'])};\n",
            f"export const CHILD_CUES: readonly string[] = {json.dumps(value['child_cues'])};\n",
            "export const FAMILIES: Readonly<Record<string, readonly string[]>> = "
            f"{json.dumps(value['families'])};\n",
            const("ADVICE", value["errors"]),
            "export type ErrorCode = keyof typeof ADVICE;\n",
        ]
    )


def tokenisations(model: Model, texts: Sequence[str], seed: int = 0) -> Iterator[dict[str, Any]]:
    """Text and ids: texts as given, with their language evidence, then the same spoilt at random."""
    rng = random.Random(seed)  # noqa: S311  # sampling is not cryptography
    picked = rng.sample(list(texts), min(TEXTS, len(texts)))
    for text in [*_EDGES, *picked]:
        evidence = [round(float(v), 3) for v in model.identifier.evidence(text)]
        yield {"text": text, "ids": model.tokenizer.encode(text), "evidence": evidence}
    for text in (_spoil(rng.choice(picked), rng) for _ in range(FUZZED)):
        yield {"text": text, "ids": model.tokenizer.encode(text)}


_EDGES = (
    "", " ", "\0", "a\0b", "\ud800", "x\udc00y", "\udc00\ud800", "</s><s><pad>", "  two  spaces  ",
    "\u200b\u200d",
    "e\u0301", "\u1112\u1161\u11ab", "ﬁ ｶﾞ Ⅷ ½ ²", "İI ıi ẞß Σς", "😀👩‍👩‍👧🏽", "क्षत्रिय কেমন আছো",
    "\ufeffbom", "\t\r\n",
    "a" * 700, "\u2581a\u2581", "𝓱𝓮𝔂 ⓗⓔⓨ", "١٢٣ ௧ ⅷ", "\u202eabc\u202c", "́́́", "\U0010ffff\ue000",
)  # fmt: skip
_NOISE = [chr(n) for r in ((32, 127), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x980, 0xA00),
                           (0x1100, 0x1200), (0x1F00, 0x2000), (0x2000, 0x2070), (0xFF00, 0xFFF0),
                           (0x1F300, 0x1F650), (0xD800, 0xE000)) for n in range(*r)]  # fmt: skip


def _spoil(text: str, rng: random.Random) -> str:
    chars = list(text)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(chars) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            chars[at:at] = rng.choices(_NOISE, k=rng.randint(1, 3))
        elif kind == 1 and chars:
            del chars[at % len(chars)]
        elif kind == 2:
            chars[at:] = [x.swapcase() for x in chars[at:]]
        elif kind == 3:
            chars[at:at] = [" "] * rng.randint(1, 4)
        else:
            chars = chars[at:] + chars[:at]
    return "".join(chars)


def conversations(model: Model, examples: Sequence[Example]) -> Iterator[dict[str, Any]]:
    """Whole conversations as a device runs them; every second one without the app's language hint."""
    names = {CHILD: "child", CONTACT: "contact"}
    for number, example in enumerate(examples):
        hint = example.lang if number % 2 == 0 else None
        conversation = Conversation(model, number % 3, hint)
        sent_at, messages, expected, before, certain = 1_790_000_000.0, [], [], Tier.CALM, True
        for sender, text, gap in zip(example.senders, example.texts, example.gaps_s, strict=True):
            sent_at += 20.0 if gap is None else float(gap)
            message = Message(names.get(sender), text, sent_at)
            reading = conversation.read(message)
            certain = certain and _certain(reading.risk, model, number % 3, conversation)
            messages.append({"sender": message.sender, "text": text, "sentAt": sent_at})
            expected.append(_expected(message, reading, before, model, certain=certain))
            before = reading.tier
        yield {
            "id": f"{example.lang}-{number}", "language": hint, "profile": number % 3, "messages": messages,
            "expect": expected, "state": conversation.to_bytes().hex(),
        }  # fmt: skip


def _expected(message: Message, reading: Any, before: Tier, model: Model, *, certain: bool) -> dict[str, Any]:
    limits = model.bundle.manifest.thresholds["cue"]
    signs = [s >= t for cue, s, t in zip(CUES, reading.cues, limits, strict=True) if cue not in CHILD_CUES]
    action = action_for(reading.tier, from_child=message.sender == "child", message_has_sign=any(signs))
    return {
        "risk": round(reading.risk, 5), "tier": int(reading.tier), "certain": certain,
        "cues": [round(float(v), 5) for v in reading.cues], "rose": reading.tier > before,
        "families": [name for name in FAMILIES if name in reading.seen], "action": str(action),
        "reduced": reading.reduced,
    }  # fmt: skip


def _certain(risk: float, model: Model, profile: int, conversation: Conversation) -> bool:
    """Whether small differences of scores could not have changed a threshold's answer."""
    thresholds = model.bundle.manifest.thresholds
    limits = [thresholds[n][conversation.language_index][profile] for n in ("notice", "concern", "urgent")]
    states = conversation.states
    seen = np.array([s[c.STATE_SEEN : c.STATE_SEEN + len(CUES)] for s in states])
    off = np.abs(seen - np.asarray(thresholds["cue"]))
    return min(abs(risk - limit) for limit in limits) > MARGIN and bool((off > MARGIN).all())


def write_spec(model: Model, examples: Sequence[Example], spec: Path, port: Path) -> dict[str, int]:
    """Write ``contract.json``, the port's constants and the vectors; return how many of each."""
    (spec / "vectors").mkdir(parents=True, exist_ok=True)
    (spec / "contract.json").write_text(json.dumps(contract(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    port.write_text(typescript(), "utf-8")
    per_language: dict[str, list[Example]] = {}
    for example in examples:
        per_language.setdefault(example.lang, []).append(example)
    picked = [e for lang in sorted(per_language) for e in per_language[lang][:4]]
    texts = [text for example in examples for text in example.texts]
    tokens = list(tokenisations(model, texts))
    whole = list(conversations(model, picked))
    _write(spec / "vectors" / "tokenizer.jsonl.gz", tokens)
    _write(spec / "vectors" / "conversations.jsonl.gz", whole)
    return {"tokenisations": len(tokens), "conversations": len(whole)}


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    blob = "".join(json.dumps(row) + "\n" for row in rows).encode()  # ASCII: lone surrogates stay escaped
    path.write_bytes(gzip.compress(blob, 9, mtime=0))
