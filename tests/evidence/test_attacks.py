"""The detection matrix: each attack on a vault or an export is found, under its own code."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amparo.evidence import (
    Batch,
    bulk,
    cbor,
    checkpoint,
    consent,
    cose,
    export,
    record,
    release,
    segment,
)
from amparo.evidence import grant as grants
from amparo.evidence.chain import Writer
from amparo.evidence.record import Header, RecordType
from amparo.evidence.rows import read_vault
from amparo.evidence.verify_export import open_and_verify, verify_export
from amparo.seal import SealSuite

from .scene import Scene, cut, grant_changed, reseal, rewrite
from .simulator import World, fill, observation


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return Scene(tmp_path_factory.mktemp("scene"))


def test_untouched_passes(scene):
    for rows in (scene.rows, scene.rows_after):
        report = scene.verify(rows, witness=scene.witness(), party_keys=scene.parties)
        assert report.failed() == () and "NO_SHARES" not in report.codes()
    assert scene.verify(scene.rows).codes() == {"NO_WITNESS", "NO_SHARES", "DEVICE_CLOCK"}


def test_truncated_tail_with_checkpoints_kept(scene):
    assert "TRUNCATED" in scene.verify(replace(scene.rows, records=scene.rows.records[:-1])).codes()


def test_truncated_at_a_checkpoint_is_seen_only_from_outside(scene):
    for head in scene.heads[1:-1]:
        shorter = cut(scene.rows, head.tree_size)
        assert scene.verify(shorter).failed() == ()
        report = scene.verify(shorter, witness=scene.witness())
        assert "ANCHOR_TRUNCATED" in report.codes() and "completeness" in report.failed()


def test_truncated_between_checkpoints(scene):
    shorter = cut(scene.rows, scene.heads[2].tree_size - 1)
    assert "UNSEALED_TAIL" in scene.verify(shorter).codes()


def test_all_checkpoints_removed(scene):
    assert "NO_CHECKPOINT" in scene.verify(replace(scene.rows, checkpoints=[])).codes()


def test_reordered_records(scene):
    records = list(scene.rows.records)
    (a, ha, ba), (b, hb, bb) = records[3], records[4]
    records[3], records[4] = (a, hb, bb), (b, ha, ba)
    codes = scene.verify(replace(scene.rows, records=records), party_keys=scene.parties).codes()
    assert {"SEQ", "CHAIN", "CP_ROOT"} <= codes


def test_duplicated_record(scene):
    records = list(scene.rows.records)
    records.insert(5, records[4])
    assert {"SEQ", "CHAIN"} <= scene.verify(replace(scene.rows, records=records)).codes()


def test_record_spliced_from_another_log(scene, tmp_path):
    other = World(tmp_path)
    with other.create() as vault:
        fill(vault, 5)
    records = list(scene.rows.records)
    records[4] = read_vault(other.path).records[4]
    assert {"WRONG_LOG", "CHAIN"} <= scene.verify(replace(scene.rows, records=records)).codes()


def test_dropped_segment(scene):
    records = [r for r in scene.rows.records if Header.decode(r[1]).seg != 1]
    assert {"SEG_GAP", "SEQ", "CHAIN"} <= scene.verify(replace(scene.rows, records=records)).codes()


def test_dropped_record(scene):
    records = scene.rows.records[:5] + scene.rows.records[6:]
    assert {"SEQ", "CHAIN"} <= scene.verify(replace(scene.rows, records=records)).codes()


def test_body_bit_flipped(scene):
    for place, (seq, header, body) in enumerate(scene.rows.records):
        records = list(scene.rows.records)
        records[place] = (seq, header, bytes([body[0] ^ 1]) + body[1:])
        assert "BODY_HASH" in scene.verify(replace(scene.rows, records=records)).codes()


def test_body_dropped_without_tombstone(scene):
    records = list(scene.rows.records)
    records[3] = (*records[3][:2], None)
    assert "MISSING" in scene.verify(replace(scene.rows, records=records)).codes()


@pytest.mark.parametrize("key", [2, 3, 4, 5, 6, 7, 8, 9])
def test_header_edited(scene, key):
    records = list(scene.rows.records)
    seq, raw, body = records[3]
    fields = cbor.decode(raw)
    old = fields[key]
    fields[key] = bytes([old[0] ^ 1]) + old[1:] if isinstance(old, bytes) else old + 1
    records[3] = (seq, cbor.encode(fields), body)
    report = scene.verify(replace(scene.rows, records=records))
    assert "CP_ROOT" in report.codes() and "integrity" in report.failed()


def test_sealed_share_replaced(scene):
    shares = {**scene.rows.shares, 1: tuple(reversed(scene.rows.shares[1]))}
    assert "SHARE_HASH" in scene.verify(replace(scene.rows, shares=shares)).codes()


def test_closed_segment_rewritten_and_signed_with_the_current_key(scene):
    codes = scene.verify(rewrite(scene, 3, scene.tip.seed)).codes()
    assert "CP_SIG" in codes and "CP_ROOT" not in codes


def test_open_segment_rewritten_needs_heads_or_shares(scene):
    # fill the open segment first, so that there is something to rewrite
    world = World(scene.world.folder / "open")
    world.folder.mkdir(exist_ok=True)
    world.path.unlink(missing_ok=True)
    small = Scene.__new__(Scene)
    small.world = world
    with world.create() as vault:
        fill(vault, 4)
        head, small.tip, small.log_id = vault.head(), vault._log.tip, vault.log_id
    small.rows = read_vault(world.path)
    forged = rewrite(small, 3, small.tip.seed)
    assert small.verify(forged).failed() == ()  # nothing local can tell
    assert "ANCHOR_FORK" in small.verify(forged, witness=[head.checkpoint]).codes()
    keys = [world.keys["child"], world.keys["trustee"]]
    assert "FS_MAC" in small.verify(forged, party_keys=keys).codes()
    assert small.verify(small.rows, party_keys=keys).failed() == ()


def test_a_later_key_does_not_speak_for_an_earlier_segment(scene):
    """The break of systemd's sealing in 2023: an old entry sealed with a newer key."""
    counter, size, blob = scene.rows.checkpoints[1]
    point = replace(checkpoint.peek(blob), seg=scene.tip.seg)
    points = list(scene.rows.checkpoints)
    points[1] = (counter, size, point.sign(scene.tip.seed)[0])
    assert "CP_SIG" in scene.verify(replace(scene.rows, checkpoints=points)).codes()


def test_segment_key_replaced(scene):
    records = list(scene.rows.records)
    place = next(i for i, r in enumerate(records) if Header.decode(r[1]).seg == 1)
    seq, raw, body = records[place]
    opened = segment.SegmentOpen.decode(body)
    seed = bytes(32)
    opened = replace(opened, public=cose.public_of(seed))
    opened = replace(opened, certificate=cose.sign(seed, "segopen", opened.certified(), detached=True))
    records[place] = (seq, raw, opened.encode())
    assert "SEG_CERT" in scene.verify(replace(scene.rows, records=records)).codes()


def test_checkpoints_out_of_order_or_dropped(scene):
    points = list(scene.rows.checkpoints)
    assert "CP_CHAIN" in scene.verify(replace(scene.rows, checkpoints=points[:2] + points[3:])).codes()
    points[1], points[2] = (points[1][0], *points[2][1:]), (points[2][0], *points[1][1:])
    assert {"CP_CHAIN", "CP_ROLLBACK"} <= scene.verify(replace(scene.rows, checkpoints=points)).codes()


def test_wrong_pin_and_made_up_log(scene):
    assert "WRONG_PIN" in scene.verify(scene.rows, log_id=bytes(32)).codes()
    assert "GENESIS" in scene.verify(replace(scene.rows, genesis=b"\xa0")).codes()
    assert "NO_PIN" in scene.verify(scene.rows, log_id=None).codes()


def test_signature_of_another_type_or_small_order(scene):
    counter, size, blob = scene.rows.checkpoints[-1]
    points = list(scene.rows.checkpoints)
    points[-1] = (counter, size, cose.sign(scene.tip.seed, "manifest", cose.peek(blob)))
    assert "ALG_TYPE" in scene.verify(replace(scene.rows, checkpoints=points)).codes()
    protected, kid, payload, _ = cbor.decode(blob)
    points[-1] = (counter, size, cbor.encode([protected, kid, payload, bytes([1]) + bytes(63)]))
    assert "LOWORDER" in scene.verify(replace(scene.rows, checkpoints=points)).codes()


def test_one_ciphertext_never_opens_to_two_texts():
    """With plain AES-GCM a ciphertext for two keys can be made; the commitment refuses the second key."""
    key, other = bytes(32), bytes([1]) * 32
    blob = bulk.encrypt(key, b"c", b"one text")
    assert bulk.decrypt(key, b"c", blob) == b"one text"
    commitment = bulk.encrypt(other, b"c", b"one text")[24:56]
    for forged in (blob, blob[:24] + commitment + blob[56:]):
        with pytest.raises(bulk.DecryptError):
            bulk.decrypt(other, b"c", forged)


def test_grant_replay_is_seen_in_the_log(scene):
    rows, grant = scene.rows_after, cbor.encode({0: 1, 1: bytes(32), 2: ["child", "guardian"]})
    writer = Writer(replace(scene.tip, seg=9), [], bytes(16))
    writer.append(RecordType.GRANT, grant)
    for n in (1, 2):
        body = {0: 1, 1: bytes(32), 2: bytes([n]) * 16, 3: [bytes(32)], 4: 1, 5: 1}
        writer.append(RecordType.EXPORT, cbor.encode(body))
    added = [(r.seq, r.header, r.body) for r in writer.rows]
    assert "GRANT_REPLAY" in scene.verify(replace(rows, records=rows.records + added)).codes()
    assert "GRANT_UNLOGGED" in scene.verify(replace(rows, records=rows.records + added[1:])).codes()


# --- the export -------------------------------------------------------------------------------------


def codes_of(scene, data):
    report = verify_export(data, key=scene.agency, log_id=scene.log_id)
    assert report.failed(), report.to_text()
    return report.codes()


def test_export_untouched(scene):
    report, records = open_and_verify(
        scene.data, key=scene.agency, log_id=scene.log_id, witness=scene.witness()
    )
    assert report.failed() == () and len(records) == 24
    assert report.verdicts["authenticity"] == "PASS" and report.verdicts["consent"] == "PASS"


def test_export_with_a_manifest_by_another_key(scene):
    assert "MANIFEST_SIG" in codes_of(scene, reseal(scene))


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("drop", "ITEMS_MISSING"),
        ("swap", "SEQ"),
        ("twice", "SEQ"),
        ("body", "BODY_HASH"),
        ("salt", "SALT"),
        ("key", "DECRYPT"),
        ("header", "PROOF"),
        ("proof", "PROOF"),
        ("nobody", "ITEMS_MISSING"),
        ("mac", "FS_MAC"),
    ],
)
def test_export_items_changed(scene, what, code):
    items = list(export.open_export(scene.data, scene.agency).items)
    one = items[3]
    fields = cbor.decode(one.header)
    changed = {
        "drop": lambda: items[:3] + items[4:],
        "swap": lambda: [*items[:3], items[4], one, *items[5:]],
        "twice": lambda: [*items[:4], one, *items[4:]],
        "body": lambda: [*items[:3], replace(one, body=one.body[:-1] + b"x"), *items[4:]],
        "salt": lambda: [*items[:3], replace(one, salt=bytes(32)), *items[4:]],
        "key": lambda: [*items[:3], replace(one, record_key=bytes(32)), *items[4:]],
        "header": lambda: [
            *items[:3],
            replace(one, header=cbor.encode({**fields, 5: bytes(32)})),
            *items[4:],
        ],
        "mac": lambda: [*items[:3], replace(one, header=cbor.encode({**fields, 8: bytes(32)})), *items[4:]],
        "proof": lambda: [*items[:3], replace(one, proof=one.proof[:-1]), *items[4:]],
        "nobody": lambda: [*items[:3], replace(one, body=None), *items[4:]],
    }[what]()
    assert code in codes_of(scene, reseal(scene, items=changed))


def test_export_with_a_wider_narrower_or_other_grant(scene):
    assert {"GRANT", "MANIFEST_SIG"} <= codes_of(
        scene, reseal(scene, grant=grant_changed(scene, purpose="x"))
    )
    narrow = grant_changed(scene, scope=((3, 4),))
    digest = grants.Grant.decode(narrow).digest()
    data = reseal(scene, grant=narrow, header_of=lambda h: _regrant(scene, h, digest))
    assert "SEALED" in codes_of(scene, data)  # the grant's hash is part of what the file key is sealed for


def _regrant(scene, header, digest):
    return replace(header, grant_hash=digest)


def test_device_that_breaks_the_rules_is_found_by_the_police(scene, monkeypatch, tmp_path):
    """The exporting device itself lies: its own keys sign, yet each lie has its finding."""
    cases = {
        "GRANT_SCOPE": lambda m: None,
        "GRANT_EXPIRED": lambda m: replace(m, created_s=m.created_s + 10**8),
        "GRANT_POLICY": lambda m: replace(m, approvals=m.approvals[:1]),
        "GRANT_RECIPIENT": lambda m: replace(m, recipient_kids=(bytes(32),)),
        "GRANT_REQUEST": lambda m: replace(m, directory=m.request),
        "ITEMS_MISSING": lambda m: replace(m, numbers=()),
        "MAC_COMMIT": lambda m: replace(m, mac_seeds={0: bytes(32)}),
        "EXPORT_UNLOGGED": lambda m: m,
    }
    for code, change in cases.items():
        folder = tmp_path / code
        folder.mkdir()
        world = World(folder)
        with world.create() as vault:
            fill(vault, 3)
            if code == "GRANT_SCOPE":
                package = vault.prepare_grant(world.request().signed, world.directory.signed)
                approvals = world.approve(package, "child", "trustee")
                monkeypatch.setattr(consent, "allowed", lambda *_: lambda seq: True)
                monkeypatch.setattr(release, "_asked_for", lambda aside, request: True)
                vault.commit(Batch(observations=[observation(vault, "beyond")]))
                data = vault.export(package.grant.grant_id, approvals)
                monkeypatch.undo()
            else:
                real = export.Manifest.sign
                monkeypatch.setattr(export.Manifest, "sign", lambda m, seed, c=change, r=real: r(c(m), seed))
                if code == "EXPORT_UNLOGGED":
                    real_cbor = release.cbor.encode
                    monkeypatch.setattr(
                        release.cbor,
                        "encode",
                        lambda v, e=real_cbor: e(
                            {**v, 2: bytes(16)}
                            if isinstance(v, dict) and 5 in v and isinstance(v.get(2), bytes) and len(v) == 6
                            else v
                        ),
                    )
                data = world.export(vault, "child", "trustee")
                monkeypatch.undo()
        report = verify_export(data, key=world.keys["agency"].seal_key)
        assert code in report.codes(), (code, report.to_text())
        assert report.failed()


def test_clear_header_edits(scene):
    header, _, end = export.read_header(scene.data)
    rest = scene.data[end:]

    def with_header(changed):
        raw = changed.encode()
        return b"AMX1" + len(raw).to_bytes(4, "big") + raw + rest

    stanza = header.stanzas[0]
    for changed in (
        replace(header, export_id=bytes(16)),
        replace(header, grant_hash=bytes(32)),
        replace(header, key_commit=bytes(32)),
        replace(header, stanzas=(stanza, stanza)),
        replace(header, stanzas=((bytes(32), *stanza[1:]),)),
    ):
        assert "SEALED" in codes_of(scene, with_header(changed))
    mixed = replace(header, stanzas=(stanza, (bytes(32), int(SealSuite.S1_X25519), b"")))
    assert "PQ_MIXED" in codes_of(scene, with_header(mixed))


def test_truncated_and_extended_exports_show_nothing(scene):
    size = len(scene.data)
    for data in [scene.data[:n] for n in (0, 3, 7, 8, 100, size // 2, size - 16, size - 1)] + [
        scene.data + b"\x00"
    ]:
        report, records = open_and_verify(data, key=scene.agency)
        assert report.failed() and records == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_any_flipped_bit_of_an_export_is_found(scene, place, bit):
    data = bytearray(scene.data)
    data[place % len(data)] ^= 1 << bit
    report, records = open_and_verify(bytes(data), key=scene.agency)
    assert report.failed() and records == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.integers(0, 10**9),
    bit=st.integers(0, 7),
    where=st.integers(0, 10**6),
    kind=st.sampled_from("hbc"),
)
def test_any_flipped_bit_of_a_vaults_rows_is_found(scene, place, bit, where, kind):
    records, points = list(scene.rows.records), list(scene.rows.checkpoints)

    def flip(raw):
        data = bytearray(raw)
        data[place % len(data)] ^= 1 << bit
        return bytes(data)

    at = where % (len(points) if kind == "c" else len(records))
    if kind == "h":
        records[at] = (records[at][0], flip(records[at][1]), records[at][2])
    elif kind == "b":
        records[at] = (*records[at][:2], flip(records[at][2]))
    else:
        points[at] = (*points[at][:2], flip(points[at][2]))
    assert scene.verify(replace(scene.rows, records=records, checkpoints=points)).failed()


def test_damaged_file_is_a_finding_or_a_typed_error(scene, tmp_path):
    from amparo.errors import StorageError

    data = bytearray(scene.world.path.read_bytes())
    for place in range(5000, len(data), max(1, len(data) // 12)):
        copy = tmp_path / "copy"
        damaged = bytearray(data)
        damaged[place : place + 64] = bytes(64)
        copy.write_bytes(damaged)
        before = copy.read_bytes()
        try:
            report = scene.verify(read_vault(copy))
            if damaged != data:
                report.to_text()
        except StorageError:
            pass
        assert copy.read_bytes() == before and list(tmp_path.iterdir()) == [copy]


def test_hostile_sizes_cost_nothing(scene):
    opened, big = export.open_export(scene.data, scene.agency), cbor.MAX_INT
    made = export.Manifest.decode(cose.peek(opened.manifest))
    point = replace(checkpoint.peek(made.checkpoint), tree_size=big, seg=big)
    for change in (
        {"checkpoint": point.sign(bytes(32))[0]},
        {"numbers": ((0, big),)},
        {"grant": grant_changed(scene, scope=((0, big),))},
    ):
        assert len(verify_export(reseal(scene, **change), key=scene.agency).findings) < 10_100
    body = cbor.encode({0: 1, 1: [[0, big - 1]], 2: "x", 3: 1})
    records = list(scene.rows.records)
    header = replace(
        Header.decode(records[3][1]),
        type=RecordType.TOMBSTONE,
        salt_commit=None,
        seq=big,
        body_hash=hashlib.sha256(body).digest(),
        body_len=len(body),
    )
    records[3] = (big, header.encode(), body)
    assert scene.verify(replace(scene.rows, records=records)).failed()


def test_padding_hides_small_differences():
    sizes = {len(record.pad(bytes(n))) for n in range(250)}
    assert sizes == {256}
    for n in (0, 1, 251, 252, 253, 4000, 100_001):
        padded = record.pad(bytes([7]) * n)
        assert record.unpad(padded) == bytes([7]) * n and len(padded) <= max(256, (n + 4) * 1.12)
