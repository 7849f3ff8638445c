"""One conversation as the model sees it: language, steps, a state for each sender towards the child."""

from __future__ import annotations

import dataclasses
import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import config as c
from .bundle import Bundle, read_bundle
from .errors import StateError
from .language import LanguageIdentifier
from .message import CUES, FAMILIES, Message, Tier
from .runtime import OnnxRuntime, Runtime, check_canaries
from .tokenizer import Tokenizer, TokenizerTable

CHILD, CONTACT = "child", "contact"
MAX_SENDERS = 64
"""Of a group chat that are followed at once; the calmest and longest silent one makes room."""
CHILD_REACHES = 3
"""In a group a message of the child goes to the states of so many who spoke last."""
NOBODY_YET = ""
MAX_GAP_S = 400 * 86_400.0
ENOUGH_EVIDENCE = 4.0
_STATE = struct.Struct("<4sB16sBdH")  # magic, version, model, language, last time, senders
_MAGIC = b"AMST"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model says after one message; ``risk`` and ``tier`` are the highest of all senders'."""

    cues: npt.NDArray[np.float32]
    risk: float
    tier: Tier
    seen: frozenset[str]
    sender: str
    reduced: bool


@dataclass(frozen=True)
class Model:
    """The parts of a bundle, ready to use; shared by all conversations."""

    bundle: Bundle
    runtime: Runtime
    tokenizer: Tokenizer
    identifier: LanguageIdentifier

    @classmethod
    def of(cls, bundle: Bundle, runtime: Runtime) -> Model:
        """Build tokenizer and identifier from a verified bundle."""
        table = TokenizerTable.from_bytes(bundle.tokenizer)
        return cls(bundle, runtime, Tokenizer(table), LanguageIdentifier.from_bytes(bundle.language))

    @classmethod
    def load(cls, folder: Path, trusted_keys: Sequence[str], threads: int = 1) -> Model:
        """Verify a bundle folder, start ONNX Runtime on it, run its canaries.

        Raises:
            BundleError: one of its kinds, by the check that failed.
        """
        model = cls.start(read_bundle(folder, trusted_keys), threads)
        # runtime and tables have copies of their own: 20 MB less resident
        return dataclasses.replace(model, bundle=model.bundle.without_files())

    @classmethod
    def start(cls, bundle: Bundle, threads: int = 1) -> Model:
        """Start ONNX Runtime on a verified bundle and run its canaries; raises BundleError."""
        runtime = OnnxRuntime(bundle.graph, bundle.manifest.state_size, threads)
        check_canaries(bundle, runtime)
        return cls.of(bundle, runtime)

    @property
    def key(self) -> bytes:
        """16 bytes that name the model in stored states."""
        return bytes.fromhex(self.bundle.manifest.model_id)[:16]


@dataclass
class Conversation:
    """Mutable model state of one conversation; holds no text.

    Args:
        profile: 0 child, 1 younger teen, 2 older teen.
        language: code from the app, or None to identify it from the conversation so far.
    """

    model: Model = field(repr=False)
    profile: int = 0
    language: str | None = None
    _states: OrderedDict[str, npt.NDArray[np.float32]] = field(default_factory=OrderedDict, repr=False)
    _evidence: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    _guess: int = 1
    _last_s: float | None = None

    def read(self, message: Message) -> Reading:
        """Advance by one message.

        A text longer than the graph takes enters as consecutive steps; cues are the highest of them.
        """
        sender = message.sender or CONTACT
        language = self._language_index(message.text)
        gap = self._gap(message.sent_at)
        table = self.model.tokenizer.table
        ids = self.model.tokenizer.encode(message.text)
        chunks = [[table.bos, *part, table.eos] for part in _parts(ids)]
        cues = np.zeros(len(CUES), np.float32)
        for target in self._targets(sender):
            meta = self._meta(message, gap, language)
            for number, tokens in enumerate(chunks):
                meta[c.META_CONTINUES] = number > 0
                step = self.model.runtime.step(tokens, meta, self._states[target])
                self._states[target] = step.state
                cues = np.maximum(cues, step.cues)
        worst = max(self._states.values(), key=lambda s: (s[c.STATE_TIER], s[c.STATE_RISK]))
        return Reading(
            cues=cues,
            risk=max(float(s[c.STATE_RISK]) for s in self._states.values()),
            tier=Tier(int(worst[c.STATE_TIER])),
            seen=self._families(worst),
            sender=self._worst_sender(),
            reduced=self.is_reduced,
        )

    @property
    def tier(self) -> Tier:
        """The highest tier of all senders', as the states have it."""
        return Tier(int(max((s[c.STATE_TIER] for s in self._states.values()), default=0)))

    @property
    def states(self) -> tuple[npt.NDArray[np.float32], ...]:
        """Each sender's state, float32 (state_size,), those who spoke last at the end."""
        return tuple(self._states.values())

    @property
    def language_index(self) -> int:
        """The present language in ``config.LANGUAGES``; 0 runs with reduced confidence."""
        return self._guess

    @property
    def is_reduced(self) -> bool:
        """Whether the present language runs with reduced confidence."""
        return self._guess == 0

    def _worst_sender(self) -> str:
        return max(self._states, key=lambda k: (self._states[k][c.STATE_TIER], self._states[k][c.STATE_RISK]))

    def _targets(self, sender: str) -> list[str]:
        """Whose states a message advances: the sender's own; the child's goes to those who spoke last."""
        if sender != CHILD:
            if sender not in self._states:
                self._make_room()
                fresh = np.zeros(self.model.bundle.manifest.state_size, np.float32)
                # What the child said first belongs to whoever answers first.
                self._states[sender] = self._states.pop(NOBODY_YET, fresh)
            self._states.move_to_end(sender)
            return [sender]
        if not self._states:
            self._states[NOBODY_YET] = np.zeros(self.model.bundle.manifest.state_size, np.float32)
        return list(self._states)[-CHILD_REACHES:]

    def _make_room(self) -> None:
        if len(self._states) >= MAX_SENDERS:
            calmest = min(self._states, key=lambda k: float(self._states[k][c.STATE_TIER]))
            del self._states[calmest]

    def _meta(self, message: Message, gap: float, language: int) -> npt.NDArray[np.float32]:
        meta = np.zeros(c.META_SIZE, np.float32)
        meta[c.META_IS_CHILD] = message.sender == CHILD
        meta[c.META_IS_CONTACT] = message.sender is not None and message.sender != CHILD
        meta[c.META_GAP_S] = gap
        meta[c.META_PROFILE] = self.profile
        meta[c.META_LANGUAGE] = language
        return meta

    def _gap(self, sent_at: float | None) -> float:
        if sent_at is None or not np.isfinite(sent_at):
            return -1.0
        before, self._last_s = self._last_s, float(sent_at)
        if before is None:
            return -1.0
        return min(max(float(sent_at) - before, 0.0), MAX_GAP_S)

    def _language_index(self, text: str) -> int:
        """The app's hint, else the best guess from the conversation so far."""
        if self.language is not None:
            code = self.language.lower().replace("_", "-").split("-")[0]
            self._guess = self._index_of(code)
            return self._guess
        identifier = self.model.identifier
        evidence = identifier.evidence(text)
        self._evidence = evidence if self._evidence is None else self._evidence * 0.95 + evidence
        best = int(np.argmax(self._evidence))  # of equals the first, in every port
        second = np.delete(self._evidence, best).max()
        clear = bool(self._evidence[best] - second >= ENOUGH_EVIDENCE)
        if self._evidence.any() and (clear or self._guess == 1):
            guess = self._index_of(identifier.labels[best])
            # Only clear evidence takes the alert away from a conversation.
            self._guess = guess if guess or clear else self._guess
        return self._guess

    def _index_of(self, code: str) -> int:
        full = self.model.bundle.manifest.languages.get(code) == "full"
        return c.LANGUAGES.index(code) if full and code in c.LANGUAGES else 0

    def _families(self, state: npt.NDArray[np.float32]) -> frozenset[str]:
        seen = state[c.STATE_SEEN : c.STATE_SEEN + len(CUES)]
        threshold = np.asarray(self.model.bundle.manifest.thresholds["cue"], np.float32)
        present = {cue for cue, s, t in zip(CUES, seen, threshold, strict=True) if s >= t}
        return frozenset(name for name, cues in FAMILIES.items() if present.intersection(cues))

    def to_bytes(self) -> bytes:
        """Serialise for a vault, which encrypts it: sender names and floats, no text."""
        head = _STATE.pack(
            _MAGIC, 1, self.model.key, self._guess,
            -1.0 if self._last_s is None else self._last_s, len(self._states),
        )  # fmt: skip
        parts = [head]
        for sender, state in self._states.items():
            name = sender.encode("utf-8", "surrogatepass")[:65_535]
            parts += [struct.pack("<HH", len(name), len(state)), name, state.astype("<f4").tobytes()]
        return b"".join(parts)

    def restore(self, blob: bytes) -> None:
        """Take up a stored state; of another model's, the stable prefix only.

        Raises:
            StateError: the bytes are damaged; the conversation is left as it was.
        """
        try:
            magic, version, key, guess, last_s, count = _STATE.unpack_from(blob)
            if magic != _MAGIC or version != 1 or guess >= len(c.LANGUAGES):
                raise StateError("the stored state is of an unknown version")
            offset, states = _STATE.size, OrderedDict[str, npt.NDArray[np.float32]]()
            for _ in range(count):
                name_size, floats = struct.unpack_from("<HH", blob, offset)
                offset += 4
                name = blob[offset : offset + name_size].decode("utf-8", "surrogatepass")
                offset += name_size
                stored = np.frombuffer(blob, "<f4", floats, offset).astype(np.float32)
                offset += 4 * floats
                states[name] = self._adopt(stored, same_model=key == self.model.key)
        except (struct.error, ValueError, IndexError) as error:
            raise StateError("the stored state is cut short or damaged") from error
        self._states, self._guess = states, guess
        self._last_s = None if last_s < 0 else last_s

    def _adopt(self, stored: npt.NDArray[np.float32], *, same_model: bool) -> npt.NDArray[np.float32]:
        state = np.zeros(self.model.bundle.manifest.state_size, np.float32)
        if len(stored) < c.STABLE or not np.isfinite(stored).all():
            raise StateError("the stored state is too short or not finite")
        if same_model and len(stored) == len(state):
            return stored
        state[: c.STABLE] = stored[: c.STABLE]
        return state


def _parts(ids: list[int]) -> list[list[int]]:
    body = c.MAX_TOKENS - 2
    parts = [ids[i : i + body] for i in range(0, max(len(ids), 1), body)]
    if len(parts) > c.MAX_STEPS:
        half = c.MAX_STEPS // 2
        parts = parts[:half] + parts[-half:]
    return parts
