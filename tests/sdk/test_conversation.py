"""A conversation's model state: restart, model change, damage, senders, language."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from amparo import DEVELOPMENT_KEY, Message, shipped_bundle
from amparo import config as c
from amparo.conversation import MAX_SENDERS, Conversation, Model
from amparo.errors import StateError

MODEL = Model.load(shipped_bundle(), [DEVELOPMENT_KEY])
LINES = [
    "hey, how was the match",
    "good we won 3 1",
    "nice one, who scored",
    "me and leo",
    "see you at school",
]


def talk(conversation: Conversation, lines=LINES, start: int = 0) -> list:
    return [conversation.read(Message(("contact", "child")[(start + i) % 2], t)) for i, t in enumerate(lines)]


def test_a_restart_in_the_middle_changes_nothing() -> None:
    whole = talk(Conversation(MODEL, language="en"))
    first = Conversation(MODEL, language="en")
    talk(first, LINES[:2])
    second = Conversation(MODEL, language="en")
    second.restore(first.to_bytes())
    for one, two in zip(whole[2:], talk(second, LINES[2:]), strict=True):
        assert one.risk == two.risk and one.tier == two.tier and np.array_equal(one.cues, two.cues)


def test_another_model_keeps_the_stable_prefix_and_drops_the_rest() -> None:
    old = Conversation(MODEL, language="en")
    talk(old)
    manifest = dataclasses.replace(MODEL.bundle.manifest, model_id="ab" * 32)
    updated = dataclasses.replace(MODEL, bundle=dataclasses.replace(MODEL.bundle, manifest=manifest))
    new = Conversation(updated, language="en")
    new.restore(old.to_bytes())
    before, after = old._states["contact"], new._states["contact"]
    assert np.array_equal(before[: c.STABLE], after[: c.STABLE])
    assert before[c.STABLE :].any() and not after[c.STABLE :].any()


@pytest.mark.parametrize("cut", [0, 3, 10, 40, -1])
def test_a_state_cut_short_is_refused_and_changes_nothing(cut: int) -> None:
    source = Conversation(MODEL, language="en")
    talk(source)
    target = Conversation(MODEL, language="en")
    talk(target, LINES[:1])
    before = target.to_bytes()
    with pytest.raises(StateError):
        target.restore(source.to_bytes()[:cut])
    assert target.to_bytes() == before


def test_a_state_that_is_not_finite_is_refused() -> None:
    source = Conversation(MODEL, language="en")
    talk(source)
    source._states["contact"][50] = np.nan
    with pytest.raises(StateError):
        Conversation(MODEL).restore(source.to_bytes())


def test_the_stored_state_holds_no_text() -> None:
    conversation = Conversation(MODEL, language="en")
    conversation.read(Message("contact", "quartz-heron-1187"))
    assert b"quartz" not in conversation.to_bytes()


def test_unknown_senders_count_as_the_contact() -> None:
    unknown = Conversation(MODEL, language="en")
    unknown.read(Message(None, "hi"))
    assert list(unknown._states) == ["contact"]


def test_what_the_child_says_first_belongs_to_who_answers() -> None:
    conversation = Conversation(MODEL, language="en")
    conversation.read(Message("child", "hello, I'm 12"))
    conversation.read(Message("Ana", "hi"))
    (state,) = conversation._states.values()
    assert list(conversation._states) == ["Ana"] and state[c.STATE_MESSAGES] == 2


def test_each_sender_of_a_group_has_a_state_and_the_highest_counts() -> None:
    conversation = Conversation(MODEL, language="en")
    conversation.read(Message("Ana", "hi"))
    conversation.read(Message("Bob", "hi"))
    conversation._states["Ana"][c.STATE_TIER] = 2
    assert conversation.read(Message("Bob", "nice weather")).tier == 2


def test_a_crowd_never_pushes_out_the_one_who_was_flagged() -> None:
    conversation = Conversation(MODEL, language="en")
    conversation.read(Message("flagged", "hi"))
    conversation._states["flagged"][c.STATE_TIER] = 2
    for i in range(MAX_SENDERS + 20):
        conversation.read(Message(f"m{i}", "hi"))
    assert "flagged" in conversation._states and len(conversation._states) <= MAX_SENDERS


SAMPLES = {
    "en": "hey did you finish the homework for tomorrow", "es": "oye terminaste la tarea para mañana",
    "pt": "você já terminou a lição de casa para amanhã", "fr": "t'as fini tes devoirs pour demain",
    "it": "hai finito i compiti per domani allora", "de": "hast du die hausaufgaben für morgen schon",
    "nl": "heb je het huiswerk voor morgen al gemaakt", "el": "τελείωσες τα μαθήματα για αύριο",
    "bg": "написа ли домашното за утре", "lt": "ar jau padarei namų darbus rytojui",
    "bn": "কালকের বাড়ির কাজ শেষ করেছ",
}  # fmt: skip


@pytest.mark.parametrize("lang", SAMPLES)
def test_a_missing_language_is_identified(lang: str) -> None:
    conversation = Conversation(MODEL)
    conversation.read(Message("contact", SAMPLES[lang]))
    assert c.LANGUAGES[conversation._guess] == lang and not conversation.is_reduced


@pytest.mark.parametrize(
    "text",
    [
        "ты уже сделал домашнее задание на завтра, или ещё нет, скажи",
        "宿題はもう終わりましたか、明日までですよ",
        "هل أنهيت واجباتك المدرسية ليوم غد يا صديقي",
    ],
)
def test_other_languages_run_with_reduced_confidence(text: str) -> None:
    conversation = Conversation(MODEL)
    for _ in range(3):
        reading = conversation.read(Message("contact", text))
    assert reading.reduced


def test_the_apps_hint_wins() -> None:
    conversation = Conversation(MODEL, language="pt-BR")
    conversation.read(Message("contact", "hello how are you today my friend"))
    assert c.LANGUAGES[conversation._guess] == "pt"


def test_emoji_and_digits_leave_the_language_as_it_was() -> None:
    conversation = Conversation(MODEL)
    conversation.read(Message("contact", SAMPLES["it"]))
    for text in ("😀😀", "123", "", "?!"):
        conversation.read(Message("child", text))
    assert c.LANGUAGES[conversation._guess] == "it"
