"""HPKE sealing: round trips, binding to context and key; public vectors are in `tests/evidence`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amparo.errors import SealError
from amparo.seal import (
    MAX_SEALED_BYTES,
    Recipient,
    SealKey,
    SealSuite,
    generate,
    open_sealed,
    seal,
    seal_context,
)

SUITES = list(SealSuite)
OVERHEAD = {SealSuite.S1_X25519: 48, SealSuite.S2_XWING: 1136}
KEYS = {suite: generate(suite) for suite in SUITES}


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(SUITES), st.binary(max_size=200), st.binary(max_size=50))
def test_round_trip(suite, plaintext, context):
    blob = seal(KEYS[suite].recipient, context, plaintext)
    assert len(blob) == len(plaintext) + OVERHEAD[suite]
    assert open_sealed(KEYS[suite], context, blob) == plaintext


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SUITES), st.integers(0, 10**6), st.integers(0, 7))
def test_a_flipped_bit_never_opens(suite, place, bit):
    blob = bytearray(seal(KEYS[suite].recipient, b"c", b"text"))
    blob[place % len(blob)] ^= 1 << bit
    with pytest.raises(SealError):
        open_sealed(KEYS[suite], b"c", bytes(blob))


@pytest.mark.parametrize("suite", SUITES)
def test_wrong_key_context_or_length(suite):
    key = KEYS[suite]
    blob = seal(key.recipient, b"c", b"text")
    for private, context, data in (
        (generate(suite), b"c", blob),
        (key, b"d", blob),
        (key, b"c", blob[:-1]),
        (key, b"c", blob + b"x"),
        (key, b"c", b""),
        (KEYS[SUITES[suite - 2]], b"c", blob),
        (key, b"c", bytes(MAX_SEALED_BYTES + 1)),
    ):
        with pytest.raises(SealError):
            open_sealed(private, context, data)


def test_keys_of_the_wrong_length_are_refused():
    for suite in SUITES:
        for size in (0, 31, 33, 1215):
            with pytest.raises(SealError):
                Recipient(suite, bytes(size))
            with pytest.raises(SealError):
                SealKey(suite, bytes(size))


def test_low_order_recipient_is_refused():
    for point in (bytes(32), b"\x01" + bytes(31)):
        with pytest.raises(SealError):
            seal(Recipient(SealSuite.S1_X25519, point), b"c", b"text")


def test_nothing_secret_in_reprs_or_errors():
    key = KEYS[SealSuite.S2_XWING]
    assert repr(key.secret) not in repr(key) and key.secret.hex() not in repr(key)
    with pytest.raises(SealError) as caught:
        open_sealed(key, b"CANARY", b"CANARY" * 300)
    assert "CANARY" not in str(caught.value) and caught.value.__cause__ is None


def test_kid_differs_by_key_and_suite():
    kids = {generate(s).recipient.kid for s in SUITES for _ in range(3)}
    assert len(kids) == 6 and {len(k) for k in kids} == {32}


def test_context_is_deterministic_cbor():
    assert seal_context("a", 1, b"\x02", "b").hex() == "8461610141026162"
