"""The first object of a log: it pins parties, policy, directory key and first signing key.

``log_id`` is its hash, so whoever knows the log_id knows all of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ..errors import EvidenceFormatError
from ..seal import SealSuite
from . import cbor
from .keys import PARTY_ROLES, Party

MAX_GENESIS_BYTES = 1 << 14


@dataclass(frozen=True, kw_only=True)
class Genesis:
    """What is fixed at enrolment.

    Args:
        parties: two or three with distinct roles; their order numbers the shares.
        first_public: the first segment's Ed25519 key.
        directory_public: the key that signs the directory of agencies.
        random: 32 bytes, so that no two logs are alike.
    """

    created_s: int
    first_public: bytes
    parties: tuple[Party, ...]
    directory_public: bytes
    random: bytes
    sdk_version: str

    def __post_init__(self) -> None:
        roles = [p.role for p in self.parties]
        if len(roles) not in (2, 3) or len(set(roles)) != len(roles) or not set(roles) <= set(PARTY_ROLES):
            raise EvidenceFormatError("a log needs two or three parties with distinct roles")
        if len({p.kid for p in self.parties}) != len(roles):
            raise EvidenceFormatError("two parties share a key")
        if len({p.recipient.kid for p in self.parties}) != len(roles):
            raise EvidenceFormatError("two parties share a sealing key")

    @property
    def policy(self) -> list[list[str]]:
        """The sufficient sets of roles: every two of the parties."""
        return [list(pair) for pair in combinations((p.role for p in self.parties), 2)]

    def index(self, role: str) -> int:
        """The number of a party, by which shares are named; raises EvidenceFormatError."""
        for i, party in enumerate(self.parties):
            if party.role == role:
                return i
        raise EvidenceFormatError("no party of this role stands in the genesis")

    def policy_hash(self) -> bytes:
        """SHA-256 of the policy, as grants name it."""
        return hashlib.sha256(b"amparo/v1/policy" + cbor.encode(self.policy)).digest()

    def encode(self) -> bytes:
        """The bytes whose hash is the log_id."""
        return cbor.encode(
            {
                0: 1, 1: self.created_s, 2: self.first_public, 3: [p.to_list() for p in self.parties],
                4: self.policy, 5: [int(s) for s in SealSuite], 6: self.random, 7: self.sdk_version,
                8: self.directory_public,
            }
        )  # fmt: skip

    def log_id(self) -> bytes:
        """The log's name, 32 bytes."""
        return log_id_of(self.encode())

    @classmethod
    def decode(cls, raw: bytes) -> Genesis:
        """Read a genesis; raises EvidenceFormatError."""
        required = {1: int, 2: bytes, 3: list, 4: list, 5: list, 6: bytes, 7: str, 8: bytes}
        f = cbor.expect_map(cbor.decode(raw, max_bytes=MAX_GENESIS_BYTES), required)
        genesis = cls(
            created_s=f[1], first_public=cbor.fixed(f[2], 32), parties=_parties(f[3]),
            directory_public=cbor.fixed(f[8], 32), random=cbor.fixed(f[6], 32), sdk_version=f[7],
        )  # fmt: skip
        if genesis.encode() != raw:
            raise EvidenceFormatError("the genesis names a policy or suites that version 1 does not have")
        return genesis


def log_id_of(genesis: bytes) -> bytes:
    """SHA-256 of the label and the genesis bytes."""
    return hashlib.sha256(b"amparo/v1/log" + genesis).digest()


def _parties(values: Sequence[Any]) -> tuple[Party, ...]:
    return tuple(Party.from_list(value) for value in values)
