"""The only change made to a text before the tokenizer: what no port may see differently."""

from __future__ import annotations


def clean(text: str) -> str:
    """Replace NUL by a space and lone surrogates by U+FFFD; leave everything else alone.

    No Unicode normaliser of the platform is used: the tokenizer brings its own map, so that every
    port agrees to the bit. NUL ends the string in some tokenizers, a known way around a filter.
    """
    if "\0" in text:
        text = text.replace("\0", " ")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
