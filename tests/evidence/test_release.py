"""Request, grant, approvals, export: two parties release, one never does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from amparo.errors import AmparoError, ConsentError, SealError, SignatureError
from amparo.evidence import (
    Agency,
    Approval,
    Batch,
    Directory,
    Package,
    PartyKey,
    Withdrawal,
    approve,
    cbor,
    consent,
    export,
    release,
    withdraw,
)
from amparo.evidence.grant import Grant
from amparo.evidence.rows import read_vault
from amparo.evidence.verify import verify_vault
from amparo.evidence.verify_export import open_and_verify, verify_export
from amparo.seal import SealSuite

from .simulator import CANARY, START_S, World, alert, fill, observation

PAIRS = [("child", "guardian"), ("child", "trustee"), ("guardian", "trustee")]


@pytest.fixture
def vault(world):
    with world.create() as vault:
        vault.commit(
            Batch(observations=[observation(vault, f"text {n}") for n in range(5)], alert=alert(vault))
        )
        yield vault


def package_of(world, vault) -> Package:
    return Package.decode(vault.prepare_grant(world.request().signed, world.directory.signed).encode())


@pytest.mark.parametrize("roles", PAIRS)
def test_every_two_parties_release(world, vault, roles):
    data = world.export(vault, *roles)
    report, records = open_and_verify(data, key=world.keys["agency"].seal_key, log_id=vault.log_id)
    assert report.failed() == () and "NOT_CHECKED" not in report.verdicts.values()
    assert [r.recorded.observation.content for r in records] == [f"text {n}" for n in range(5)]
    assert report.facts["agency"] == "Test Police"


@pytest.mark.parametrize("suite", list(SealSuite))
def test_two_of_two_without_a_trustee(tmp_path, suite):
    world = World(tmp_path, suite=suite, trustee=False)
    with world.create() as vault:
        fill(vault, 2)
        data = world.export(vault)
        report = verify_export(data, key=world.keys["agency"].seal_key, log_id=vault.log_id)
    assert report.failed() == ()
    assert ("WEAK_PQ" in report.codes()) == (suite is SealSuite.S1_X25519)


@pytest.mark.parametrize("role", ["child", "guardian", "trustee"])
def test_one_approval_alone_never_exports(world, vault, role):
    package = package_of(world, vault)
    (one,) = world.approve(package, role)
    for approvals in ([], [one], [one, one]):
        with pytest.raises(ConsentError):
            vault.export(package.grant.grant_id, approvals)


def test_one_partys_share_does_not_rebuild_a_secret_even_without_the_checks(world, vault):
    package = package_of(world, vault)
    (one,) = world.approve(package, "guardian")
    twin = replace(one, role="child")
    _, one_time, _ = release._load_pending(vault._log, package.grant.grant_id)
    for approvals in ([one], [one, twin], [twin]):
        with pytest.raises(ConsentError):
            consent.recover(package.genesis, package.grant, package.opens[0][0], approvals, one_time)


def test_a_forged_second_approval_is_refused(world, vault):
    package = package_of(world, vault)
    (one,) = world.approve(package, "guardian")
    forger = PartyKey.generate("child")
    forged = replace(one, role="child")
    from amparo.evidence import cose

    signed = replace(
        forged, signature=cose.sign(forger.sign_seed, "approval", package.grant.raw, detached=True)
    )
    for second in (forged, signed, replace(signed, role="agency"), replace(signed, shares={})):
        with pytest.raises(ConsentError):
            vault.export(package.grant.grant_id, [one, second])


def test_shares_of_another_grant_do_not_fit(world, vault):
    first, second = package_of(world, vault), package_of(world, vault)
    a, b = world.approve(first, "child", "guardian")
    c, d = world.approve(second, "child", "guardian")
    with pytest.raises(ConsentError):
        vault.export(first.grant.grant_id, [replace(a, shares=c.shares), replace(b, shares=d.shares)])
    with pytest.raises(ConsentError):
        vault.export(second.grant.grant_id, [a, b])


def test_a_grant_is_used_once(world, vault):
    package = package_of(world, vault)
    approvals = world.approve(package, "child", "trustee")
    vault.export(package.grant.grant_id, approvals)
    with pytest.raises(ConsentError):
        vault.export(package.grant.grant_id, approvals)


def test_a_grant_ends(world, vault):
    package = package_of(world, vault)
    approvals = world.approve(package, "child", "trustee")
    world.clock.now_s = package.grant.expires_s
    with pytest.raises(ConsentError):
        vault.export(package.grant.grant_id, approvals)
    with pytest.raises(ConsentError):
        world.approve(package, "child")


def test_a_release_works_after_a_restart_and_with_later_records(world):
    with world.create() as vault:
        fill(vault, 2)
        package = vault.prepare_grant(world.request().signed, world.directory.signed)
    with world.open() as vault:
        fill(vault, 3)
        data = vault.export(package.grant.grant_id, world.approve(package, "child", "trustee"))
        _, records = open_and_verify(data, key=world.keys["agency"].seal_key)
    assert len(records) == 2


def test_only_the_period_and_the_conversations_asked_for(world, vault):
    world.clock.now_s += 100
    other = vault.conversation_ref("c2")
    vault.commit(Batch(observations=[observation(vault, "other", conversation_ref=other)]))
    request = world.request(from_s=START_S + 50)
    package = vault.prepare_grant(request.signed, world.directory.signed)
    data = vault.export(package.grant.grant_id, world.approve(package, "child", "trustee"))
    report, records = open_and_verify(data, key=world.keys["agency"].seal_key)
    assert [r.recorded.observation.content for r in records] == ["other"] and not report.failed()
    package = vault.prepare_grant(world.request().signed, world.directory.signed, conversations=[other])
    assert sum(b - a + 1 for a, b in package.grant.scope) == 1
    with pytest.raises(ConsentError):
        vault.prepare_grant(world.request(from_s=START_S + 500).signed, world.directory.signed)


def test_an_agency_outside_the_directory_gets_nothing(world, vault):
    stranger = World(world.folder / "none")
    with pytest.raises(ConsentError):
        vault.prepare_grant(stranger.request().signed, world.directory.signed)
    with pytest.raises(SignatureError):
        vault.prepare_grant(stranger.request().signed, stranger.directory.signed)


def test_a_directory_by_another_key_or_out_of_date_is_refused(world, vault):
    invented = Directory.sign(
        world.keys["guardian"],
        [Agency("Invented", world.keys["agency"].party)],
        issued_s=0,
        expires_s=1 << 40,
    )
    with pytest.raises(SignatureError):
        vault.prepare_grant(world.request().signed, invented.signed)
    world.clock.now_s = START_S + 10**7
    with pytest.raises(ConsentError):
        vault.prepare_grant(world.request().signed, world.directory.signed)


def test_approvers_refuse_packages_that_do_not_fit(world, vault):
    package, grant = package_of(world, vault), package_of(world, vault).grant
    child, log_id = world.keys["child"], vault.log_id

    def regrant(**changes):
        return replace(package, grant=Grant.decode(replace(grant, raw=b"", **changes).encode()))

    stranger = PartyKey.generate("agency")
    bad = [
        regrant(scope=((0, 10_000),)),
        regrant(recipient_kid=stranger.party.recipient.kid),
        regrant(request_hash=bytes(32)),
        regrant(purpose="other"),
        regrant(log_id=bytes(32)),
        regrant(policy_hash=bytes(32)),
        regrant(segments=(0, 1)),
        replace(package, notices={**package.notices, "bn": "harmless"}),
        replace(package, opens=()),
        replace(package, request=world.request(purpose="other").signed),
        replace(package, opens=((package.opens[0][0], package.opens[0][1][::-1]),)),
    ]
    for changed in bad:
        with pytest.raises(ConsentError):
            approve(changed, child, log_id=log_id, now_s=START_S)
    for key, pin in ((child, bytes(32)), (PartyKey.generate("child"), log_id), (stranger, log_id)):
        with pytest.raises(ConsentError):
            approve(package, key, log_id=pin, now_s=START_S)


def test_a_wrong_share_names_its_author(world, vault):
    package = package_of(world, vault)
    a, b = world.approve(package, "child", "trustee")
    from amparo.seal import seal

    blob = seal(package.grant.exporter, consent.release_context(package.grant, 0, "trustee"), bytes(64))
    with pytest.raises(ConsentError, match="commitment of its party"):
        vault.export(package.grant.grant_id, [a, replace(b, shares={0: blob})])


def test_the_export_opens_with_the_agencys_key_only(world, vault):
    data = world.export(vault)
    for role in ("child", "guardian", "trustee", "directory"):
        with pytest.raises(SealError):
            export.open_export(data, world.keys[role].seal_key)
    assert "SEALED" in verify_export(data, key=world.keys["child"].seal_key).codes()


def test_without_keys_only_the_header_is_checked(world, vault):
    report = verify_export(world.export(vault))
    assert {str(v) for a, v in report.verdicts.items() if a != "confidentiality"} == {"NOT_CHECKED"}


@pytest.mark.parametrize("part", [Package, Approval, Grant])
def test_hostile_bytes_give_typed_errors(part):
    for raw in (
        b"",
        b"\xff",
        cbor.encode({0: 1}),
        cbor.encode([1]),
        cbor.encode({0: 2, 1: b""}),
        b"\xa1" * 500,
    ):
        with pytest.raises(AmparoError):
            part.decode(raw)


def test_text_and_keys_never_lie_in_the_clear(world):
    """Promise 1: file, journal, package, approvals, export, report, reprs, errors."""
    with world.create() as vault:
        ref = vault.conversation_ref(CANARY)
        obs = observation(vault, CANARY, conversation_ref=ref)
        batch = Batch(
            observations=[obs], states={ref: CANARY.encode()}, alert=alert(vault, lambda h: b"sealed")
        )
        vault.commit(batch)
        package = vault.prepare_grant(world.request().signed, world.directory.signed)
        approvals = world.approve(package, "child", "trustee")
        data = vault.export(package.grant.grant_id, approvals)
        files = [p.read_bytes() for p in world.folder.iterdir() if p.is_file()]
        shown = [
            repr(x) for x in (obs, batch, vault, package, approvals, list(vault.outbox()), vault._log.tip)
        ]
    opened = export.open_export(data, world.keys["agency"].seal_key)
    report, records = open_and_verify(data, key=world.keys["agency"].seal_key)
    shown += [report.to_json(), report.to_text(), repr(opened), repr(records)]
    shown += [verify_vault(read_vault(world.path)).to_json(), repr(world.keys)]
    secrets = [key.sign_seed for key in world.keys.values()] + [
        key.seal_key.secret for key in world.keys.values()
    ]
    for blob in [
        *files,
        package.encode(),
        *(a.encode() for a in approvals),
        data,
        *(s.encode() for s in shown),
    ]:
        assert CANARY.encode() not in blob and CANARY.encode("utf-16-le") not in blob
        assert not any(s in blob or s.hex().encode() in blob or repr(s).encode() in blob for s in secrets)


def test_the_text_is_bound_in_every_language_and_shown_in_the_persons(world: World) -> None:
    with world.create() as vault:
        fill(vault, 3)
        package = vault.prepare_grant(world.request(purpose="investigation").signed, world.directory.signed)
    assert len(package.notices) == 11 and len(set(package.notices.values())) == 11
    for lang, text in package.notices.items():
        assert (
            package.notice(lang) == text and "Test Police" in text and "42/2027" in text and "{" not in text
        )
    assert package.notice("pt-BR") == package.notices["pt"] and package.notice("sv") == package.notices["en"]
    assert Package.decode(package.encode()).notices == dict(package.notices)


def test_an_approval_taken_back_no_longer_counts(world: World) -> None:
    with world.create() as vault:
        fill(vault, 3)
        package = vault.prepare_grant(world.request().signed, world.directory.signed)
        approvals = world.approve(package, "child", "guardian", "trustee")
        for forged in (
            withdraw(package.grant, world.keys["guardian"]),
            replace(withdraw(package.grant, world.keys["child"]), grant_id=bytes(16)),
        ):
            with pytest.raises(ConsentError):
                vault.withdraw(replace(forged, role="child"))
        vault.withdraw(Withdrawal.decode(withdraw(package.grant, world.keys["child"]).encode()))
        for roles in ((0, 1), (0, 2), (0, 1, 2)):
            with pytest.raises(ConsentError, match="taken"):
                vault.export(package.grant.grant_id, [approvals[i] for i in roles])
        assert vault.export(package.grant.grant_id, approvals[1:])  # the other two are enough
        with pytest.raises(ConsentError, match="used already"):
            vault.withdraw(withdraw(package.grant, world.keys["guardian"]))


def narrowed(world, package, role, scope):
    log_id = package.genesis.log_id()
    return approve(package, world.keys[role], log_id=log_id, now_s=int(world.clock()), scope=scope)


def test_the_narrowest_scope_wins_and_the_verifier_sees_it(world: World) -> None:
    with world.create() as vault:
        fill(vault, 6)
        package = vault.prepare_grant(world.request().signed, world.directory.signed)
        ((first, last),) = package.grant.scope
        mine = narrowed(world, package, "child", [(first, first + 3)])
        theirs = narrowed(world, package, "guardian", [(first + 2, last)])
        assert Approval.decode(mine.encode()) == mine
        data = vault.export(package.grant.grant_id, [mine, theirs])
        log_id = vault.log_id
    report, records = open_and_verify(data, key=world.keys["agency"].seal_key, log_id=log_id)
    assert report.failed() == () and [r.seq for r in records] == [first + 2, first + 3]


def test_a_scope_beyond_the_grant_or_of_somebody_else_is_refused(world: World) -> None:
    with world.create() as vault:
        fill(vault, 4)
        package = vault.prepare_grant(world.request().signed, world.directory.signed)
        ((first, last),) = package.grant.scope
        for scope in ([(first, last + 1)], [(0, 1)], [], [(first + 1, first)]):
            with pytest.raises(ConsentError):
                narrowed(world, package, "child", scope)
        mine, theirs = (
            narrowed(world, package, "child", [(first, first)]),
            world.approve(package, "guardian")[0],
        )
        other = narrowed(world, package, "guardian", [(last, last)])
        with pytest.raises(ConsentError, match="nothing is left"):
            vault.export(package.grant.grant_id, [mine, other])
        forged = replace(mine, narrow=replace(other.narrow, role="child"))
        with pytest.raises(ConsentError, match="not by a party"):
            vault.export(package.grant.grant_id, [forged, theirs])
        assert vault.export(package.grant.grant_id, [mine, theirs])  # the grant was not spent by the refusals


def test_a_record_beyond_an_approvers_scope_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.create() as vault:
        fill(vault, 4)
        package = vault.prepare_grant(world.request().signed, world.directory.signed)
        ((first, _),) = package.grant.scope
        mine, theirs = (
            narrowed(world, package, "child", [(first, first)]),
            world.approve(package, "guardian")[0],
        )
        with monkeypatch.context() as patched:  # a device that does not heed it
            patched.setattr(consent, "allowed", lambda *_: package.grant.covers)
            data = vault.export(package.grant.grant_id, [mine, theirs])
        log_id = vault.log_id
    report, _ = open_and_verify(data, key=world.keys["agency"].seal_key, log_id=log_id)
    assert "GRANT_SCOPE" in report.codes() and "consent" in report.failed()
