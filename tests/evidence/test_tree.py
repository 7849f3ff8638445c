"""RFC 9162 proofs against an implementation written word for word from the RFC, and against bad proofs."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amparo.errors import EvidenceFormatError
from amparo.evidence import tree

from . import independent as ref

SIZES = 34
LEAVES = [ref.leaf(bytes([n])) for n in range(SIZES)]
ROOTS = [ref.mth(LEAVES[:n]) for n in range(SIZES + 1)]

CT_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
CT_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
"""The eight leaves and roots that the implementations of certificate transparency share."""


def test_known_answers_of_certificate_transparency():
    leaves = [ref.leaf(bytes.fromhex(text)) for text in CT_LEAVES]
    for size, root in CT_ROOTS.items():
        assert tree.Tree(leaves[:size]).root().hex() == ref.mth(leaves[:size]).hex() == root
    grown = tree.Tree(leaves)
    published = {
        (0, 8): ["96a296d2", "5f083f0a", "6b47aaf2"],
        (5, 8): ["bc1a0643", "ca854ea1", "d37ee418"],
        (2, 3): ["fac54203"],
        (1, 5): ["6e340b9c", "5f083f0a", "bc1a0643"],
    }
    for (index, size), starts in published.items():
        proof = tree.Tree(leaves[:size]).proof(index)
        assert [p.hex()[:8] for p in proof] == starts
    assert [p.hex()[:8] for p in grown.consistency(1)] == ["96a296d2", "5f083f0a", "6b47aaf2"]
    assert [p.hex()[:8] for p in grown.consistency(6)] == ["0ebc5d34", "ca854ea1", "d37ee418"]
    assert [p.hex()[:8] for p in tree.Tree(leaves[:5]).consistency(2)] == ["5f083f0a", "bc1a0643"]


def test_every_proof_is_the_one_of_the_rfc():
    for size in range(1, SIZES + 1):
        grown = tree.Tree(LEAVES[:size])
        assert grown.root() == ROOTS[size]
        for number in range(size):
            proof = grown.proof(number)
            assert proof == ref.path(number, LEAVES[:size])
            assert tree.root_from_proof(LEAVES[number], number, size, proof) == ROOTS[size]
            proof = grown.consistency(number + 1)
            assert proof == ref.proof(number + 1, LEAVES[:size])
            roots = tree.roots_from_consistency(number + 1, ROOTS[number + 1], size, proof)
            assert roots == (ROOTS[number + 1], ROOTS[size])
        for wrong in (-1, 0, size + 1):
            with pytest.raises(EvidenceFormatError):
                grown.consistency(wrong)


def bad_proofs(proof):
    """The probes of transparency-dev's testdata, by what they do."""
    junk = hashlib.sha256(b"junk").digest()
    yield [*proof, junk]
    yield [*proof, b""]
    yield [junk, *proof]
    yield [b"", *proof]
    yield [*proof, *proof] if proof else [junk] * 65
    for at in range(len(proof)):
        yield proof[:at] + proof[at + 1 :]
        yield [*proof[:at], junk, *proof[at + 1 :]]
        yield [*proof[:at], proof[at][:-1], *proof[at + 1 :]]
        yield [*proof[:at], proof[at] + b"\x00", *proof[at + 1 :]]
    for at, (a, b) in enumerate(pairwise(proof)):
        yield [*proof[:at], b, a, *proof[at + 2 :]]


def refuses(call, *expected):
    try:
        found = call()
    except EvidenceFormatError:
        return True
    return found not in expected


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 16, 21, 32, 33])
def test_bad_inclusion_proofs(size):
    grown, root = tree.Tree(LEAVES[:size]), ROOTS[size]
    for index in range(size):
        leaf, proof = LEAVES[index], grown.proof(index)
        for bad in bad_proofs(proof):
            assert refuses(lambda p=bad, i=index, v=leaf: tree.root_from_proof(v, i, size, p), root)
        for other in {index - 1, index + 1, index ^ 2, size, size + index, -1} - {index}:
            assert refuses(lambda p=proof, i=other, v=leaf: tree.root_from_proof(v, i, size, p), root)
        for wrong in (b"", leaf[:-1], leaf + b"\x00", bytes(32), root if size > 1 else bytes(32)):
            assert refuses(lambda p=proof, i=index, v=wrong: tree.root_from_proof(v, i, size, p), root)
    with pytest.raises(EvidenceFormatError):
        tree.root_from_proof(LEAVES[0], 0, 0, [])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 16, 21, 32, 33])
def test_bad_consistency_proofs(size):
    grown = tree.Tree(LEAVES[:size])
    for old in range(1, size + 1):
        both, proof = (ROOTS[old], ROOTS[size]), grown.consistency(old)
        for bad in bad_proofs(proof):
            assert refuses(lambda p=bad, n=old, b=both: tree.roots_from_consistency(n, b[0], size, p), both)
        for n, m in {(old - 1, size), (old, old - 1), (0, size), (old + 1, size), (-1, size), (size, old)}:
            if (n, m) != (old, size):
                assert refuses(
                    lambda p=proof, n=n, m=m, b=both: tree.roots_from_consistency(n, b[0], m, p), both
                )
        for wrong in (b"", both[0][:-1], bytes(32)):
            # the roots returned are the proof's; the caller compares them with those it knows
            assert refuses(
                lambda p=proof, n=old, w=wrong: tree.roots_from_consistency(n, w, size, p), (wrong, both[1])
            )


def test_a_proof_is_bounded_before_it_is_walked():
    with pytest.raises(EvidenceFormatError):
        tree.root_from_proof(bytes(32), 0, 1 << 70, [bytes(32)] * 65)
    with pytest.raises(EvidenceFormatError):
        tree.roots_from_consistency(1, bytes(32), 1 << 70, [bytes(32)] * 65)


@settings(max_examples=100, deadline=None)
@given(size=st.integers(1, SIZES), chosen=st.sets(st.integers(0, SIZES - 1), min_size=1))
def test_nodes_of_proofs_show_older_roots_or_nothing(size, chosen):
    grown, nodes = tree.Tree(LEAVES[:size]), tree.Nodes(size)
    for index in sorted(n % size for n in chosen):
        assert nodes.add(ROOTS[size], LEAVES[index], index, grown.proof(index))
    for old in range(-1, size + 2):
        assert nodes.root(old) in ((None, ROOTS[old]) if 0 < old <= size else (None,))
    for index in (n % size for n in chosen):  # the record before a head's end shows the head's root
        assert nodes.root(index + 1) == ROOTS[index + 1]


def test_nodes_of_all_proofs_show_every_older_root():
    for size in range(1, SIZES + 1):
        grown, nodes = tree.Tree(LEAVES[:size]), tree.Nodes(size)
        for index in range(size):
            assert nodes.add(ROOTS[size], LEAVES[index], index, grown.proof(index))
        assert [nodes.root(old) for old in range(1, size + 1)] == ROOTS[1 : size + 1]


def test_nodes_refuse_what_is_no_proof_and_cost_nothing_for_a_huge_tree():
    nodes = tree.Nodes(1 << 53)
    deep = [bytes(32)] * 53
    root = tree.root_from_proof(LEAVES[0], 5, 1 << 53, deep)
    assert not nodes.add(root, LEAVES[0], 0, []) and not nodes.add(root, LEAVES[0], 4, deep)
    assert not nodes.add(bytes(32), LEAVES[0], 5, deep) and nodes.root(6) is None
    assert nodes.add(root, LEAVES[0], 5, deep)
    assert nodes.root((1 << 53) - 1) is None and nodes.root(6) is not None
