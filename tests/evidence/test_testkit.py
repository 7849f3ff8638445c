"""Every file of the testkit gives exactly what its header says."""

from __future__ import annotations

from collections import Counter

import pytest

from amparo.evidence.report import CODES

from .testkit.case import FILES, cases, load
from .testkit.make import make_all
from .testkit.run import ORDINARY, READERS, found

NAMES = [path.name for path in sorted(FILES.iterdir()) if not path.name.startswith(".")]
MAX_BYTES = 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_file(name):
    case = load(FILES / name)
    assert found(case) == case.expect, case.comment


def test_the_kit_covers_every_code_and_every_reader_and_is_small():
    all_of_them = list(cases())
    expected = frozenset().union(*(case.expect for case in all_of_them))
    assert set(CODES) - ORDINARY <= expected, sorted(set(CODES) - ORDINARY - expected)
    kinds = Counter(case.kind for case in all_of_them)
    assert set(kinds) == set(READERS) and all(case.comment for case in all_of_them)
    for kind in kinds:  # both what is sound and what is not
        outcomes = {case.expect == {"success"} for case in all_of_them if case.kind == kind}
        assert outcomes == {True, False}, kind
    assert sum(path.stat().st_size for path in FILES.iterdir()) < MAX_BYTES


def test_the_generator_gives_these_files_and_the_same_bytes_each_time():
    """The bytes committed stay when the code writes otherwise; names, fields and outcomes are the generator's."""
    first, again = list(make_all()), list(make_all())
    assert [c.dump() for c in first] == [c.dump() for c in again]
    assert sorted(c.name for c in first) == NAMES
    for case in first:
        kept = load(FILES / case.name)
        assert (kept.expect, kept.kind, kept.comment) == (case.expect, case.kind, case.comment), case.name
