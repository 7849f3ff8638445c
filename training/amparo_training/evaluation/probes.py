"""Behaviour probes in the manner of CheckList (Ribeiro 2020): one thing is varied, one thing must follow.

Each probe is a short conversation in several languages, in everyday words. *Minimum functionality*
probes say which sign must be the message's strongest; *invariance* probes change what must not matter;
*direction* probes change what must. A probe fails by the bundle's own thresholds, not by one set here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from amparo.message import CUES

from ..conversations import CHILD, CONTACT, Example
from .metrics import share_of
from .outcome import Outcome, run

TOLERANCE = 0.15
"""Risk may move by so much under a change that must not matter."""

SIGNS: dict[str, dict[str, tuple[str, ...]]] = {
    "age_probe": {
        "en": ("how old are you?", "what year are you in at school"),
        "es": ("¿cuántos años tienes?", "en qué curso estás"),
        "pt": ("quantos anos você tem?", "em que ano andas"),
        "fr": ("t'as quel âge ?", "tu es en quelle classe"),
        "it": ("quanti anni hai?", "che classe fai"),
        "de": ("wie alt bist du?", "in welche klasse gehst du"),
        "nl": ("hoe oud ben je?", "in welke klas zit je"),
        "el": ("πόσο χρονών είσαι;", "τι τάξη πας"),
        "bg": ("на колко години си?", "кой клас си"),
        "lt": ("kiek tau metų?", "kelintoj klasėj tu"),
        "bn": ("তোমার বয়স কত?", "তুমি কোন ক্লাসে পড়ো"),
    },
    "secrecy": {
        "en": ("don't tell your parents about us", "delete this chat so your mum won't see it"),
        "es": ("no le cuentes a tus padres lo nuestro", "borra este chat para que tu madre no lo vea"),
        "pt": ("não conta pros seus pais sobre a gente", "apaga esta conversa antes que a tua mãe veja"),
        "fr": ("ne parle pas de nous à tes parents", "efface cette conversation avant que ta mère la voie"),
        "it": ("non dire niente ai tuoi di noi due", "cancella la chat così tua madre non la vede"),
        "de": ("erzähl deinen eltern nichts von uns", "lösch den chat, damit deine mutter ihn nicht sieht"),
        "nl": ("vertel je ouders niks over ons", "wis dit gesprek zodat je moeder het niet ziet"),
        "el": ("μην πεις στους γονείς σου για μας", "σβήσε τη συνομιλία να μην τη δει η μάνα σου"),
        "bg": ("не казвай на вашите за нас", "изтрий чата да не го види майка ти"),
        "lt": ("nesakyk tėvams apie mus", "ištrink pokalbį, kad mama nepamatytų"),
        "bn": ("তোমার বাবা মাকে আমাদের কথা বলো না", "চ্যাটটা মুছে ফেলো, মা যেন না দেখে"),
    },
    "meeting": {
        "en": ("come and meet me on saturday, just you and me",),
        "es": ("quedamos el sábado, tú y yo solos",),
        "pt": ("vem me encontrar no sábado, só nós dois",),
        "fr": ("on se voit samedi, juste toi et moi",),
        "it": ("vediamoci sabato, solo io e te",),
        "de": ("treffen wir uns samstag, nur du und ich",),
        "nl": ("spreken we zaterdag af, alleen jij en ik",),
        "el": ("να βρεθούμε το σάββατο, μόνο εσύ κι εγώ",),
        "bg": ("хайде да се видим в събота, само двамата",),
        "lt": ("susitinkam šeštadienį, tik mudu",),
        "bn": ("শনিবার দেখা করো, শুধু তুমি আর আমি",),
    },
    "image_request": {
        "en": ("send me a selfie",),
        "es": ("mándame un selfie",),
        "pt": ("manda uma selfie",),
        "fr": ("envoie-moi un selfie",),
        "it": ("mandami un selfie",),
        "de": ("schick mir ein selfie",),
        "nl": ("stuur me een selfie",),
        "el": ("στείλε μου μια σέλφι",),
        "bg": ("прати ми селфи",),
        "lt": ("atsiųsk man savo asmenukę",),
        "bn": ("আমাকে একটা সেলফি পাঠাও",),
    },
}
AGES: dict[str, tuple[str, ...]] = {
    "en": ("i'm {}", "im {} years old", "{}, why?"),
    "es": ("tengo {}", "tengo {} años"),
    "pt": ("tenho {}", "tenho {} anos"),
    "fr": ("j'ai {} ans", "{} ans et toi"),
    "it": ("ho {} anni", "{}, tu?"),
    "de": ("ich bin {}", "{} und du?"),
    "nl": ("ik ben {}", "{} jaar"),
    "el": ("είμαι {}", "{} χρονών"),
    "bg": ("на {} съм", "на {} години"),
    "lt": ("man {}", "{} metų"),
    "bn": ("আমার বয়স {}", "আমি {} বছরের"),
}
BUSES = {
    "en": "take the {} bus",
    "es": "coge el bus {}",
    "pt": "pega o ônibus {}",
    "fr": "prends le bus {}",
    "it": "prendi l'autobus {}",
    "de": "nimm den {}er bus",
    "nl": "neem bus {}",
    "el": "πάρε το λεωφορείο {}",
    "bg": "вземи автобус {}",
    "lt": "važiuok {} autobusu",
    "bn": "{} নম্বর বাসে ওঠো",
}
BENIGN = {
    "en": (
        "happy birthday!!",
        "what's for homework?",
        "good game, again tomorrow?",
        "see you at training at five",
    ),
    "es": (
        "¡feliz cumple!",
        "¿qué hay de deberes?",
        "buena partida, ¿otra mañana?",
        "nos vemos en el entreno a las cinco",
    ),
    "pt": ("parabéns!!", "qual é o trabalho de casa?", "bom jogo, amanhã de novo?", "até ao treino às cinco"),
    "fr": (
        "joyeux anniversaire !!",
        "c'est quoi les devoirs ?",
        "bien joué, on rejoue demain ?",
        "à l'entraînement à cinq heures",
    ),
    "it": (
        "tanti auguri!!",
        "che compiti ci sono?",
        "bella partita, domani ancora?",
        "ci vediamo all'allenamento alle cinque",
    ),
    "de": (
        "alles gute zum geburtstag!!",
        "was haben wir auf?",
        "gutes spiel, morgen nochmal?",
        "bis zum training um fünf",
    ),
    "nl": (
        "gefeliciteerd!!",
        "wat is het huiswerk?",
        "goed gespeeld, morgen weer?",
        "tot op de training om vijf uur",
    ),
    "el": (
        "χρόνια πολλά!!",
        "τι έχουμε για το σπίτι;",
        "ωραίο παιχνίδι, πάλι αύριο;",
        "τα λέμε στην προπόνηση στις πέντε",
    ),
    "bg": (
        "честит рожден ден!!",
        "какво имаме за домашно?",
        "добра игра, утре пак?",
        "до тренировката в пет",
    ),
    "lt": (
        "su gimtadieniu!!",
        "kas užduota namų darbų?",
        "geras žaidimas, rytoj vėl?",
        "iki treniruotės penktą",
    ),
    "bn": ("শুভ জন্মদিন!!", "বাড়ির কাজ কী?", "ভালো খেলা, কাল আবার?", "পাঁচটায় প্র্যাকটিসে দেখা হবে"),
}
CHILD_AGES, ADULT_AGES = (10, 12, 13, 14, 15), (22, 27, 31, 38, 44)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One probe: conversations to run, and which check reads them."""

    probe: str
    lang: str
    examples: tuple[Example, ...]
    sign: str = ""


def conversation(lang: str, *turns: tuple[int, str]) -> Example:
    """A made conversation of (sender, text)."""
    return Example(
        id="probe",
        lang=lang,
        source="probe",
        role="authored",
        grooming=False,
        group="probe",
        texts=tuple(t for _, t in turns),
        senders=tuple(s for s, _ in turns),
        gaps_s=(None,) * len(turns),
        cues=None,
        warn_at=None,
    )


def cases(authored: Sequence[Example]) -> list[Case]:
    """All probes; ``authored`` gives the conversations whose surface is changed."""
    found = []
    for sign, by_lang in SIGNS.items():
        for lang, texts in by_lang.items():
            found += [
                Case(
                    probe=f"sign: {sign}", lang=lang, sign=sign, examples=(conversation(lang, (CONTACT, t)),)
                )
                for t in texts
            ]
    for lang, texts in AGES.items():
        ask = (CONTACT, SIGNS["age_probe"][lang][0])
        for text in texts:
            for age, adult in zip(CHILD_AGES, ADULT_AGES, strict=True):
                pair = tuple(conversation(lang, ask, (CHILD, text.format(n))) for n in (age, adult))
                found.append(Case(probe="age swap: 13 is a child, 31 is not", lang=lang, examples=pair))
        pair = tuple(conversation(lang, (CONTACT, BUSES[lang].format(n))) for n in (13, 31))
        found.append(Case(probe="number swap: bus 13 and bus 31 are alike", lang=lang, examples=pair))
    for lang, texts in BENIGN.items():
        found += [
            Case(probe="everyday: stays calm", lang=lang, examples=(conversation(lang, (CONTACT, t)),))
            for t in texts
        ]
    changes: dict[str, Callable[[str], str]] = {
        "capitals": str.upper,
        "lower case": str.lower,
        "no final punctuation": lambda t: t.rstrip(".!?…;। "),
        "a smiley at the end": lambda t: t + " 🙂",
        "doubled spaces": lambda t: t.replace(" ", "  "),
    }
    for name, change in changes.items():
        for example in authored:
            changed = replace(example, texts=tuple(change(t) or t for t in example.texts))
            found.append(Case(probe=f"invariance: {name}", lang=example.lang, examples=(example, changed)))
    return found


def passes(case: Case, outcomes: Sequence[Outcome], limits: Sequence[float]) -> bool:
    """Whether the bundle does what the probe asks for."""
    index = {cue: i for i, cue in enumerate(CUES)}
    if case.sign:
        return outcomes[0].cues[-1][index[case.sign]] >= limits[index[case.sign]]
    if case.probe.startswith("age swap"):
        told = index["minor_disclosure"]
        child, adult = (o.cues[-1][told] for o in outcomes)
        return child >= limits[told] > adult
    if case.probe.startswith("everyday"):
        return max(outcomes[0].tier) == 0
    if case.probe.startswith("number swap"):
        return bool(np.abs(np.subtract(outcomes[0].cues[-1], outcomes[1].cues[-1])).max() <= TOLERANCE)
    return abs(outcomes[0].risk[-1] - outcomes[1].risk[-1]) <= TOLERANCE


def measure(
    bundle: Path, key: str, authored: Sequence[Example], limits: Sequence[float]
) -> list[dict[str, Any]]:
    """Failure rate of each probe, with the languages that fail."""
    every = cases(authored)
    outcomes = iter(run(bundle, key, [e for case in every for e in case.examples], title="probes"))
    results: dict[str, list[tuple[str, bool]]] = {}
    for case in every:
        mine = [next(outcomes) for _ in case.examples]
        results.setdefault(case.probe, []).append((case.lang, not passes(case, mine, limits)))
    return [
        {
            "probe": probe,
            "failure": share_of([bad for _, bad in rows]).to_dict(),
            "by_language": {
                lang: share_of([bad for other, bad in rows if other == lang]).to_dict()
                for lang in sorted({lang for lang, _ in rows})
            },
        }
        for probe, rows in results.items()
    ]
