"""Read conversations of any supported layout into :class:`~amparo_training.conversations.Example`."""

from .read import FORMATS, read, read_source

__all__ = ["FORMATS", "read", "read_source"]
