"""A family, an agency, a clock and a device, without slow passphrases."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from amparo.errors import KeyFileError
from amparo.evidence import (
    Agency,
    AlertRecord,
    Approval,
    Batch,
    Directory,
    Observation,
    Package,
    PartyKey,
    Request,
    Vault,
    approve,
    bulk,
)
from amparo.seal import SealSuite

START_S = 1_800_000_000
CANARY = "CANARY-7f3a-zebra"


class MemoryKeyStorage:
    """The contract of `KeyStorage`, in memory; `copy` is what a thief or a backup takes."""

    def __init__(self) -> None:
        self.keys: dict[bytes, bytes] = {}
        self.mark: bytes | None = None

    def create(self) -> bytes:
        key_id = secrets.token_bytes(16)
        self.keys[key_id] = secrets.token_bytes(32)
        return key_id

    def wrap(self, key_id: bytes, secret: bytes) -> bytes:
        return bulk.encrypt(self.keys[key_id], b"wrap", secret)

    def unwrap(self, key_id: bytes, wrapped: bytes) -> bytes:
        if key_id not in self.keys:
            raise KeyFileError("the device key was erased")
        return bulk.decrypt(self.keys[key_id], b"wrap", wrapped)

    def erase(self, key_id: bytes) -> None:
        self.keys.pop(key_id, None)

    def key_ids(self):
        return tuple(self.keys)

    def read_mark(self) -> bytes | None:
        return self.mark

    def write_mark(self, mark: bytes) -> None:
        self.mark = mark

    def copy(self) -> MemoryKeyStorage:
        twin = MemoryKeyStorage()
        twin.keys, twin.mark = dict(self.keys), self.mark
        return twin


@dataclass
class Clock:
    now_s: float = START_S

    def __call__(self) -> float:
        return self.now_s


@dataclass
class World:
    """Everybody who takes part."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    storage: MemoryKeyStorage = field(default_factory=MemoryKeyStorage)
    suite: SealSuite = SealSuite.S2_XWING
    trustee: bool = True

    def __post_init__(self) -> None:
        roles = ("child", "guardian", "trustee") if self.trustee else ("child", "guardian")
        self.keys = {role: PartyKey.generate(role, self.suite) for role in (*roles, "agency", "directory")}
        self.roles = roles
        agency = Agency("Test Police", self.keys["agency"].party)
        self.directory = Directory.sign(
            self.keys["directory"], [agency], issued_s=START_S - 10, expires_s=START_S + 10**7
        )

    @property
    def path(self) -> Path:
        return self.folder / "vault"

    def create(self) -> Vault:
        return Vault.create(
            self.path,
            parties=[self.keys[r].party for r in self.roles],
            directory_key=self.keys["directory"].party,
            key_storage=self.storage,
            clock=self.clock,
            sdk_version="0.1.0",
        )

    def open(self) -> Vault:
        return Vault.open(self.path, key_storage=self.storage, clock=self.clock)

    def request(self, **changes) -> Request:
        fields = {
            "case_ref": "42/2027",
            "legal_basis": "order",
            "purpose": "investigation",
            "from_s": START_S,
            "until_s": START_S + 10**6,
            "valid_until_s": START_S + 10**6,
            **changes,
        }
        return Request.sign(self.keys["agency"], **fields)

    def approve(self, package: Package, *roles: str) -> list[Approval]:
        log_id = package.genesis.log_id()
        return [approve(package, self.keys[r], log_id=log_id, now_s=int(self.clock())) for r in roles]

    def export(self, vault: Vault, *roles: str) -> bytes:
        package = vault.prepare_grant(self.request().signed, self.directory.signed)
        return vault.export(package.grant.grant_id, self.approve(package, *(roles or self.roles[:2])))


def observation(vault: Vault, text: str = "hello", **changes) -> Observation:
    fields = {
        "conversation_ref": vault.conversation_ref("c1"),
        "direction": "contact",
        "content": text,
        "sent_at": float(START_S),
        "scores": {"secrecy": 900},
        "risk": 800,
        "tier": 2,
        "model_version": "m1",
        **changes,
    }
    return Observation(**fields)


def fill(vault: Vault, count: int, text: str = "hello") -> None:
    for number in range(count):
        vault.commit(Batch(observations=[observation(vault, f"{text} {number}")]))


def alert(vault: Vault, build=lambda head: head.checkpoint) -> AlertRecord:
    return AlertRecord(
        conversation_ref=vault.conversation_ref("c1"), tier=2, families=["secrecy"], build_envelope=build
    )
