"""The directory of agencies: who may receive evidence, signed by a key pinned in the genesis.

A guardian cannot invent a police key, and neither can the app: recipients come from here or nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConsentError, EvidenceFormatError
from . import cbor, cose
from .keys import Party, PartyKey

MAX_DIRECTORY_BYTES = 1 << 20
MAX_AGENCIES = 512
MAX_NAME_BYTES = 200


@dataclass(frozen=True)
class Agency:
    """A police force or hotline: its name as people know it, and its keys (role "agency")."""

    name: str
    keys: Party


@dataclass(frozen=True, kw_only=True)
class Directory:
    """A verified list of agencies.

    Args:
        signed: the COSE_Sign1 it was read from.
    """

    issued_s: int
    expires_s: int
    agencies: tuple[Agency, ...]
    signed: bytes

    @classmethod
    def sign(cls, key: PartyKey, agencies: Sequence[Agency], *, issued_s: int, expires_s: int) -> Directory:
        """Make a directory with the private directory key."""
        entries = [[a.name, a.keys.to_list()] for a in agencies]
        payload = cbor.encode({0: 1, 1: issued_s, 2: expires_s, 3: entries})
        return cls.read(cose.sign(key.sign_seed, "directory", payload), key.party.sign_public)

    @classmethod
    def read(cls, signed: bytes, directory_public: bytes) -> Directory:
        """Read and verify a directory.

        Raises:
            SignatureError: not signed by the pinned key.
            EvidenceFormatError: malformed.
        """
        if len(signed) > MAX_DIRECTORY_BYTES:
            raise EvidenceFormatError("the directory is too large")
        payload = cose.verify(signed, "directory", directory_public)
        f = cbor.expect_map(cbor.decode(payload), {1: int, 2: int, 3: list})
        if not 1 <= len(f[3]) <= MAX_AGENCIES:
            raise EvidenceFormatError("the directory has no entries or too many")
        agencies = tuple(_agency(entry) for entry in f[3])
        if len({a.keys.kid for a in agencies}) != len(agencies):
            raise EvidenceFormatError("two agencies share a key")
        return cls(issued_s=f[1], expires_s=f[2], agencies=agencies, signed=signed)

    def find(self, kid: bytes, *, now_s: int) -> Agency:
        """The agency whose signing key has this kid; raises ConsentError when there is none in force."""
        if not self.issued_s <= now_s < self.expires_s:
            raise ConsentError("the directory of agencies is not in force at this time")
        for agency in self.agencies:
            if agency.keys.kid == kid:
                return agency
        raise ConsentError("the recipient does not stand in the directory of agencies")


def _agency(entry: object) -> Agency:
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str):
        raise EvidenceFormatError("an entry of the directory is malformed")
    keys = Party.from_list(entry[1])
    if keys.role != "agency" or not (
        1 <= len(entry[0].encode()) <= MAX_NAME_BYTES and entry[0].isprintable()
    ):
        raise EvidenceFormatError("an entry of the directory is no agency")
    return Agency(entry[0], keys)
