"""Exports with one failure each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from amparo.evidence import Directory, bulk, cbor, consent, cose, export
from amparo.evidence import grant as grants
from amparo.evidence.directory import Agency
from amparo.evidence.export import ExportHeader, FileKey, Manifest
from amparo.evidence.grant import Grant, Request
from amparo.evidence.record import RecordType

from .. import independent as ref
from ..forge import Forge
from ..scene import Scene, edited
from ..simulator import START_S
from .case import KEYS, Case
from .fixed import Stream

OBS = RecordType.OBSERVATION


def framed(raw: bytes) -> bytes:
    return export.MAGIC + len(raw).to_bytes(4, "big") + raw


@dataclass
class Exports:
    """Makes the cases of one scene."""

    scene: Scene
    stream: Stream

    def forge(self) -> Forge:
        """A fresh forge of the log with its export in it."""
        self.stream.restart("export")
        return Forge(self.scene, self.scene.rows_after)

    def case(
        self, name: str, expect: str, comment: str, data: bytes, *, key: str = "agency", **head: object
    ) -> Case:
        """An export; read with the agency's key and the log_id unless ``head`` says otherwise."""
        fields = {"key": key, "log-id": self.scene.log_id.hex(), **head}
        return Case(
            name=f"export_{name}", expect=frozenset(expect.split()), kind="export", comment=comment, body=data,
            head={k: (v,) if isinstance(v, str) else tuple(v) for k, v in fields.items() if v},  # type: ignore[call-overload]
        )  # fmt: skip

    def plain(self) -> bytes:
        return self.forge().export()

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.sound()

    # --- the file ---------------------------------------------------------------------------------------

    def sound(self) -> Iterator[Case]:
        yield self.case("ok", "success", "as a device makes it", self.plain())
        yield self.case(
            "ok_without_key", "success", "only the clear header can be read", self.plain(), key=""
        )
        yield self.case("ok_suite_2", "success", "sealed to an X-Wing key", self.to_suite_2(), key="agency2")
        yield self.case("ok_narrowed", "success", "one party allowed fewer records", self.narrowed())

    def header(self, change: Callable[[ExportHeader, FileKey], ExportHeader]) -> bytes:
        """The clear header changed under its own MAC."""
        return self.forge().export(header=change)

    def payload(self, change: Callable[[bytes], bytes]) -> bytes:
        """What was sealed, changed by the device."""
        data = self.plain()
        header, framed_header, end = export.read_header(data)
        key = FileKey(self._file_secret(header))
        context = export._stream_context(framed_header[8:])
        plain = bulk.decrypt(key.payload_key, context, data[end + 32 :])
        salt = data[end + 32 : end + 56]
        return data[: end + 32] + ref.cobblestone256(key.payload_key, salt, context, change(plain))

    def _file_secret(self, header: ExportHeader) -> bytes:
        agency = KEYS["agency"].seal_key
        context = export.export_context(header.export_id, header.grant_hash, agency.recipient.kid)
        return export.open_sealed(agency, context, header.stanzas[0][2])

    # --- the manifest -----------------------------------------------------------------------------------

    def manifest(self, change: Callable[[Manifest], Manifest], **how: object) -> bytes:
        return self.forge().export(manifest=change, **how)

    # --- items and segments -----------------------------------------------------------------------------

    def reopened(self, seg: int, **changes: object) -> Forge:
        forge = self.forge()
        forge.reopen(seg, **changes)
        return forge

    # --- records ----------------------------------------------------------------------------------------

    def chosen(self, forge: Forge) -> set[int]:
        return {r.header.seq for r in forge.records if r.header.type is OBS}

    def scope(self, forge: Forge) -> tuple[tuple[int, int], ...]:
        return grants.ranges_of(sorted(self.chosen(forge)))

    # --- consent ----------------------------------------------------------------------------------------

    def regrant(
        self, forge: Forge, *, roles: Sequence[str] = ("child", "trustee"), keys: dict[str, str] | None = None,
        request: Request | None = None, directory: bytes | None = None, resign: bool = True, **changes: object,
    ) -> Callable[[Manifest], Manifest]:  # fmt: skip
        """Another grant, approved anew and noted in the log."""
        old = self.sent()
        grant = Grant.decode(old.grant)
        if request is not None:
            changes = {"request_hash": request.digest(), "purpose": request.purpose, **changes}
        scope = changes.get("scope", grant.scope)
        if "notice_hash" not in changes:
            asked = request or Request.read(old.request, KEYS["agency"].party.sign_public)
            agency = Agency("Test Police", KEYS["agency"].party)
            count = sum(b - a + 1 for a, b in scope)  # type: ignore[union-attr]
            expires = changes.get("expires_s", grant.expires_s)
            texts = grants.notices(asked, agency, count=count, expires_s=expires)  # type: ignore[arg-type]
            changes = {**changes, "notice_hash": grants.notice_hash(texts)}
        raw = replace(grant, raw=b"", **changes).encode()  # type: ignore[arg-type]
        digest = Grant.decode(raw).digest()
        for kind in (RecordType.GRANT, RecordType.EXPORT):
            rec = forge.find(kind)
            rec.body = edited(rec.body or b"", 1, digest)
        approvals = tuple(
            (r, cose.sign(KEYS[(keys or {}).get(r, r)].sign_seed, "approval", raw, detached=True))
            for r in roles
        )
        return lambda m: replace(
            m,
            grant=raw,
            approvals=approvals if resign else m.approvals,
            request=request.signed if request else m.request,
            directory=directory or m.directory,
        )

    def granted(self, **how: object) -> bytes:
        forge = self.forge()
        return forge.export(manifest=self.regrant(forge, **how))  # type: ignore[arg-type]

    def request(self, who: str = "agency", **changes: object) -> Request:
        fields = {
            "case_ref": "42/2027",
            "legal_basis": "order",
            "purpose": "investigation",
            "from_s": START_S,
            "until_s": START_S + 10**6,
            "valid_until_s": START_S + 10**6,
            **changes,
        }
        return Request.sign(KEYS[who], **fields)  # type: ignore[arg-type]

    def sent(self) -> Manifest:
        """The manifest of the scene's own export."""
        return Manifest.decode(cose.peek(export.open_export(self.scene.data, self.scene.agency).manifest))

    def grant(self) -> Grant:
        return Grant.decode(self.sent().grant)

    def to_suite_2(self) -> bytes:
        """For an agency with an X-Wing key: directory, request, grant and seal follow it."""
        forge = self.forge()
        key = KEYS["agency2"]
        directory = Directory.sign(
            KEYS["directory"],
            [Agency("Test Police", key.party)],
            issued_s=START_S - 10,
            expires_s=START_S + 10**7,
        )
        kid = key.seal_key.recipient.kid
        make = self.regrant(
            forge, request=self.request("agency2"), directory=directory.signed, recipient_kid=kid
        )
        sent = forge.find(RecordType.EXPORT)
        sent.body = edited(sent.body or b"", 3, [kid])
        return forge.export(
            manifest=lambda m: replace(make(m), recipient_kids=(kid,)),
            header=lambda h, k: replace(
                h, suite=2, stanzas=(k.seal_to(key.seal_key.recipient, h.export_id, h.grant_hash),)
            ),
        )

    # --- scope, custody, heads --------------------------------------------------------------------------

    def sign_as(self, role: str, typ: str, payload: bytes) -> bytes:
        return cose.sign(KEYS[role].sign_seed, typ, payload, detached=True)

    def narrow(
        self,
        m: Manifest,
        role: str,
        scope: Sequence[tuple[int, int]],
        *,
        key: str | None = None,
        raw: bytes | None = None,
    ) -> consent.Narrow:
        raw = raw or cbor.encode({0: 1, 1: Grant.decode(m.grant).digest(), 2: [list(r) for r in scope]})
        return consent.Narrow(role=role, raw=raw, signature=self.sign_as(key or role, "narrow", raw))

    def narrowed(self) -> bytes:
        forge = self.forge()
        first = min(self.chosen(forge))
        return forge.export(
            chosen={first},
            manifest=lambda m: replace(m, narrows=(self.narrow(m, "child", [(first, first)]),)),
        )
