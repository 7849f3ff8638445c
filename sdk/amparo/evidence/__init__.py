"""Sealed evidence: an encrypted, hash-chained vault that only two parties together can release.

The format is specified in `docs/evidence-format.md`.
"""

from .checkpoint import ChainHead
from .consent import Approval, Package, Withdrawal, approve, withdraw
from .directory import Agency, Directory
from .grant import Grant, Request
from .heads import Fit, HeadStore
from .keys import Party, PartyKey, load_private, save_private
from .keystore import FileKeyStorage, KeyStorage
from .order import ErasureOrder, approve_erasure
from .record import Attachment, Observation
from .vault import AlertRecord, Batch, Envelope, SentAlert, Vault

__all__ = [
    "Agency",
    "AlertRecord",
    "Approval",
    "Attachment",
    "Batch",
    "ChainHead",
    "Directory",
    "Envelope",
    "ErasureOrder",
    "FileKeyStorage",
    "Fit",
    "Grant",
    "HeadStore",
    "KeyStorage",
    "Observation",
    "Package",
    "Party",
    "PartyKey",
    "Request",
    "SentAlert",
    "Vault",
    "Withdrawal",
    "approve",
    "approve_erasure",
    "load_private",
    "save_private",
    "withdraw",
]
