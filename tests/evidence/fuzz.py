"""Coverage-guided fuzzing of one target: ``python -m tests.evidence.fuzz TARGET [CORPUS] [libFuzzer flags]``."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["amparo", "cbor2", "zipfile", "json"]):
    from .targets import TARGETS, run


def main() -> None:
    """Fuzz the target named first."""
    name = sys.argv.pop(1)
    assert name in TARGETS, f"one of {', '.join(TARGETS)}"
    atheris.Setup(sys.argv, lambda data: run(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
