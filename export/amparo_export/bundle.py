"""Write the signed bundle folder from a trained checkpoint."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from amparo import config as c
from amparo.bundle import FILES, MANIFEST, SIGNATURE
from amparo.message import CUES
from amparo.runtime import OnnxRuntime
from amparo.tokenizer import Tokenizer, TokenizerTable

from .graph import Thresholds

DEVELOPMENT_KEY_FILE = Path(__file__).parent / "development_key.pem"
CANARY_TOLERANCE = 0.05
"""int8 roundings may cascade between processors; a wrong kernel is off by far more."""
MARGIN = 0.1
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Signer(Protocol):
    """Whatever holds the private key: a file here, a hardware module at a vendor's."""

    @property
    def name(self) -> str:
        """As the manifest names the signer."""
        ...

    def public_key(self) -> str:
        """Compressed P-256 point, hex."""
        ...

    def sign(self, payload: bytes) -> bytes:
        """ECDSA P-256 with SHA-256, raw r || s."""
        ...


@dataclass(frozen=True)
class FileSigner:
    """A P-256 private key in a PEM file."""

    name: str
    path: Path

    def _key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self.path.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("not a P-256 key")
        return key

    def public_key(self) -> str:
        """Compressed P-256 point, hex."""
        form = serialization.PublicFormat.CompressedPoint
        return self._key().public_key().public_bytes(serialization.Encoding.X962, form).hex()

    def sign(self, payload: bytes) -> bytes:
        """ECDSA P-256 with SHA-256, deterministic nonce, raw r || s, low s."""
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(self._key().sign(payload, algorithm))
        return r.to_bytes(32, "big") + min(s, _ORDER - s).to_bytes(32, "big")


@dataclass(frozen=True, kw_only=True)
class BundleFacts:
    """What the manifest says beside hashes. Times are seconds since the epoch."""

    version: str
    created: int
    expires: int
    languages: dict[str, str]
    minimum_sdk: str = "0.1.0"


def write_bundle(
    folder: Path,
    *,
    graph: bytes,
    tokenizer: bytes,
    language: bytes,
    canary_texts: Sequence[Sequence[tuple[str, str]]],
    thresholds: Thresholds,
    state_size: int,
    facts: BundleFacts,
    signer: Signer,
) -> None:
    """Write every file and sign the manifest; an existing folder is replaced file by file, manifest last.

    Args:
        canary_texts: short harmless-to-read conversations of (sender, text) whose answers are frozen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = TokenizerTable.from_bytes(tokenizer)
    canaries = _canaries(
        canary_texts, OnnxRuntime(graph, state_size), Tokenizer(table), state_size, thresholds
    )
    parts = dict(zip(FILES, (graph, tokenizer, language, _json({"canaries": canaries})), strict=True))
    for name, blob in parts.items():
        (folder / name).write_bytes(blob)
    manifest = _json(
        {
            "schema": c.SCHEMA, "version": facts.version, "created": facts.created, "expires": facts.expires,
            "minimum_sdk": facts.minimum_sdk, "model_id": hashlib.sha256(graph).hexdigest(),
            "signer": signer.name, "cues": CUES, "languages": facts.languages,
            "thresholds": thresholds.to_dict(), "state_size": state_size,
            "files": {name: hashlib.sha256(blob).hexdigest() for name, blob in parts.items()},
        }
    )  # fmt: skip
    (folder / MANIFEST).write_bytes(manifest)
    (folder / SIGNATURE).write_bytes(signer.sign(manifest))


def resign(folder: Path, signer: Signer) -> None:
    """Sign an unchanged bundle with a vendor's own key."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["signer"] = signer.name
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        for name, blob in ((MANIFEST, _json(manifest)), (SIGNATURE, signer.sign(_json(manifest)))):
            (Path(temporary) / name).write_bytes(blob)
        for name in (MANIFEST, SIGNATURE):
            (Path(temporary) / name).replace(folder / name)


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _canaries(
    conversations: Sequence[Sequence[tuple[str, str]]],
    runtime: OnnxRuntime,
    tokenizer: Tokenizer,
    state_size: int,
    thresholds: Thresholds,
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    limits = [thresholds.notice[1][0], thresholds.concern[1][0], thresholds.urgent[1][0]]
    for conversation in conversations:
        state, certain = np.zeros(state_size, np.float32), True
        for number, (sender, text) in enumerate(conversation):
            meta = np.zeros(c.META_SIZE, np.float32)
            meta[c.META_IS_CHILD], meta[c.META_IS_CONTACT] = sender == "child", sender == "contact"
            meta[c.META_GAP_S], meta[c.META_LANGUAGE] = -1.0, 1.0
            table = tokenizer.table
            tokens = [table.bos, *tokenizer.encode(text), table.eos]
            step = runtime.step(tokens, meta, state)
            state = step.state
            certain = certain and all(abs(step.risk - limit) > MARGIN for limit in limits)
            certain = certain and all(
                abs(s - t) > MARGIN for s, t in zip(step.cues, thresholds.cue, strict=True)
            )
            rows.append(
                {
                    "text": text, "meta": meta.tolist(), "tokens": tokens, "restart": number == 0,
                    "cues": [round(float(v), 6) for v in step.cues], "risk": round(step.risk, 6),
                    "tier": step.tier, "tier_certain": bool(certain), "tolerance": CANARY_TOLERANCE,
                }
            )  # fmt: skip
    return rows
