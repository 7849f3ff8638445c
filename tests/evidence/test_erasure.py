"""Expiry and tombstones: what is erased is gone for everybody, and the log says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from amparo.errors import ConsentError
from amparo.evidence import Batch, ErasureOrder, approve_erasure, bulk, erasure, record, segment
from amparo.evidence.rows import read_vault
from amparo.evidence.verify import verify_vault
from amparo.evidence.verify_export import open_and_verify

from .simulator import fill, observation

DAY_S = 24 * 3600


def test_old_records_expire_and_the_rest_is_released(world):
    with world.create() as vault:
        fill(vault, 4)
        world.clock.now_s += 91 * DAY_S
        vault.commit(Batch(observations=[observation(vault, "new")]))
        assert vault.expire() == 4 and vault.expire() == 0
        request = world.request(until_s=int(world.clock()) + 10, valid_until_s=int(world.clock()) + 1000)
        package = vault.prepare_grant(request.signed, world.directory.signed)
        data = vault.export(package.grant.grant_id, world.approve(package, "child", "trustee"))
        log_id = vault.log_id
    report = verify_vault(read_vault(world.path), log_id=log_id)
    assert report.failed() == () and sum(f.code == "ERASED" for f in report.findings) == 4
    report, records = open_and_verify(data, key=world.keys["agency"].seal_key, log_id=log_id)
    assert report.failed() == () and [r.recorded.observation.content for r in records] == ["new"]


def test_held_released_and_granted_records_stay(world):
    with world.create() as vault:
        other = vault.conversation_ref("c2")
        vault.commit(Batch(observations=[observation(vault, "released")]))
        package = vault.prepare_grant(world.request().signed, world.directory.signed)
        vault.export(package.grant.grant_id, world.approve(package, "child", "trustee"))
        vault.commit(Batch(observations=[observation(vault, "held", conversation_ref=other)]))
        assert vault.hold([other]) == 1 and vault.hold([other]) == 0
        vault.commit(Batch(observations=[observation(vault, "free")]))
        world.clock.now_s += 91 * DAY_S
        assert vault.expire() == 1
        assert vault.hold([other], held=False) == 1 and vault.expire() == 1
        assert [a.held for a in vault._log.asides()] == [True]


def test_an_erased_record_stays_closed_to_the_parties_and_the_old_keys(world):
    with world.create() as vault:
        fill(vault, 2)
        before, old_keys = read_vault(world.path), world.storage.copy()
        old_asides = list(vault._log.asides())
        world.clock.now_s += 91 * DAY_S
        vault.expire()
        assert vault._log._key_ids["salts"] not in old_keys.keys
    data = world.path.read_bytes()
    body = before.records[2][2]
    assert body not in data and not any(a.salt in data for a in old_asides)
    # with both parties' shares and the old body, but without the salt, nothing opens
    opened = segment.SegmentOpen.decode(before.records[1][2])
    log_id = vault.log_id
    shares = {
        i: segment.open_share(log_id, opened, i, world.keys[r].seal_key, before.shares[0][i])
        for i, r in enumerate(("child", "guardian"))
    }
    ratchet = segment.Ratchet.start(segment.combine(opened, shares)).step().step()
    header = record.Header.decode(before.records[2][1])
    assert record.unpad(
        bulk.decrypt(record.body_key(ratchet.record_key(), old_asides[0].salt), header.context(), body)
    )
    with pytest.raises(bulk.DecryptError):
        bulk.decrypt(record.body_key(ratchet.record_key(), bytes(32)), header.context(), body)


def test_a_grant_over_erased_records_finds_nothing(world):
    with world.create() as vault:
        fill(vault, 2)
        world.clock.now_s += 91 * DAY_S
        vault.expire()
        with pytest.raises(ConsentError):
            vault.prepare_grant(
                world.request(valid_until_s=int(world.clock()) + 10).signed, world.directory.signed
            )


def test_a_tombstone_excuses_only_what_it_names(world):
    with world.create() as vault:
        fill(vault, 3)
        world.clock.now_s += 91 * DAY_S
        vault.expire()
        vault.commit(Batch(observations=[observation(vault)]))
    rows = read_vault(world.path)
    records = list(rows.records)
    records[-1] = (*records[-1][:2], None)
    report = verify_vault(replace(rows, records=records))
    assert "MISSING" in report.codes() and report.failed() == ("erasure",)


def ordered(world, vault, *roles):
    order = vault.prepare_erasure([vault.conversation_ref("c1")])
    return order, [approve_erasure(order, world.keys[r], log_id=vault.log_id) for r in roles]


def test_two_parties_erase_on_request_and_the_verifier_sees_who(world):
    with world.create() as vault:
        fill(vault, 3)
        other = vault.conversation_ref("c2")
        vault.commit(Batch(observations=[observation(vault, "stays", conversation_ref=other)]))
        order, approvals = ordered(world, vault, "child", "trustee")
        assert ErasureOrder.decode(order.raw) == order
        for few in ([], approvals[:1], approvals[:1] * 2):
            with pytest.raises(ConsentError):
                vault.erase(order, few)
        assert vault.erase(order, approvals) == 3
        assert [a.ref for a in vault._log.asides()] == [other]
        with pytest.raises(ConsentError, match="no record"):
            vault.erase(order, approvals)
        log_id = vault.log_id
    rows = read_vault(world.path)
    report = verify_vault(rows, log_id=log_id)
    assert report.failed() == () and sum(f.code == "ERASED" for f in report.findings) == 3


def test_held_or_granted_records_cannot_be_ordered_away(world):
    with world.create() as vault:
        fill(vault, 2)
        order, approvals = ordered(world, vault, "child", "guardian")
        vault.hold([vault.conversation_ref("c1")])
        for attempt in (lambda: vault.erase(order, approvals), lambda: ordered(world, vault)):
            with pytest.raises(ConsentError, match="held"):
                attempt()
        vault.hold([vault.conversation_ref("c1")], held=False)
        vault.prepare_grant(world.request().signed, world.directory.signed)
        with pytest.raises(ConsentError, match="open grant"):
            vault.erase(order, approvals)
        with pytest.raises(ConsentError, match="another log"):
            approve_erasure(order, world.keys["child"], log_id=bytes(32))


@pytest.mark.parametrize("flaw", ["one approval", "none", "other log", "wider than ordered", "malformed"])
def test_a_requested_tombstone_without_its_approvals_fails(world, flaw):
    with world.create() as vault:
        fill(vault, 3)
        order, approvals = ordered(world, vault, "child", "trustee")
        more = {4: order.raw, 5: [list(p) for p in approvals]}
        numbers = [a.seq for a in vault._log.asides()]
        if flaw == "one approval":
            more[5] = more[5][:1]
        elif flaw == "none":
            more = {}
        elif flaw == "other log":
            foreign = ErasureOrder.decode(replace(order, log_id=bytes(32)).encode())
            signed = [approve_erasure(foreign, world.keys[r], log_id=bytes(32)) for r in ("child", "trustee")]
            more = {4: foreign.raw, 5: [list(p) for p in signed]}
        elif flaw == "wider than ordered":
            narrow = ErasureOrder.decode(replace(order, ranges=((numbers[0], numbers[0]),)).encode())
            signed = [
                approve_erasure(narrow, world.keys[r], log_id=vault.log_id) for r in ("child", "trustee")
            ]
            more = {4: narrow.raw, 5: [list(p) for p in signed]}
        else:
            more[5] = [1]
        erasure._erase(vault._log, numbers, [], "requested", more)
        log_id = vault.log_id
    report = verify_vault(read_vault(world.path), log_id=log_id)
    assert "TOMBSTONE_APPROVAL" in report.codes() and "erasure" in report.failed()
