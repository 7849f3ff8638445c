"""Canonical CBOR, signatures, tree, shares, key files: one part at a time."""

from __future__ import annotations

import stat
from contextlib import suppress

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from amparo.errors import AmparoError, ConsentError, EvidenceFormatError, KeyFileError, SignatureError
from amparo.evidence import (
    FileKeyStorage,
    Party,
    PartyKey,
    cbor,
    cose,
    keys,
    load_private,
    save_private,
    segment,
    tree,
)
from amparo.seal import SealSuite

# --- canonical CBOR -----------------------------------------------------------------------------------

integers = st.integers(-cbor.MAX_INT, cbor.MAX_INT)
scalars = st.one_of(integers, st.booleans(), st.none(), st.binary(max_size=40), st.text(max_size=40))
map_keys = st.one_of(st.just("uint"), st.just("text"))


def maps(children):
    return st.one_of(
        st.dictionaries(st.integers(0, cbor.MAX_INT), children, max_size=6),
        st.dictionaries(st.text(max_size=15), children, max_size=6),
    )


values = st.recursive(scalars, lambda c: st.one_of(st.lists(c, max_size=6), maps(c)), max_leaves=20)


@settings(max_examples=150, deadline=None)
@given(values)
def test_cbor_round_trip(value):
    assert cbor.decode(cbor.encode(value)) == value


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=64))
def test_cbor_accepted_means_it_encodes_to_the_same_bytes(data):
    try:
        value = cbor.decode(data)
    except EvidenceFormatError:
        return
    assert cbor2.dumps(value, canonical=True) == data


@settings(max_examples=300, deadline=None)
@given(values, st.integers(0, 10**6), st.integers(0, 255))
def test_cbor_mutants_are_refused_or_canonical(value, place, byte):
    data = bytearray(cbor.encode(value))
    data[place % len(data)] = byte
    try:
        again = cbor.decode(bytes(data))
    except EvidenceFormatError:
        return
    assert cbor2.dumps(again, canonical=True) == bytes(data)


@pytest.mark.parametrize(
    ("why", "data"),
    [
        ("empty", ""),
        ("long integer", "1800"),
        ("long integer", "190018"),
        ("long length", "5801aa"),
        ("integer above 2^53-1", "1b0020000000000000"),
        ("indefinite bytes", "5f41aaff"),
        ("indefinite array", "9f01ff"),
        ("indefinite map", "bf0102ff"),
        ("tag", "c100"),
        ("bignum", "c24101"),
        ("float", "f93c00"),
        ("undefined", "f7"),
        ("simple", "f820"),
        ("break", "ff"),
        ("duplicate key", "a201010102"),
        ("keys out of order", "a202010101"),
        ("mixed keys", "a20101616101"),
        ("negative key", "a12000"),
        ("bytes key", "a1414100"),
        ("array key", "a18000"),
        ("bool key", "a1f500"),
        ("null key", "a1f600"),
        ("bytes left over", "0000"),
        ("cut", "42aa"),
        ("huge length", "5bffffffffffffffff"),
        ("huge array", "9bffffffffffffffff"),
        ("huge array", "9a00ffffff"),
        ("invalid UTF-8", "61ff"),
        ("surrogate", "63eda080"),
        ("too deep", "81" * 40 + "00"),
        ("long key", "a17841" + "61" * 65 + "00"),
    ],
)
def test_cbor_refuses(why, data):
    with pytest.raises(EvidenceFormatError):
        cbor.decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        1 << 53,
        {-1: 0},
        {1: 0, "a": 0},
        {b"k": 0},
        {True: 0},
        "\ud800",
        {"\ud800": 1},
        (1,),
        object,
        [[[[[[[[[[]]]]]]]]]],
    ],
)
def test_cbor_writes_only_the_profile(value):
    with pytest.raises(EvidenceFormatError):
        cbor.encode(value)


# --- signatures ---------------------------------------------------------------------------------------


def test_the_14_small_order_points_are_refused():
    assert len(cose.SMALL_ORDER) == 14
    seed, message = bytes(range(32)), b"m"
    good = Ed25519PrivateKey.from_private_bytes(seed).sign(message)
    cose.verify_raw(cose.public_of(seed), good, message)
    for point in cose.SMALL_ORDER:
        for public, signature in (
            (point, good),
            (cose.public_of(seed), point + good[32:]),
            (point, point + bytes(32)),
        ):
            with pytest.raises(SignatureError) as caught:
                cose.verify_raw(public, signature, message)
            assert caught.value.finding == "LOWORDER"


def test_signature_with_s_above_the_order_is_refused():
    seed = bytes(range(32))
    good = Ed25519PrivateKey.from_private_bytes(seed).sign(b"m")
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(good[32:], "little") + order
    with pytest.raises(SignatureError):
        cose.verify_raw(cose.public_of(seed), good[:32] + s.to_bytes(32, "little"), b"m")


def test_sign1_is_bound_to_type_key_and_payload():
    seed, public = bytes(32), cose.public_of(bytes(32))
    blob = cose.sign(seed, "grant", b"payload")
    assert cose.verify(blob, "grant", public) == b"payload"
    for typ, key, error in (
        ("request", public, "ALG_TYPE"),
        ("grant", cose.public_of(bytes([1]) * 32), "WRONG_KEY"),
    ):
        with pytest.raises(SignatureError) as caught:
            cose.verify(blob, typ, key)
        assert caught.value.finding == error
    detached = cose.sign(seed, "approval", b"payload", detached=True)
    assert cose.verify(detached, "approval", public, payload=b"payload") == b"payload"
    with pytest.raises(SignatureError):
        cose.verify(detached, "approval", public, payload=b"other")
    for wrong, payload in ((detached, None), (blob, b"payload")):
        with pytest.raises(EvidenceFormatError):
            cose.verify(wrong, "grant" if wrong is blob else "approval", public, payload=payload)
    protected, kid, payload, signature = cbor.decode(blob)
    other = cbor.encode([cbor.encode({1: -8, 16: "application/amp1-grant"}), kid, payload, signature])
    with pytest.raises(SignatureError):
        cose.verify(other, "grant", public)
    for bad in (
        [b"", kid, payload, signature],
        [protected, {}, payload, signature],
        [protected, kid, payload],
        [protected, {**kid, 5: b""}, payload, signature],
        [protected, kid, 1, signature],
    ):
        with pytest.raises(AmparoError):
            cose.verify(cbor.encode(bad), "grant", public)


# --- tree ---------------------------------------------------------------------------------------------

RFC_LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    bytes(range(0x50, 0x58)),
    bytes(range(0x60, 0x70)),
]


def test_tree_known_answers():
    """The eight leaves that certificate transparency's implementations share."""
    leaves = [tree.leaf_hash(leaf) for leaf in RFC_LEAVES]
    assert tree.Edge().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaves[0].hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert (
        tree.Tree(leaves).root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 31, 64, 65])
def test_tree_proofs(size):
    leaves = [tree.leaf_hash(bytes([n])) for n in range(size)]
    grown, edge = tree.Tree(leaves), tree.Edge()
    for leaf in leaves:
        edge = edge.append(leaf)
    root = grown.root()
    assert edge.root() == root
    for index in range(size):
        proof = grown.proof(index)
        assert tree.root_from_proof(leaves[index], index, size, proof) == root
        for wrong in (
            proof[:-1] if proof else [bytes(32)],
            [*proof, bytes(32)],
            [b"short", *proof[1:]] if proof else [b""],
        ):
            with pytest.raises(EvidenceFormatError):
                tree.root_from_proof(leaves[index], index, size, wrong)
        if size > 1:
            other = (index + 1) % size
            with suppress(EvidenceFormatError):
                assert tree.root_from_proof(leaves[index], other, size, proof) != root
    for index, total in ((-1, size), (size, size), (0, 0)):
        with pytest.raises(EvidenceFormatError):
            tree.root_from_proof(leaves[0], index, total, [])


# --- shares -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3])
def test_any_two_shares_rebuild_and_one_does_not(count):
    parties = [PartyKey.generate(r, SealSuite.S1_X25519) for r in ("child", "guardian", "trustee")[:count]]
    secret = bytes(range(32))
    commitments, sealed = segment.seal_shares(bytes(32), 0, secret, [p.party for p in parties])
    opened = segment.SegmentOpen(
        seg=0,
        public=bytes(32),
        commitments=tuple(commitments),
        share_hashes=(),
        boot_id=bytes(16),
        opened_s=0,
        secret_commit=segment.secret_commit(secret),
        mark=0,
        mac_commit=bytes(32),
    )
    shares = {
        i: segment.open_share(bytes(32), opened, i, p.seal_key, sealed[i]) for i, p in enumerate(parties)
    }
    for a in range(count):
        with pytest.raises(ConsentError):
            segment.combine(opened, {a: shares[a]})
        for b in range(count):
            if a != b:
                assert segment.combine(opened, {a: shares[a], b: shares[b]}) == secret
        with pytest.raises(ConsentError):
            segment.open_share(bytes(32), opened, a, parties[a - 1].seal_key, sealed[a])
        with pytest.raises(ConsentError):
            segment.combine(opened, {a: bytes(len(shares[a])), (a + 1) % count: shares[(a + 1) % count]})


# --- key files ----------------------------------------------------------------------------------------


def test_private_key_file(tmp_path):
    key = PartyKey.generate("child")
    path = tmp_path / "child.key"
    save_private(path, key, "correct horse")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_private(path, "correct horse") == key
    assert key.sign_seed not in path.read_bytes() and key.sign_seed.hex() not in repr(key)
    with pytest.raises(KeyFileError):
        load_private(path, "wrong")
    with pytest.raises(KeyFileError):
        save_private(path, key, "again")
    with pytest.raises(KeyFileError):
        save_private(tmp_path / "b", key, "")
    data = path.read_bytes()
    for bad in (b"", data[:-1], data + b"\x00", data[:40] + b"x" + data[41:], bytes(1 << 17)):
        path.write_bytes(bad)
        with pytest.raises(KeyFileError):
            load_private(path, "correct horse")
    with pytest.raises(KeyFileError):
        load_private(tmp_path / "none", "x")


def test_device_key_file(tmp_path):
    storage = FileKeyStorage(tmp_path / "device", "pw", create=True)
    a, b = storage.create(), storage.create()
    wrapped = storage.wrap(a, bytes(32))
    storage.erase(b)
    storage.write_mark(b"mark")
    again = FileKeyStorage(tmp_path / "device", "pw")
    assert again.unwrap(a, wrapped) == bytes(32) and again.key_ids() == (a,) and again.read_mark() == b"mark"
    again.erase(a)
    with pytest.raises(KeyFileError):
        FileKeyStorage(tmp_path / "device", "pw").unwrap(a, wrapped)
    with pytest.raises(KeyFileError):
        FileKeyStorage(tmp_path / "device", "other")
    with pytest.raises(KeyFileError):
        FileKeyStorage(tmp_path / "device", "pw", create=True)


@pytest.mark.parametrize("suite", list(SealSuite))
def test_public_key_line(suite):
    party = PartyKey.generate("agency", suite).party
    line = party.to_line()
    assert Party.from_line(line + "\n") == party and "\n" not in line
    for bad in (
        "",
        line[:-1],
        line + "A",
        line.replace("agency", "child", 1),
        "x" + line,
        line.replace(":", ";"),
        line[:-3] + "ß" + line[-2:],
    ):
        with pytest.raises(EvidenceFormatError):
            Party.from_line(bad)


def test_small_order_party_key_is_refused():
    party = PartyKey.generate("child").party
    with pytest.raises(EvidenceFormatError):
        Party("child", next(iter(cose.SMALL_ORDER)), party.recipient)
    assert keys.KEY_ROLES[:3] == keys.PARTY_ROLES
