"""ONNX Runtime behind one small class: the settings with their reasons, one step, the canaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

from . import config as c
from .bundle import Bundle
from .errors import AmparoError, BundleCanaryError, BundleFormatError
from .message import CUES
from .tokenizer import Tokenizer, TokenizerTable

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Step:
    """What the graph says of one step. ``cues`` float32 (15,), ``state`` float32 (state_size,)."""

    cues: Floats
    risk: float
    tier: int
    state: Floats


class Runtime(Protocol):
    """Whatever can run the graph: ONNX Runtime here, a recorded one in tests and ports."""

    def step(self, tokens: list[int], meta: Floats, state: Floats) -> Step:
        """Advance one conversation by one step."""
        ...


def session_options(threads: int = 1) -> onnxruntime.SessionOptions:
    """The settings of every platform, in one place."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads  # a message is too small to share out; leave cores to the app
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal only: runtime logs may hold tensor values
    options.add_session_config_entry("mlas.disable_kleidiai", "1")  # differs from run to run on some ARM
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # would drain a phone
    return options


class OnnxRuntime:
    """Runs the bundle's graph on the CPU."""

    def __init__(self, graph: bytes, state_size: int, threads: int = 1) -> None:
        try:
            self._session = onnxruntime.InferenceSession(
                graph,
                session_options(threads),
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # there is none, and the wrapper prints to stdout before trying
            )
            probe = self.step([0, 2], np.zeros(c.META_SIZE, np.float32), np.zeros(state_size, np.float32))
        except Exception as error:  # the runtime raises its own family, without a common root
            raise BundleFormatError("the graph cannot be loaded and run") from error
        if probe.cues.shape != (len(CUES),) or probe.state.shape != (state_size,):
            raise BundleFormatError("the graph's outputs are not those of the manifest")
        # the Python wrapper keeps these 20 MB to fall back on another provider; there is none here
        self._session._model_bytes = None
        shapes = {i.name: i.shape for i in self._session.get_inputs()}
        if shapes.get("state") != [state_size] or shapes.get("meta") != [c.META_SIZE]:
            raise BundleFormatError("the graph's inputs are not those of the manifest")

    def step(self, tokens: list[int], meta: Floats, state: Floats) -> Step:
        """Advance one conversation by one step; 1 to MAX_TOKENS ids."""
        feeds = {"tokens": np.asarray(tokens, np.int32), "meta": meta, "state": state}
        cues, risk, tier, after = self._session.run(["cues", "risk", "tier", "state_out"], feeds)
        return Step(cues, float(risk), int(tier), after)


def check_canaries(bundle: Bundle, runtime: Runtime) -> None:
    """Run the bundle's own conversations and compare ids, scores and tiers.

    Raises:
        BundleCanaryError: this processor answers differently from the one that made the bundle.
    """
    tokenizer = Tokenizer(TokenizerTable.from_bytes(bundle.tokenizer))
    state = np.zeros(bundle.manifest.state_size, np.float32)
    for number, canary in enumerate(bundle.canaries):
        if canary.get("restart"):
            state = np.zeros_like(state)
        state = _check_one(canary, number, tokenizer, runtime, state)


def _check_one(
    canary: Mapping[str, Any], number: int, tokenizer: Tokenizer, runtime: Runtime, state: Floats
) -> Floats:
    table = tokenizer.table
    try:
        tokens = [table.bos, *tokenizer.encode(canary["text"]), table.eos]
        if tokens != canary["tokens"]:
            raise BundleCanaryError(f"canary {number}: the tokenizer gives other ids")
        step = runtime.step(tokens, np.asarray(canary["meta"], np.float32), state)
    except AmparoError:
        raise
    except Exception as error:  # ids beyond the graph's vocabulary, a map that points nowhere
        raise BundleFormatError(f"canary {number}: table and graph do not go together") from error
    expected = np.asarray(canary["cues"], np.float32)
    # numpy's maximum keeps a NaN, whichever answer it is in; Python's drops it
    off = float(np.abs([*(step.cues - expected), step.risk - canary["risk"]]).max())
    if not off <= canary["tolerance"]:
        raise BundleCanaryError(f"canary {number}: scores differ by {off:.3f}")
    if canary.get("tier_certain") and step.tier != canary["tier"]:
        raise BundleCanaryError(f"canary {number}: tier {step.tier} where {canary['tier']} was certain")
    return step.state
