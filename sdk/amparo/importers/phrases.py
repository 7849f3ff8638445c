"""Placeholders that WhatsApp writes instead of content, by language.

Only what stands here is taken for a placeholder. An unknown one stays text: showing the model a stray
placeholder costs little, dropping a person's words because they look like one may cost a warning.
"""

from __future__ import annotations

import re

from .timestamps import MARKS

_OMITTED = (
    "omitted", "omitid[oa]", "ocult[oa]", "ocultad[oa]", "não revelad[oa]", "omis", "omise", "absente?",
    "omess[oiae]", "ausgeschlossen", "weggelassen", "weggelaten", "παραλείφθηκ[εα]ν?", "παραλήφθηκ[εα]ν?",
    "παραλείπεται", "παραλείπονται", "без мултимедия", "пропуснат[аио]?", "praleist[aio]s?", "nepridėta",
    "বাদ দেওয়া হয়েছে", "বাদ দেওয়া হয়েছে", "বাদ দেয়া হয়েছে", "без медиафайлов", "pominięto",
    "dahil edilmedi", "تم استبعاد", "छोड़ा गया",
)  # fmt: skip
_ATTACHED = (
    "attached", "adjunto", "anexado", "anexo", "pièce jointe", "fichier joint", "allegato", "anhang",
    "bijlage", "bijgevoegd", "συνημμένο", "прикачен", "прикачено", "pridėta", "সংযুক্ত",
)  # fmt: skip
_ATTACHED_AFTER = (
    "file attached", "archivo adjunto", "arquivo anexado", "ficheiro anexado", "fichier joint",
    "file allegato", "datei angehängt", "bestand bijgevoegd", "συνημμένο αρχείο", "прикачен файл",
    "pridėtas failas", "ফাইল সংযুক্ত",
)  # fmt: skip
_DELETED = frozenset(
    {
        "this message was deleted", "you deleted this message", "se eliminó este mensaje",
        "este mensaje fue eliminado", "eliminaste este mensaje", "mensagem apagada",
        "esta mensagem foi apagada", "você apagou esta mensagem", "apagou esta mensagem",
        "ce message a été supprimé", "vous avez supprimé ce message",
        "questo messaggio è stato eliminato", "hai eliminato questo messaggio",
        "diese nachricht wurde gelöscht", "du hast diese nachricht gelöscht",
        "dit bericht is verwijderd", "je hebt dit bericht verwijderd", "u hebt dit bericht verwijderd",
        "αυτό το μήνυμα διαγράφηκε", "διαγράψατε αυτό το μήνυμα", "това съобщение беше изтрито",
        "изтрихте това съобщение", "ši žinutė ištrinta", "ši žinutė buvo ištrinta", "ištrynėte šią žinutę",
        "এই মেসেজটি মুছে ফেলা হয়েছে", "আপনি এই মেসেজটি মুছে ফেলেছেন",
    }
)  # fmt: skip
_EDITED = (
    "this message was edited", "se editó este mensaje", "mensagem editada", "ce message a été modifié",
    "questo messaggio è stato modificato", "diese nachricht wurde bearbeitet", "dit bericht is bewerkt",
)  # fmt: skip
_ENCRYPTION = re.compile(
    r"end-to-end|extremo a extremo|ponta a ponta|bout en bout|Ende-zu-Ende|από άκρο σε άκρο|διατερματικ"
    r"|от край до край|visapusišk|ištisin|এন্ড-টু-এন্ড|এনক্রিপ্ট",
    re.IGNORECASE,
)


def _any(words: tuple[str, ...]) -> str:
    return "|".join(words)


_ANDROID_OMITTED = re.compile(rf"<[^<>\n]{{0,30}}(?:{_any(_OMITTED)})[^<>\n]{{0,20}}>", re.IGNORECASE)
_IOS_OMITTED = re.compile(rf"[^<>\n]{{0,30}}(?:{_any(_OMITTED)})[^<>\n]{{0,20}}", re.IGNORECASE)
_FILE = r"(?P<file>[^<>:/\\\n]{1,200}\.\w{1,5})"
_IOS_ATTACHED = re.compile(
    rf"[{MARKS}]?<(?:(?:{_any(_ATTACHED)})|(?<=\u200e<)[^<>:\n]{{3,24}})\s?: {_FILE}>\s*\Z", re.IGNORECASE
)
_ANDROID_ATTACHED = re.compile(
    rf"(?:\u200e{_FILE} \([^()\n]{{4,30}}\)|{_FILE.replace('file', 'name')} \((?:{_any(_ATTACHED_AFTER)})\))",
    re.IGNORECASE,
)
_EDIT_MARK = re.compile(rf"\s?\u200e?<(?:{_any(_EDITED)})\.?>\Z", re.IGNORECASE)


def is_encryption_notice(text: str) -> bool:
    """Tell whether a line that WhatsApp marked as its own is the notice on encryption."""
    return text.startswith("\u200e") and _ENCRYPTION.search(text[:300]) is not None


def is_deleted(text: str) -> bool:
    """Tell whether the text is only the placeholder of a deleted message."""
    return len(text) < 80 and text.strip(" .\u200e\u200f").casefold() in _DELETED


def without_edit_mark(text: str) -> str:
    """Take off the mark that the message was edited."""
    return _EDIT_MARK.sub("", text)


def split_attachment(text: str) -> tuple[str, str | None] | None:
    """Part a caption from an attachment's placeholder.

    Returns:
        The caption, empty when there is none, and the attachment's file name, None when the export
        leaves it out; or None where the text holds no placeholder.
    """
    first, _, caption = text.partition("\n")
    if match := _ANDROID_ATTACHED.fullmatch(first):
        return caption, match["file"] or match["name"]
    if match := _IOS_ATTACHED.search(text, max(0, len(text) - 260)):
        return text[: match.start()].rstrip(), match["file"]
    if _ANDROID_OMITTED.fullmatch(first.strip("\u200e ")):
        return caption, None
    # iOS puts its own words after U+200E: "<mark>image omitted", "name.pdf • <mark>document omitted".
    before, mark, own = text.rpartition("\u200e")
    if mark and _IOS_OMITTED.fullmatch(own):
        return _document_or_caption(before.strip(" \u200e\n"))
    return None


def _document_or_caption(before: str) -> tuple[str, str | None]:
    name, bullet, _ = before.rpartition(" • ")
    return ("", name) if bullet and "\n" not in name else (before, None)
