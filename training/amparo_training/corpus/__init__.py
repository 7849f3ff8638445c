"""The authored corpus: format, checks and the conversations themselves."""

from .format import LANGUAGES, Conversation, CorpusError, Turn, load, parse

__all__ = ["LANGUAGES", "Conversation", "CorpusError", "Turn", "load", "parse"]
