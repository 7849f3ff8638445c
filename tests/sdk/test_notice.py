import importlib.resources
import json
import re
import string

import pytest

from amparo import texts as texts_room
from amparo.errors import InputError
from amparo.message import FAMILIES, Tier
from amparo.notice import BUTTONS, notice_for
from amparo.texts import AGE_BANDS, LANGUAGES, PARTS_OF_DAY, helpline_for, resolve_language, texts_for
from amparo.texts.guardian import alert_text_for

OTHERS = LANGUAGES[1:]

COUNTRIES = {
    "GB", "IE", "US", "ES", "PT", "BR", "FR", "BE", "LU", "CH", "IT", "DE", "AT", "NL", "GR", "CY", "BG",
    "LT", "BD", "IN",
}  # fmt: skip

# Nothing that scares, blames, names the subject or embarrasses when somebody looks over the shoulder.
FORBIDDEN_TO_CHILDREN = {
    "en": r"groom|predator|danger|abus|victim|crim|police|fault|blame|porn|naked|nude|stranger|creep|unsafe",
    "es": r"pederast|depredador|peligr|abus|víctima|delit|crim|policía|culpa|porno|desnud|extrañ|acos",
    "pt": r"pedóf|predador|perig|abus|vítima|crime|polícia|culpa|porno|nudez|estranho(?!\,)|assédi",
    "fr": r"pédo|prédateur|danger|abus|victime|crim|police|faute|coupable|porno|\bnue?s?\b|inconnu|harc",
    "it": r"pedof|predator|pericol|abus|vittim|crimin|polizia|colpa|porno|nud[oiae]\b|sconosciut|molest",
    "de": r"pädo|täter|gefahr|gefähr|missbrauch|opfer|verbrech|polizei|schuld(?!est)|porno|nackt|fremde",
    "nl": r"pedo|dader|gevaar|misbruik|slachtoffer|misda|politie|schuld(?!ig)|porno|naakt|vreemde|griezel",
    "el": r"παιδόφιλ|κίνδυν|κινδυν|κακοποί|θύμα|έγκλημα|αστυνομ|φταις|πορν|γυμν|άγνωστ|παρενόχλ",
    "bg": r"педоф|хищник|опасн|насил|злоупотр|жертв|престъп|полиц|\bвина\b|винов|порно|гол[аи]\b|непознат",
    "lt": r"pedof|pavoj|prievart|išnaud|\baukos?\b|nusikalt|policij|kalt[aė]|porno|nuog|nepažįstam|priekab",
    "bn": r"বিপদ|নির্যাতন|শিকার|অপরাধ|পুলিশ|দোষ|পর্ন|নগ্ন|অচেনা|হয়রানি",
}
FORBIDDEN_TO_ALL = {
    "en": r"\bsex|intim|\bnude|groom", "es": r"sex|íntim|desnud", "pt": r"sex|íntim|nudez",
    "fr": r"sexe|sexu|intim|\bnue?\b", "it": r"sess|intim|nud[oiae]\b", "de": r"sex|intim|nackt",
    "nl": r"seks|intim|naakt", "el": r"σεξ|γυμν", "bg": r"секс|интим|голи", "lt": r"seks|intym|nuog",
    "bn": r"যৌন|সেক্স|নগ্ন",
}  # fmt: skip
# The child is spoken to as a child, the guardian as an adult; one text never mixes both.
WRONG_FORM = {
    "fr": (r"\bvous\b|\bvotre\b", r"\btu\b|\bton\b|\btes\b"), "de": (r"\bIhr\b|\bIhnen\b", r"\bdu\b|\bdein"),
    "es": (r"\busted\b|\bsu hij", r"\btú\b|\bte\b|\bcontigo\b"), "lt": (r"\bJūs", r"\btavo\b|\btu\b"),
    "bg": (r"\bВи\b|\bВас\b", r"\bти\b|\bтеб\b"), "bn": (r"আপনি|আপনার", r"তুমি|তোমার"),
    "el": (r"\bσας\b", r"\bσου\b|\bσε ρώτησαν\b"),
}  # fmt: skip
SCRIPTS = {"el": "Ͱ-Ͽἀ-῿", "bg": "Ѐ-ӿ", "bn": "ঀ-৿"}


def leaves(value, path=()):
    if isinstance(value, str):
        yield path, value
    else:
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))


def all_of(language, *path):
    value = texts_for(language)
    for key in path:
        value = value[key]
    return "\n".join(text for _, text in leaves(value))


def placeholders(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_the_files_are_the_languages():
    files = {f.name for f in importlib.resources.files(texts_room).iterdir() if f.name.endswith(".json")}
    assert files == {f"{language}.json" for language in LANGUAGES} | {"helplines.json"}
    assert len(LANGUAGES) == 11
    assert all(texts_for(language)["language"] == language for language in LANGUAGES)


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_every_key_and_the_same_placeholders(language):
    english, other = dict(leaves(texts_for("en"))), dict(leaves(texts_for(language)))
    assert other.keys() == english.keys()
    for path, text in other.items():
        assert placeholders(text) == placeholders(english[path]), path
        assert text == text.strip() and text, path


def test_the_english_file_has_what_the_code_asks_for():
    notice, alert = texts_for("en")["notice"], texts_for("en")["alert"]
    for band in AGE_BANDS:
        assert list(notice[band]) == ["1", "2", "3"]
        assert all(set(titled) == {"title", "body"} for titled in notice[band].values())
    assert tuple(notice["reasons"]) == tuple(alert["reasons"]) == tuple(FAMILIES)
    assert set(notice["buttons"]) == set(BUTTONS)
    assert set(alert["part_of_day"]) == set(PARTS_OF_DAY)
    assert len(alert["steps"]) == 4


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_left_in_english(language):
    english = dict(leaves(texts_for("en")))
    for path, text in leaves(texts_for(language)):
        assert text != english[path], path
        assert not re.search(r"\b(the|you|your|with|and|this|that)\b", text, re.IGNORECASE), path
        if path[0] != "language" and (script := SCRIPTS.get(language)):
            words = re.sub(r"\{\w+\}|childhelplineinternational\.org", "", text)
            assert re.search(f"[{script}]", words), path
            assert not re.search(r"[A-Za-z]", words), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_alarm_blame_or_embarrass_are_absent(language):
    notice = all_of(language, "notice")
    assert re.findall(FORBIDDEN_TO_CHILDREN[language], notice, re.IGNORECASE) == []
    assert re.findall(FORBIDDEN_TO_ALL[language], all_of(language), re.IGNORECASE) == []
    assert "!" not in all_of(language)


@pytest.mark.parametrize("language", WRONG_FORM)
def test_forms_of_address_are_not_mixed(language):
    to_adult, to_child = WRONG_FORM[language]
    assert re.findall(to_adult, all_of(language, "notice")) == []
    assert re.findall(to_child, all_of(language, "alert"), re.IGNORECASE) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_fit_a_phone(language):
    texts = texts_for(language)
    for path, text in leaves(texts["notice"]):
        limit = {"title": 50, "body": 320, "buttons": 30}.get(path[-1], 130)
        assert len(text) <= (30 if path[0] == "buttons" else limit), path
    page = ("consent", "release")  # read at leisure, not on a lock screen
    assert all(len(text) <= (1100 if path == page else 520) for path, text in leaves(texts))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("band", AGE_BANDS)
def test_a_notice_says_different_things_by_tier(language, band):
    notices = [notice_for(tier, [], language, band) for tier in (1, 2, 3)]
    assert len({n.title for n in notices}) == len({n.body for n in notices}) == 3
    assert all(n.language == language and n.guardian_told is None and not n.reasons for n in notices)


def test_a_notice_in_full():
    notice = notice_for(
        Tier.CONCERN, {"secrecy", "asked_about_child"}, "de-AT", "child", country="at", guardian_told=True
    )
    reasons = texts_for("de")["notice"]["reasons"]
    assert notice.reasons == (reasons["asked_about_child"], reasons["secrecy"])
    assert [b.key for b in notice.buttons] == ["talk", "block", "report", "open_anyway", "not_now"]
    assert notice.helpline == "Rat auf Draht hört dir zu: 147."
    assert notice.guardian_told == texts_for("de")["notice"]["guardian_told"]


@pytest.mark.parametrize(
    ("tag", "language"),
    [("pt-BR", "pt"), ("ES_mx", "es"), ("bn", "bn"), ("sv", "en"), ("", "en"), (None, "en"), ("../x", "en")],
)
def test_language_tags(tag, language):
    assert resolve_language(tag) == language
    assert notice_for(1, [], tag, "child").language == language


@pytest.mark.parametrize(
    "arguments", [(0, [], "en", "child"), (4, [], "en", "child"), (1, ["sexual_approach"], "en", "child"),
                  (1, [], "en", "adult"), (1, [], "en", "reasons")]
)  # fmt: skip
def test_what_a_notice_cannot_say(arguments):
    with pytest.raises(InputError):
        notice_for(*arguments)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alert_in_words(language):
    urgent = alert_text_for(3, FAMILIES, "night", language)
    concern = alert_text_for(2, [], None, language)
    assert len(urgent.reasons) == len(FAMILIES) and len(urgent.steps) == 4
    assert concern.when is None and concern.reasons == ()
    assert urgent.title != concern.title and urgent.body != concern.body
    assert "childhelplineinternational.org" in urgent.helpline
    assert "147" in alert_text_for(3, [], None, language, country="CH").helpline


@pytest.mark.parametrize(
    "arguments", [(1, [], None, "en"), (2, ["flattery"], None, "en"), (2, [], "noon", "en")]
)
def test_what_an_alert_cannot_say(arguments):
    with pytest.raises(InputError):
        alert_text_for(*arguments)


def test_helplines():
    raw = json.loads(importlib.resources.files(texts_room).joinpath("helplines.json").read_text("utf-8"))
    assert raw.keys() >= COUNTRIES
    for country, lines in raw.items():
        assert re.fullmatch("[A-Z]{2}", country)
        for line in lines:
            assert re.fullmatch(r"[\d][\d -]*", line["number"])
            assert line["checked"] == "2026-11, from general knowledge; confirm before shipping"
    assert helpline_for("BE", "fr")["number"] == "103"
    assert helpline_for("be", "nl-BE")["number"] == "102"
    assert helpline_for("BE", "es")["number"] == "102"
    assert helpline_for("XX", "en") is helpline_for(None, None) is None


def test_a_file_is_read_once(monkeypatch):
    texts_for("lt")
    monkeypatch.setattr(texts_room, "_read", lambda name: pytest.fail(f"{name} read again"))
    assert notice_for(1, ["secrecy"], "lt", "older_teen").reasons
