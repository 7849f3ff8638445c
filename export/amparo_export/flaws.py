"""Bundles with one flaw each, named after it, for every port to refuse in the same way.

They carry a graph of a few hundred bytes with the real inputs and outputs, so that each is small; it is
arithmetic on the ids and means nothing. All is signed by the development key, whose private half is
public, or, where the flaw says so, by a key that nobody trusts.
"""

from __future__ import annotations

import hashlib
import json
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from amparo import config as c
from amparo.bundle import FILES, MANIFEST, SIGNATURE
from amparo.language import LanguageIdentifier
from amparo.message import CUES
from amparo.tokenizer import TokenizerTable

from .bundle import DEVELOPMENT_KEY_FILE, BundleFacts, FileSigner, write_bundle
from .graph import initial_thresholds

CREATED, EXPIRES, NOW = 1_790_000_000, 1_850_000_000, 1_800_000_000
STATE_SIZE = c.STABLE + 8
INSTALLED = "2.0.0"
"""What ``installed`` in a vector means: a version that is there already."""
Parts = dict[str, bytes]


@dataclass(frozen=True)
class Flaw:
    """One vector. ``expect``: an error code, or the guard's status where it opens."""

    name: str
    expect: str
    why: str
    make: Callable[[Parts], Parts | bytes]
    installs: bool = False
    """The fault shows only when it is installed over INSTALLED; opened, it is ready."""


def tiny_graph() -> bytes:
    """An ONNX graph with the contract's inputs and outputs and no meaning."""
    from onnx import TensorProto, helper, numpy_helper

    def array(name: str, value: object, kind: type = np.float32) -> Any:
        return numpy_helper.from_array(np.asarray(value, kind), name)

    weights = np.linspace(-0.2, 0.2, len(CUES))
    keep = np.zeros(STATE_SIZE)
    keep[c.STATE_RISK + 1 :] = 0.5
    risk_at = np.eye(1, STATE_SIZE, c.STATE_RISK)[0]
    nodes = [
        helper.make_node("Cast", ["tokens"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["ids"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Mul", ["mean", "weights"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["cues"]),
        helper.make_node("ReduceMean", ["cues"], ["risk"], axes=[0], keepdims=0),
        helper.make_node("Floor", ["risk"], ["floor"]),
        helper.make_node("Cast", ["floor"], ["tier"], to=TensorProto.INT32),
        helper.make_node("Mul", ["state", "keep"], ["kept"]),
        helper.make_node("Mul", ["risk", "risk_at"], ["placed"]),
        helper.make_node("Add", ["kept", "placed"], ["summed"]),
        helper.make_node("ReduceMean", ["meta"], ["meta_mean"], axes=[0], keepdims=0),
        helper.make_node("Mul", ["meta_mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["summed", "nothing"], ["state_out"]),
    ]
    value, floats = helper.make_tensor_value_info, TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, "tiny",
        [
            value("tokens", TensorProto.INT32, ["n"]),
            value("meta", floats, [c.META_SIZE]),
            value("state", floats, [STATE_SIZE]),
        ],
        [
            value("cues", floats, [len(CUES)]),
            value("risk", floats, []),
            value("tier", TensorProto.INT32, []),
            value("state_out", floats, [STATE_SIZE]),
        ],
        [array("weights", weights), array("keep", keep), array("risk_at", risk_at), array("zero", 0.0)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="amparo")
    model.ir_version = 8
    return bytes(model.SerializeToString())


def _nan_risk() -> bytes:
    """The tiny graph with the right cues, tier and state, and a risk that is no number."""
    from onnx import helper, load_model_from_string

    model = load_model_from_string(tiny_graph())
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["hidden" if name == "risk" else name for name in names]
    model.graph.node.append(helper.make_node("Div", ["zero", "zero"], ["risk"]))
    return bytes(model.SerializeToString())


def _few_cues() -> bytes:
    """The tiny graph with one cue less."""
    from onnx import load_model_from_string, numpy_helper

    model = load_model_from_string(tiny_graph())
    weights = numpy_helper.to_array(model.graph.initializer[0])[1:]
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "weights"))
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = len(weights)
    return bytes(model.SerializeToString())


def _no_state() -> bytes:
    """The tiny graph without the state after a message."""
    from onnx import load_model_from_string

    model = load_model_from_string(tiny_graph())
    del model.graph.output[-1]
    return bytes(model.SerializeToString())


def _table() -> bytes:
    pieces = ("", "", "", "\u2581", *"abcdefghijklmnopqrstuvwxyz?", "\u2581hello", "ing")
    return TokenizerTable(
        pieces=("<s>", "</s>", "<unk>", *pieces[3:]), scores=tuple(-0.5 * i for i in range(len(pieces))),
        control=frozenset((0, 1)), bos=0, eos=1, unk=2, charsmap=struct.pack("<IIB", 4, 0, 0),
    ).to_bytes()  # fmt: skip


def good(version: str = "2.1.0") -> Parts:
    """The six files of a working tiny bundle."""
    languages = LanguageIdentifier(labels=("en", "es"), weights=np.zeros((64, 2), np.int8), scale=1.0)
    with tempfile.TemporaryDirectory() as folder:
        write_bundle(
            Path(folder), graph=tiny_graph(), tokenizer=_table(), language=languages.to_bytes(),
            canary_texts=[[("contact", "hello there"), ("child", "who are you?")]],
            thresholds=initial_thresholds(), state_size=STATE_SIZE, signer=_signer(),
            facts=BundleFacts(
                version=version, created=CREATED, expires=EXPIRES,
                languages={"en": "full", "es": "reduced"},
            ),
        )  # fmt: skip
        return {name: (Path(folder) / name).read_bytes() for name in (MANIFEST, SIGNATURE, *FILES)}


def _signer() -> FileSigner:
    return FileSigner("amparo development key", DEVELOPMENT_KEY_FILE)


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def signed(parts: Parts, changed: Parts | None = None, /, **manifest: Any) -> Parts:
    """Change files and fields of the manifest (None drops one) and sign again, as a bad signer would."""
    parts = {**parts, **(changed or {})}
    value = json.loads(parts[MANIFEST])
    value["files"] = {name: hashlib.sha256(parts[name]).hexdigest() for name in FILES if name in parts}
    value.update(manifest)
    raw = _json({k: v for k, v in value.items() if v is not None})
    return {**parts, MANIFEST: raw, SIGNATURE: _signer().sign(raw)}


def _flip(parts: Parts, name: str, at: int) -> Parts:
    blob = bytearray(parts[name])
    blob[at] ^= 1
    return {**parts, name: bytes(blob)}


def _without(parts: Parts, name: str) -> Parts:
    return {k: v for k, v in parts.items() if k != name}


def _untrusted(parts: Parts) -> Parts:
    key = ec.derive_private_key(0xA11CE, ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem)
        file.flush()
        return {**parts, SIGNATURE: FileSigner("stranger", Path(file.name)).sign(parts[MANIFEST])}


def _high_s(parts: Parts) -> Parts:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    s = order - int.from_bytes(parts[SIGNATURE][32:], "big")
    return {**parts, SIGNATURE: parts[SIGNATURE][:32] + s.to_bytes(32, "big")}


def _canaries(parts: Parts, change: Callable[[list[dict[str, Any]]], object]) -> Parts:
    value = json.loads(parts["canaries.json"])
    change(value["canaries"])
    return signed(parts, {"canaries.json": _json(value)})


def _manifest(parts: Parts, raw: bytes) -> Parts:
    """Other bytes as a manifest, signed."""
    return {**parts, MANIFEST: raw, SIGNATURE: _signer().sign(raw)}


def _thresholds(parts: Parts, **changed: Any) -> dict[str, Any]:
    return {**json.loads(parts[MANIFEST])["thresholds"], **changed}


def _twice(parts: Parts, name: str) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile sees it too
        return zipped(parts, (name, parts[name]))


def _swapped(parts: Parts) -> Parts:
    return {**parts, "tokenizer.amtk": parts["language.amli"], "language.amli": parts["tokenizer.amtk"]}


def zipped(parts: Parts, *more: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """The single-file form, stored rather than packed so that its bytes don't depend on a zlib."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, blob in (*parts.items(), *more):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), blob, method, 9)
        file.seek(0)
        return file.read()


FLAWS = (
    Flaw("good", "ready", "nothing is wrong", lambda p: p),
    Flaw("expired", "stale", "it works on and says so", lambda p: signed(p, expires=NOW - 1)),
    Flaw("truncated", "bundle-format", "the file ends early", lambda p: zipped(p)[:-40]),
    Flaw("not-a-zip", "bundle-format", "other bytes", lambda p: b"no bundle at all" * 9),
    Flaw("empty", "bundle-format", "no bytes", lambda p: b""),
    Flaw("missing-manifest", "bundle-format", "", lambda p: _without(p, MANIFEST)),
    Flaw("missing-signature", "bundle-format", "", lambda p: _without(p, SIGNATURE)),
    Flaw("missing-graph", "bundle-format", "", lambda p: _without(p, "guard.onnx")),
    Flaw("extra-file", "bundle-format", "a seventh member", lambda p: zipped(p, ("more.bin", b"x"))),
    Flaw("path-traversal", "bundle-format", "a member outside", lambda p: zipped(p, ("../../evil", b"x"))),
    Flaw("duplicate-member", "bundle-format", "two graphs of one name", lambda p: _twice(p, "guard.onnx")),
    Flaw("member-name-not-utf-8", "bundle-format", "flagged as UTF-8",
         lambda p: zipped(p, ("\u00e9xtra", b"")).replace(b"\xc3\xa9xtra", b"\xc3\xffxtra")),
    Flaw("member-packed-otherwise", "bundle-format", "bzip2; only stored and deflated members are read",
         lambda p: zipped(p, method=zipfile.ZIP_BZIP2)),
    Flaw("zip-bomb", "bundle-format", "a manifest of 2 MiB of spaces",
         lambda p: zipped({**p, MANIFEST: b" " * (2 << 20)}, method=zipfile.ZIP_DEFLATED)),
    Flaw("wrong-crc", "bundle-format", "a member does not fit its checksum",
         lambda p: zipped(p).replace(p["language.amli"][:20], bytes(20), 1)),
    Flaw("re-signed", "bundle-signature", "signed by a key that nobody trusts", _untrusted),
    Flaw("signature-bit-flip", "bundle-signature", "", lambda p: _flip(p, SIGNATURE, 40)),
    Flaw("signature-high-s", "bundle-signature", "the same signature with n - s", _high_s),
    Flaw("signature-short", "bundle-signature", "", lambda p: {**p, SIGNATURE: p[SIGNATURE][:63]}),
    Flaw("signature-zero", "bundle-signature", "r = s = 0", lambda p: {**p, SIGNATURE: bytes(64)}),
    Flaw("manifest-bit-flip", "bundle-signature", "", lambda p: _flip(p, MANIFEST, 30)),
    Flaw("graph-bit-flip", "bundle-signature", "", lambda p: _flip(p, "guard.onnx", 200)),
    Flaw("swapped-files", "bundle-signature", "two files under each other's names", _swapped),
    Flaw("hash-not-listed", "bundle-signature", "the manifest names no hash for a file",
         lambda p: signed(p, files={"guard.onnx": json.loads(p[MANIFEST])["files"]["guard.onnx"]})),
    Flaw("manifest-not-json", "bundle-format", "signed bytes that are no JSON",
         lambda p: _manifest(p, b"{")),
    Flaw("manifest-not-utf-8", "bundle-format", "",
         lambda p: _manifest(p, p[MANIFEST].replace(b"development", b"d\xffvelopment"))),
    Flaw("manifest-utf-16", "bundle-format", "some JSON readers take it",
         lambda p: _manifest(p, p[MANIFEST].decode().encode("utf-16-le"))),
    Flaw("manifest-not-canonical", "ready", "other spaces and order: the bytes are what is signed",
         lambda p: _manifest(p, json.dumps(dict(reversed(json.loads(p[MANIFEST]).items()))).encode())),
    Flaw("manifest-nested-too-deeply", "bundle-format", "100,000 brackets",
         lambda p: _manifest(p, b"[" * 50_000 + b"]" * 50_000)),
    Flaw("manifest-holds-nan", "bundle-format", "NaN is not JSON; some readers take it",
         lambda p: signed(p, thresholds=_thresholds(p, notice=float("nan")))),
    Flaw("schema-is-true", "bundle-version", "true is 1 in some languages", lambda p: signed(p, schema=True)),
    Flaw("expires-not-whole", "bundle-format", "half a second", lambda p: signed(p, expires=EXPIRES + 0.5)),
    Flaw("expires-beyond-every-number", "bundle-format", "1e400",
         lambda p: _manifest(p, p[MANIFEST].replace(str(EXPIRES).encode(), b"1e400"))),
    Flaw("model-id-not-a-hash", "bundle-format", "a path", lambda p: signed(p, model_id="../" * 21 + "x")),
    Flaw("thresholds-missing", "bundle-format", "none for the signs", lambda p: signed(p, thresholds={})),
    Flaw("created-in-the-future", "ready", "a device's clock that is behind must not switch protection off",
         lambda p: signed(p, created=NOW + 86_400)),
    Flaw("version-not-numbers", "bundle-format", "nothing could be compared with it ever after",
         lambda p: signed(p, version="../2.1.0-rc1"), installs=True),
    Flaw("manifest-field-missing", "bundle-format", "no state_size", lambda p: signed(p, state_size=None)),
    Flaw("unknown-schema", "bundle-version", "a later schema", lambda p: signed(p, schema=2)),
    Flaw("newer-sdk-needed", "bundle-version", "", lambda p: signed(p, minimum_sdk="99.0.0")),
    Flaw("other-signs", "bundle-format", "another list of signs", lambda p: signed(p, cues=["a"])),
    Flaw("no-canaries", "bundle-format", "", lambda p: _canaries(p, lambda rows: rows.clear())),
    Flaw("canaries-not-a-list", "bundle-format", "",
         lambda p: signed(p, {"canaries.json": b'{"canaries": {"a": 1}}'})),
    Flaw("canary-without-text", "bundle-format", "",
         lambda p: _canaries(p, lambda rows: rows[0].pop("text"))),
    Flaw("canary-without-scores", "bundle-format", "",
         lambda p: _canaries(p, lambda rows: rows[0].pop("cues"))),
    Flaw("canary-other-ids", "bundle-canary", "the tokenizer is not that of the signer",
         lambda p: _canaries(p, lambda rows: rows[0]["tokens"].append(1))),
    Flaw("canary-other-scores", "bundle-canary", "a processor that computes otherwise",
         lambda p: _canaries(p, lambda rows: rows[1].update(risk=0.99))),
    Flaw("graph-not-a-graph", "bundle-format", "signed, and no ONNX",
         lambda p: signed(p, {"guard.onnx": b"not a graph"})),
    Flaw("graph-risk-nan", "bundle-canary", "right signs and a risk that is no number: never calm",
         lambda p: signed(p, {"guard.onnx": _nan_risk()})),
    Flaw("graph-one-sign-less", "bundle-format", "", lambda p: signed(p, {"guard.onnx": _few_cues()})),
    Flaw("graph-without-state", "bundle-format", "", lambda p: signed(p, {"guard.onnx": _no_state()})),
    Flaw("tokenizer-not-a-table", "bundle-format", "", lambda p: signed(p, {"tokenizer.amtk": b"AMTK"})),
    Flaw("language-not-a-table", "bundle-format", "", lambda p: signed(p, {"language.amli": b"AMLI\x01"})),
    Flaw("downgraded", "bundle-version", "older than what is installed", lambda p: signed(p, version="1.9.0"),
         installs=True),
)  # fmt: skip


def write_flaws(folder: Path) -> int:
    """Write every vector and ``vectors.json``; return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, parts = [], good()
    for flaw in FLAWS:
        made = flaw.make(dict(parts))
        (folder / f"{flaw.name}.amparo").write_bytes(made if isinstance(made, bytes) else zipped(made))
        rows.append(
            {"file": f"{flaw.name}.amparo", "expect": flaw.expect, "why": flaw.why, "installs": flaw.installs}
        )
    (folder / "installed.amparo").write_bytes(zipped(good(INSTALLED)))
    head = {
        "trusted_keys": [_signer().public_key()], "now_s": NOW, "installed": "installed.amparo",
        "installed_version": INSTALLED, "bundles": rows,
    }  # fmt: skip
    (folder / "vectors.json").write_bytes(_json(head))
    return len(rows)
