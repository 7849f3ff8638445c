"""The README's first Python block runs as printed, and the commands it names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from amparo.cli import parser

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_first_python_block_runs() -> None:
    block = re.search(r"```python\n(.*?)```", README, re.S)
    assert block is not None
    names: dict[str, object] = {}
    exec(block[1], names)
    assert names["guard"].status == "ready"  # type: ignore[attr-defined]
    assert 0 <= names["assessment"].risk <= 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", sorted(set(re.findall(r"\| `amparo (\w+)", README))))
def test_every_command_in_the_table_exists(command: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        parser().parse_args([command, "--help"])
    assert stopped.value.code == 0
