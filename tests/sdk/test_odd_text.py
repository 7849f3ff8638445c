"""Any text is assessed without error, and the cost of a message does not grow with the conversation."""

from __future__ import annotations

import math
import random
import statistics
import time

import pytest

from amparo import DEVELOPMENT_KEY, Message, shipped_bundle
from amparo.conversation import Conversation, Model

MODEL = Model.load(shipped_bundle(), [DEVELOPMENT_KEY])
RNG = random.Random(4)

ODD = {
    "100,000 characters": "do you want to talk about the match on sunday? " * 2128,
    "100,000 characters without a space": "x" * 100_000,
    "one emoji": "😀",
    "only emoji": "👩‍👩‍👧‍👦🇧🇩👍🏽" * 200,
    "mixed scripts": "Hallo γεια привет হ্যালো مرحبا 你好 こんにちは",
    "NUL": "hello\0there\0",
    "only NUL": "\0\0\0",
    "lone surrogates": "\ud800 hi \udfff",
    "bidi controls": "\u202ehello\u202c \u2066abc\u2069",
    "zero width": "h\u200be\u200bl\u200bl\u200bo",
    "combining marks": "e" + "\u0301" * 5_000,
    "empty": "",
    "spaces": " \t\n\u00a0\u3000",
    "private use and unassigned": "\ue000\U0010ffff\u0378",
    "special tokens": "<s></s><pad><unk><mask>",
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("sender", ["contact", "child", None, "Ana \ud83d"])
def test_odd_text_is_assessed(name: str, sender: str | None) -> None:
    if name.startswith("100,000") and sender != "contact":
        pytest.skip("long texts are slow; one sender is enough")
    reading = Conversation(MODEL).read(Message(sender, ODD[name]))
    assert 0 <= reading.risk <= 1
    assert all(0 <= cue <= 1 for cue in reading.cues)
    assert reading.tier <= 1, "one message alone never alerts a guardian"


@pytest.mark.parametrize("sent_at", [math.nan, math.inf, -math.inf, -1e300, 1e300, 0.0, None])
def test_odd_times_are_unknown_or_bounded(sent_at: float | None) -> None:
    conversation = Conversation(MODEL)
    for _ in range(2):
        reading = conversation.read(Message("contact", "hello", sent_at))
    assert 0 <= reading.risk <= 1
    restored = Conversation(MODEL)
    restored.restore(conversation.to_bytes())


def test_a_long_text_is_not_cut() -> None:
    """What stands at the end of a long text still reaches the model."""
    padding = "we talked about the weather and the match. " * 200
    plain, ending = Conversation(MODEL), Conversation(MODEL)
    base = plain.read(Message("contact", padding))
    full = ending.read(
        Message(
            "contact", padding + " don't tell your parents about me, delete this chat, it's our secret." * 9
        )
    )
    assert full.cues[5] > base.cues[5] + 0.1


def test_cost_a_message_is_constant_over_2000_messages() -> None:
    """A conversation of 2,000 messages against a fresh one, turn by turn in the same run."""
    words = ["match", "school", "dog", "music", "later", "ok", "haha", "see you", "homework"]
    long, fresh = Conversation(MODEL, language="en"), Conversation(MODEL, language="en")
    ratios = []
    for i in range(2_000):
        message = Message(("contact", "child")[i % 2], " ".join(RNG.choice(words) for _ in range(6)))
        long_s = _seconds(long, message)
        if i >= 1_700:
            if i % 10 == 0:
                fresh = Conversation(MODEL, language="en")
            ratios.append(long_s / _seconds(fresh, message))
    assert statistics.median(ratios) <= 1.25
    assert len(long.to_bytes()) < 2_048


def _seconds(conversation: Conversation, message: Message) -> float:
    start = time.perf_counter()
    conversation.read(message)
    return time.perf_counter() - start


def test_a_group_is_bounded() -> None:
    conversation = Conversation(MODEL)
    for i in range(100):
        conversation.read(Message(f"member {i}", "hello all"))
    conversation.read(Message("child", "hi"))
    assert len(conversation.to_bytes()) < 64 * 600


def test_switching_language_never_lowers_a_tier() -> None:
    conversation = Conversation(MODEL, language="en")
    conversation.read(Message("contact", "hi"))
    for state in conversation._states.values():
        state[2] = 2.0
    conversation.language = "ja"
    assert conversation.read(Message("contact", "こんにちは")).tier == 2
