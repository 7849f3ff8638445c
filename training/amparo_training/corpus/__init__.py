"""The authored corpus: format, checks and the conversations themselves."""

from .format import Conversation, CorpusError, Turn, load, parse

__all__ = ["Conversation", "CorpusError", "Turn", "load", "parse"]
