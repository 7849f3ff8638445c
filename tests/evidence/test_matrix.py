"""The detection matrix of the specification, read from its text and executed row by row."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from amparo.evidence import Batch, Observation, cbor, checkpoint, cose, export, record
from amparo.evidence.grant import Request
from amparo.evidence.record import Header, RecordType
from amparo.evidence.report import CODES, Severity
from amparo.evidence.rows import VaultRows, read_vault
from amparo.evidence.verify_export import verify_export
from amparo.seal import SealSuite, generate

from .forge import Forge, Rec
from .scene import Scene, cut, edited, grant_changed, manifest_of, reseal, rewrite
from .simulator import START_S, World, fill, observation

SPEC = Path(__file__).parents[2] / "docs" / "evidence-format.md"


def table(title: str) -> dict[str, list[str]]:
    """Rows of the specification's table whose first heading is ``title``: attack to cells."""
    lines = SPEC.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {title} |"))
    rows = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        assert name not in rows, name
        rows[name] = [cell or cells[0] for cell in cells]
    return rows


VAULT, EXPORT = table("attack on a vault"), table("attack on an export")


@dataclass
class Attacked:
    """A vault's rows after an attack, and what its holders have."""

    rows: VaultRows
    witness: Sequence[bytes]
    parties: Sequence[Any]
    log_id: bytes


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return Scene(tmp_path_factory.mktemp("matrix"))


def records_changed(scene, change: Callable[[list], Any]) -> VaultRows:
    records = list(scene.rows.records)
    return replace(scene.rows, records=change(records) or records)


def points_changed(scene, change: Callable[[list], Any]) -> VaultRows:
    points = list(scene.rows.checkpoints)
    return replace(scene.rows, checkpoints=change(points) or points)


def reordered(records):
    (a, ha, ba), (b, hb, bb) = records[3], records[4]
    records[3], records[4] = (a, hb, bb), (b, ha, ba)


def put(records, place, **changes):
    seq, header, body = records[place]
    records[place] = (seq, changes.get("header", header), changes.get("body", body))


def newest(scene, blob_of):
    return points_changed(scene, lambda p: [*p[:-1], (*p[-1][:2], blob_of(p[-1][2]))])


def low_order(blob):
    protected, kid, payload, _ = cbor.decode(blob)
    return cbor.encode([protected, kid, payload, bytes([1]) + bytes(63)])


def with_tombstone(folder):
    """Not an attack: what expires leaves a tombstone, which every key and head agrees with."""
    world, attacked, _ = small_vault(folder / "expired")
    with world.open() as vault:
        world.clock.now_s += 91 * 24 * 3600
        assert vault.expire() == 4
        attacked.witness = [*attacked.witness, vault.head().checkpoint]
    attacked.rows = read_vault(world.path)
    return attacked


def key_replaced(scene):
    forge, seed = Forge(scene), bytes([7]) * 32
    opening = next(r for r in forge.records if r.header.type is RecordType.SEG_OPEN and r.header.seg == 1)
    opening.seed = seed
    forge.reopen(1, public=cose.public_of(seed))
    for pt in forge.points:
        if pt.point.seg == 1:
            pt.seed = seed
    return forge.rows()


def set_back(scene):
    forge = Forge(scene)
    forge.points[3].point = replace(forge.points[3].point, tree_size=forge.points[2].point.tree_size - 1)
    return forge.rows()


def spliced(scene, folder):
    other = World(folder / "other")
    other.folder.mkdir()
    with other.create() as vault:
        fill(vault, 5)
    record_of_other = read_vault(other.path).records[4]
    return records_changed(scene, lambda r: r.__setitem__(4, record_of_other))


def small_vault(folder):
    """A vault with one open segment of a few records, its head and the newest secrets."""
    folder.mkdir(exist_ok=True)
    world = World(folder)
    with world.create() as vault:
        fill(vault, 4)
        head, seed, log_id = vault.head(), vault._log.tip.seed, vault.log_id
    parties = [world.keys["child"], world.keys["trustee"]]
    return world, Attacked(read_vault(world.path), [head.checkpoint], parties, log_id), seed


def open_rewritten(folder):
    _, attacked, seed = small_vault(folder / "open")
    attacked.rows = rewrite(attacked, 3, seed)
    return attacked


def rolled_back(folder, *, grows):
    world, attacked, _ = small_vault(folder / "back")
    shutil.copy(world.path, folder / "older")
    storage = world.storage.copy()
    with world.open() as vault:
        fill(vault, 3)
        attacked.witness = [vault.head().checkpoint]
    shutil.copy(folder / "older", world.path)
    if grows:  # the thief took the device's keys too, mark included
        thief = replace(world, storage=storage)
        with World.open(thief) as vault:
            vault.commit(Batch(observations=[observation(vault, "another")] * 5))
    attacked.rows = read_vault(world.path)
    return attacked


def logged(scene, *kinds):
    forge = Forge(scene, scene.rows_after)
    for number, kind in enumerate(kinds):
        body = {0: 1, 1: bytes(32), 2: ["child", "guardian"]}
        if kind is RecordType.EXPORT:
            body = {0: 1, 1: bytes(32), 2: bytes([number]) * 16, 3: [bytes(32)], 4: 1, 5: 1}
        forge.add(kind, cbor.encode(body))
    return forge.rows()


def ordered_without_approval(scene):
    forge = Forge(scene)
    body = cbor.encode({0: 1, 1: [[3, 3]], 2: "requested", 3: 1})
    forge.add(RecordType.TOMBSTONE, body)
    return forge.rows()


def made_up(scene, folder):
    _, attacked, _ = small_vault(folder / "madeup")
    return Attacked(attacked.rows, scene.witness()[:2], scene.parties, scene.log_id)


HEAD = 2  # a checkpoint in the middle
VAULT_ATTACKS: dict[str, Callable[[Scene, Path], VaultRows | Attacked]] = {
    "cut at the end, checkpoints left": lambda s, _: records_changed(s, lambda r: r[:-1]),
    "cut at the end between checkpoints": lambda s, _: cut(s.rows, s.heads[HEAD].tree_size - 1),
    "cut exactly at a checkpoint": lambda s, _: cut(s.rows, s.heads[HEAD].tree_size),
    "all checkpoints removed": lambda s, _: replace(s.rows, checkpoints=[]),
    "a checkpoint dropped": lambda s, _: points_changed(s, lambda p: p[:2] + p[3:]),
    "records reordered": lambda s, _: records_changed(s, reordered),
    "record duplicated": lambda s, _: records_changed(s, lambda r: r[:5] + r[4:]),
    "record dropped": lambda s, _: records_changed(s, lambda r: r[:5] + r[6:]),
    "segment dropped": lambda s, _: records_changed(
        s, lambda r: [x for x in r if Header.decode(x[1]).seg != 1]
    ),
    "record spliced from another log": spliced,
    "body changed": lambda s, _: records_changed(
        s, lambda r: put(r, 3, body=r[3][2][:-1] + bytes([r[3][2][-1] ^ 1]))
    ),
    "header changed": lambda s, _: records_changed(s, lambda r: put(r, 3, header=edited(r[3][1], 8))),
    "body removed without a tombstone": lambda s, _: records_changed(s, lambda r: put(r, 3, body=None)),
    "body removed with a tombstone": lambda _, folder: with_tombstone(folder),
    "closed segment rewritten, current key": lambda s, _: rewrite(s, 3, s.tip.seed),
    "open segment rewritten": lambda _, folder: open_rewritten(folder),
    "older record signed with a newer key": lambda s, _: points_changed(
        s,
        lambda p: p.__setitem__(
            1,
            (*p[1][:2], replace(checkpoint.peek(p[1][2]), seg=s.tip.seg).sign(s.tip.seed)[0]),
        ),
    ),
    "segment's key replaced": lambda s, _: key_replaced(s),
    "whole log made up": made_up,
    "rollback of the file": lambda _, folder: rolled_back(folder, grows=False),
    "rollback of the file, then new records": lambda _, folder: rolled_back(folder, grows=True),
    "checkpoint set back": lambda s, _: set_back(s),
    "other algorithm or type in a signature": lambda s, _: newest(
        s, lambda blob: cose.sign(s.tip.seed, "manifest", cose.peek(blob))
    ),
    "small-order point in a signature": lambda s, _: newest(s, low_order),
    "sealed share replaced": lambda s, _: replace(
        s.rows, shares={**s.rows.shares, 1: tuple(reversed(s.rows.shares[1]))}
    ),
    "grant used twice": lambda s, _: logged(s, RecordType.GRANT, RecordType.EXPORT, RecordType.EXPORT),
    "export without a grant": lambda s, _: logged(s, RecordType.EXPORT),
    "tombstone on request without approvals": lambda s, _: ordered_without_approval(s),
}


def agrees(cell: str, report) -> bool:
    """Whether a report says what a cell of the table says."""
    if cell == "nothing":
        return report.failed() == ()
    codes = set(re.split(r", ", cell))
    assert codes <= set(CODES), cell
    assert any(CODES[code][1] is Severity.ERROR for code in codes)
    return codes <= report.codes() and report.failed() != ()


def test_the_tables_and_the_attacks_have_the_same_rows():
    assert list(VAULT) == list(VAULT_ATTACKS)
    assert list(EXPORT) == list(EXPORT_ATTACKS)
    named = {
        code for rows in (VAULT, EXPORT) for cells in rows.values() for c in cells for code in c.split(", ")
    }
    assert named - set(CODES) == {"nothing"}


@pytest.mark.parametrize("name", VAULT)
def test_attack_on_a_vault(scene, tmp_path, name):
    made = VAULT_ATTACKS[name](scene, tmp_path)
    if not isinstance(made, Attacked):
        # heads as the guardian has them; for a log that goes on after the scene, those that still fit
        sizes = len(scene.rows.records)
        heads = [h for h in scene.witness() if checkpoint.peek(h).tree_size <= sizes]
        made = Attacked(made, heads, scene.parties, scene.log_id)
    alone, outside, keys = VAULT[name]
    for cell, options in (
        (alone, {}),
        (outside, {"witness": made.witness}),
        (keys, {"party_keys": made.parties}),
    ):
        report = scene.verify(made.rows, log_id=made.log_id, **options)
        assert agrees(cell, report), (name, cell, report.to_text())


# --- the export -----------------------------------------------------------------------------------------


def clear(scene, change):
    """The clear header changed, everything after it left."""
    header, _, end = export.read_header(scene.data)
    raw = change(header).encode()
    return b"AMX1" + len(raw).to_bytes(4, "big") + raw + scene.data[end:]


def stripped(scene):
    header, _, end = export.read_header(scene.data)
    raw = edited(header.encode(), 3, [])
    return b"AMX1" + len(raw).to_bytes(4, "big") + raw + scene.data[end:]


def items_changed(change):
    def attack(scene):
        items = list(export.open_export(scene.data, scene.agency).items)
        place = next(n for n, i in enumerate(items) if i.record_key is not None)
        return reseal(scene, items=change(items, place))

    return attack


def item(items, place, **changes):
    return [*items[:place], replace(items[place], **changes), *items[place + 1 :]]


def forged(**how):
    return lambda scene: Forge(scene, scene.rows_after).export(**how)


def without_secret(scene):
    forge = Forge(scene, scene.rows_after)
    rec = forge.find(RecordType.OBSERVATION)
    rec.header, rec.keep = replace(rec.header, mac=bytes(32)), {"mac"}
    return forge.export()


def to_another_text(scene):
    """A key under which the body would give other words: the commitment refuses it."""
    return items_changed(lambda items, n: item(items, n, record_key=bytes(32)))(scene)


def beyond_the_grant(scene):
    forge = Forge(scene, scene.rows_after)
    seq = forge.records[-1].header.seq + 1
    said = Observation(conversation_ref=bytes(16), direction="contact", content="beyond")
    body = record.encode_observation(said, recorded_s=START_S, boot_id=bytes(16), sdk_version="0")
    last = forge.records[-1].header
    header = replace(last, type=RecordType.OBSERVATION, seq=seq)
    forge.records.append(Rec(seq, header, b"", plain=body))
    forge.points[-1].point = replace(forge.points[-1].point, tree_size=seq + 1)
    chosen = {r.header.seq for r in forge.records if r.header.type is RecordType.OBSERVATION}
    return forge.export(chosen=chosen)


def sealed_to_a_stranger(scene):
    """The whole file, manifest included, made for another key than the grant's."""
    stranger = generate(SealSuite.S2_XWING)
    data = reseal(
        scene,
        recipient_kids=(stranger.recipient.kid,),
        stanzas=lambda key, h: (key.seal_to(stranger.recipient, h.export_id, h.grant_hash),),
    )
    return data, stranger


def stranger_asks(scene):
    other = World(scene.world.folder / "stranger")
    return Forge(scene, scene.rows_after).export(
        manifest=lambda m: replace(m, request=other.request().signed)
    )


EXPORT_ATTACKS: dict[str, Callable[[Scene], Any]] = {
    "cut": lambda s: s.data[:-20],
    "recipient stripped": stripped,
    "recipient added": lambda s: clear(
        s, lambda h: replace(h, stanzas=(*h.stanzas, (bytes(32), h.suite, bytes(1152))))
    ),
    "clear header edited": lambda s: clear(s, lambda h: replace(h, export_id=bytes(16))),
    "recipients of different strength": lambda s: clear(
        s, lambda h: replace(h, stanzas=(*h.stanzas, (bytes(32), int(SealSuite.S1_X25519), b"")))
    ),
    "sealed again to another key": sealed_to_a_stranger,
    "manifest by another key": reseal,
    "manifest of another file": forged(manifest=lambda m: replace(m, export_id=bytes(16))),
    "record left out": items_changed(lambda items, n: items[:n] + items[n + 1 :]),
    "record changed": items_changed(lambda items, n: item(items, n, header=edited(items[n].header, 5))),
    "record written without the segment's secret": without_secret,
    "body opened with another key to another text": to_another_text,
    "salt of another record": items_changed(lambda items, n: item(items, n, salt=items[n + 1].salt)),
    "record beyond the grant": beyond_the_grant,
    "other recipient than granted": forged(manifest=lambda m: replace(m, recipient_kids=(bytes(32),))),
    "grant out of its time": forged(manifest=lambda m: replace(m, created_s=m.created_s + 10**8)),
    "approved by one party": forged(manifest=lambda m: replace(m, approvals=m.approvals[:1])),
    "request of no listed agency": stranger_asks,
    "grant of another log": lambda s: Forge(s, s.rows_after).export(
        manifest=lambda m: replace(m, grant=grant_changed(s, log_id=bytes(32)))
    ),
    "export that the log does not know": lambda s: Forge(s, s.rows_after).export(
        items=lambda items: [i for i in items if Header.decode(i.header).type is not RecordType.EXPORT]
    ),
    "whole log made up": lambda s: (s.data, None, bytes(32)),
}


@pytest.mark.parametrize("name", EXPORT)
def test_attack_on_an_export(scene, name):
    made = EXPORT_ATTACKS[name](scene)
    data, key, pin = (*made, None, None)[:3] if isinstance(made, tuple) else (made, None, None)
    without, with_key = EXPORT[name]
    report = verify_export(data, log_id=pin or scene.log_id)
    assert agrees(without, report), (name, report.to_text())
    report = verify_export(data, key=key or scene.agency, log_id=pin or scene.log_id)
    assert agrees(with_key, report), (name, report.to_text())


def test_untouched(scene):
    report = verify_export(scene.data, key=scene.agency, log_id=scene.log_id)
    assert report.failed() == ()
    assert Request.read(manifest_of(scene).request, scene.world.keys["agency"].party.sign_public)
