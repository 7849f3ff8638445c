"""Every parser of bytes that strangers send, with bytes to start from: for hypothesis and for atheris.

A target takes any bytes and returns, or raises an `AmparoError`; anything else is a fault.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from amparo import DEVELOPMENT_KEY, shipped_bundle
from amparo.alert import Alert, open_alert
from amparo.bundle import FILES, MANIFEST, SIGNATURE, parse_manifest, read_bundle, verify_signature
from amparo.bundle import verify as verify_bundle
from amparo.errors import AmparoError
from amparo.evidence import (
    Approval,
    Directory,
    ErasureOrder,
    Package,
    Party,
    Request,
    Withdrawal,
    bulk,
    cbor,
    checkpoint,
    consent,
    cose,
    export,
    record,
    segment,
)
from amparo.evidence.chain import Tip
from amparo.evidence.export import ExportHeader, FileKey, Manifest
from amparo.evidence.genesis import Genesis
from amparo.evidence.grant import Grant, find_request
from amparo.evidence.heads import read_heads
from amparo.evidence.pages import Pages
from amparo.evidence.report import Collector
from amparo.evidence.rows import read_vault
from amparo.evidence.salvage import read_damaged
from amparo.evidence.verify import verify_vault
from amparo.evidence.verify_export import open_and_verify
from amparo.importers import parse_export, parse_telegram, read_batch, read_export
from amparo.language import LanguageIdentifier
from amparo.seal import open_sealed
from amparo.tokenizer import Charsmap, TokenizerTable

from .testkit.case import FILES as KIT
from .testkit.case import KEYS, load

Target = Callable[[bytes], object]
SEED = KEYS["agency"].sign_seed
PUBLIC = KEYS["agency"].party.sign_public


def body(name: str) -> bytes:
    """The bytes of a file of the testkit."""
    return load(KIT / name).body


def in_file(read: Callable[[Path], object]) -> Target:
    """A target that takes a path."""

    def target(data: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_bytes(data)
            return read(path)

    return target


def cbor_both_ways(data: bytes) -> None:
    assert cbor.encode(cbor.decode(data)) == data


def cbor_sequence(data: bytes) -> None:
    at = 0
    while at < len(data):
        _, after = cbor.decode_first(data, at)
        assert after > at
        at = after


def signed(typ: str, data: bytes) -> bytes:
    """Any payload under a good signature, so that what follows the signature is reached."""
    return cose.sign(SEED, typ, data)


OPENED = export.open_export(body("export_ok"), KEYS["agency"].seal_key)
HEADER, FRAMED, END = export.read_header(body("export_ok"))
SECRET = open_sealed(
    KEYS["agency"].seal_key,
    export.export_context(HEADER.export_id, HEADER.grant_hash, HEADER.stanzas[0][0]),
    HEADER.stanzas[0][2],
)
MANIFEST_PAYLOAD = cose.peek(OPENED.manifest)


def export_with(plain: bytes) -> bytes:
    """An export that opens to any bytes."""
    stream = bulk.encrypt(FileKey(SECRET).payload_key, export._stream_context(FRAMED[8:]), plain)
    return body("export_ok")[: END + 32] + stream


def verify_export(data: bytes) -> None:
    report, records = open_and_verify(data, key=KEYS["agency"].seal_key, log_id=bytes(32), witness=[data])
    assert report.to_json() and report.to_text() and isinstance(records, list)


def verify_content(plain: bytes) -> None:
    verify_export(export_with(plain))


def verify_manifest(payload: bytes) -> None:
    items = b"".join(item.encode() for item in OPENED.items)
    verify_content(cose.sign(SEED, "manifest", payload) + items)


def verify_item(data: bytes) -> None:
    verify_content(OPENED.manifest + data)


def verify_observation(plain: bytes) -> None:
    record.decode_observation(record.unpad(record.pad(plain)))


def verify_rows(data: bytes) -> None:
    """Rows of a vault with bytes from outside in every column, by turns."""
    for place in range(4):
        records, points = list(ROWS.records), list(ROWS.checkpoints)
        shares, genesis = dict(ROWS.shares), ROWS.genesis
        if place == 0:
            records[2] = (2, data, records[2][2])
        elif place == 1:
            for n, (seq, header, _) in enumerate(records):
                records[n] = (seq, header, data)
        elif place == 2:
            points[-1] = (*points[-1][:2], data)
        else:
            shares, genesis = {0: (data, data, data)}, data
        rows = replace(ROWS, records=records, checkpoints=points, shares=shares, genesis=genesis)
        report = verify_vault(
            rows, log_id=bytes(32), witness=[data], party_keys=[KEYS["child"], KEYS["guardian"]]
        )
        assert report.failed()


def kit_rows():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vault"
        path.write_bytes(body("vault_ok_after_export"))
        return read_vault(path)


ROWS = kit_rows()
OPENING = next(b for _, _, b in ROWS.records[1:2])
DIRECTORY = Directory.read(body("directory_ok"), KEYS["directory"].party.sign_public)
GENESIS = Genesis.decode(body("genesis_ok"))
GRANT = Grant.decode(body("grant_ok"))


def vault_file(path: Path) -> None:
    report = verify_vault(read_vault(path), witness=[path.read_bytes()])
    assert report.to_json()


def tombstone(data: bytes) -> None:
    from amparo.evidence.checks import check_grant_records, tombstone
    from amparo.evidence.record import RecordType

    out = Collector()
    tombstone(data, 10, GENESIS, out)
    check_grant_records([(RecordType.GRANT, 1, data), (RecordType.EXPORT, 2, data)], out)


def share(data: bytes) -> None:
    opened = segment.SegmentOpen.decode(OPENING or b"")
    segment.combine(opened, {0: data, 1: data})


def narrow(data: bytes) -> None:
    consent.Narrow(role="child", raw=data, signature=b"").ranges(GRANT)


def bundle_parts() -> dict[str, bytes]:
    folder = shipped_bundle()
    return {name: (folder / name).read_bytes() for name in (MANIFEST, SIGNATURE, *FILES)}


PARTS = bundle_parts()


def bundle_with(data: bytes) -> None:
    verify_bundle({**PARTS, MANIFEST: data}, [DEVELOPMENT_KEY])


def charsmap(data: bytes) -> None:
    Charsmap(data).longest_prefix(b"abc\xc3\xa9", 0)


def language(data: bytes) -> None:
    LanguageIdentifier.from_bytes(data).evidence("abc")


def tokens(data: bytes) -> None:
    TokenizerTable.from_bytes(data)


def batch(data: bytes) -> None:
    for found in read_batch(io.BytesIO(data), max_line_bytes=1 << 16):
        repr(found)


def pages(data: bytes) -> None:
    for _ in Pages(data).cells():
        pass


SMALL_LANGUAGE = LanguageIdentifier(
    labels=("en", "es"), weights=np.zeros((8, 2), np.int8), scale=0.5
).to_bytes()
SMALL_TABLE = TokenizerTable(
    pieces=("", "", "", "<unk>", "a", "b"), scores=(0.0,) * 6, control=frozenset({0, 1, 2}), bos=0, eos=2, unk=3,
    charsmap=b"\x04\x00\x00\x00" + bytes(4) + b"\x00",
).to_bytes()  # fmt: skip
WHATSAPP = b"12/03/2024, 21:14 - Ana: hello\n[12.03.24, 21:15:01] Leo: hi\n"
TELEGRAM = (
    b'{"name":"x","type":"personal_chat","id":1,"messages":[{"id":1,"type":"message","date":"2024-03-12T21:14:00",'
    b'"date_unixtime":"1710278040","from":"Ana","from_id":"user1","text":["a",{"type":"bold","text":"b"}]}]}'
)
BATCH = (
    b'{"id": "1", "lang": "en", "messages": [{"from": "contact", "text": "hi", "sent_at": "2024-03-12"}]}\n'
)
ZIP = (
    b"PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!\x00\xac*\x93\xd8\x02\x00\x00\x00\x02\x00\x00\x00\t\x00\x00\x00_chat.txthi"
    b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!\x00\xac*\x93\xd8\x02\x00\x00\x00\x02\x00\x00\x00\t\x00\x00\x00"
    b"\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00_chat.txtPK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x007\x00\x00\x00)\x00\x00\x00\x00\x00"
)


@dataclass(frozen=True)
class Fuzzed:
    """A target and what to start from."""

    call: Target
    seeds: tuple[bytes, ...]


def signed_payload(name: str) -> bytes:
    return cbor.decode(body(name))[2]


TARGETS: dict[str, Fuzzed] = {
    "cbor": Fuzzed(cbor_both_ways, (body("grant_ok"), body("cbor_nested"), body("cbor_text_map"))),
    "cbor_sequence": Fuzzed(cbor_sequence, (b"\x01\x02\x03", body("heads_ok")[5:])),
    "cose": Fuzzed(lambda d: cose.verify(d, "request", PUBLIC), (body("request_ok"), body("directory_ok"))),
    "checkpoint": Fuzzed(checkpoint.peek, (body("checkpoint_ok"),)),
    "checkpoint_payload": Fuzzed(checkpoint.Checkpoint.decode, (signed_payload("checkpoint_ok"),)),
    "heads": Fuzzed(in_file(read_heads), (body("heads_ok"), body("heads_one"))),
    "genesis": Fuzzed(Genesis.decode, (body("genesis_ok"),)),
    "header": Fuzzed(record.Header.decode, (ROWS.records[2][1], ROWS.records[0][1])),
    "opening": Fuzzed(segment.SegmentOpen.decode, (OPENING or b"",)),
    "observation": Fuzzed(verify_observation, (record.unpad(body("observation_whole")),)),
    "padding": Fuzzed(record.unpad, (body("observation_ok"),)),
    "tombstone": Fuzzed(tombstone, tuple(b for _, _, b in ROWS.records[-2:] if b)),
    "share": Fuzzed(share, (bytes(64),)),
    "directory": Fuzzed(lambda d: Directory.read(signed("directory", d), PUBLIC), (signed_payload("directory_ok"),)),
    "request": Fuzzed(lambda d: find_request(d, DIRECTORY, now_s=1), (body("request_ok"),)),
    "request_payload": Fuzzed(lambda d: Request.read(signed("request", d), PUBLIC), (signed_payload("request_ok"),)),
    "grant": Fuzzed(Grant.decode, (body("grant_ok"),)),
    "package": Fuzzed(Package.decode, (body("package_ok"),)),
    "approval": Fuzzed(Approval.decode, (body("approval_ok"), body("approval_narrow"))),
    "narrow": Fuzzed(narrow, (cbor.encode({0: 1, 1: GRANT.digest(), 2: [[2, 2]]}),)),
    "withdrawal": Fuzzed(Withdrawal.decode, (body("withdrawal_ok"),)),
    "order": Fuzzed(ErasureOrder.decode, (body("order_ok"),)),
    "key_line": Fuzzed(lambda d: Party.from_line(d.decode("utf-8", "replace")), (body("key_line_ok"),)),
    "tip": Fuzzed(Tip.decode, (cbor.encode(dict.fromkeys(range(13), 1)),)),
    "sealed_1": Fuzzed(lambda d: open_sealed(KEYS["agency"].seal_key, b"", d), (body("sealed_1_ok"),)),
    "sealed_2": Fuzzed(lambda d: open_sealed(KEYS["agency2"].seal_key, b"", d), (body("sealed_2_ok"),)),
    "bulk": Fuzzed(lambda d: bulk.decrypt(bytes(32), b"testkit", d), (body("bulk_ok"),)),
    "export": Fuzzed(verify_export, (body("export_ok"),)),
    "export_header": Fuzzed(ExportHeader.decode, (FRAMED[8:],)),
    "export_content": Fuzzed(verify_content, (OPENED.manifest + OPENED.items[0].encode(),)),
    "export_item": Fuzzed(verify_item, (OPENED.items[2].encode(), OPENED.items[1].encode())),
    "manifest": Fuzzed(Manifest.decode, (MANIFEST_PAYLOAD,)),
    "manifest_verified": Fuzzed(verify_manifest, (MANIFEST_PAYLOAD,)),
    "rows": Fuzzed(verify_rows, (ROWS.records[2][1], OPENING or b"", ROWS.checkpoints[1][2])),
    "vault_file": Fuzzed(in_file(vault_file), (body("vault_ok"),)),
    "salvage": Fuzzed(in_file(read_damaged), (body("vault_ok"),)),
    "pages": Fuzzed(pages, (body("vault_ok"),)),
    "alert": Fuzzed(Alert.from_bytes, (b'{"v":1,"id":"00","tier":2,"families":[],"part_of_day":"night","language":"en","chain_head":""}',)),
    "alert_sealed": Fuzzed(lambda d: open_alert(KEYS["child"].seal_key, d), (body("sealed_1_ok"),)),
    "bundle_manifest": Fuzzed(parse_manifest, (PARTS[MANIFEST],)),
    "bundle_signature": Fuzzed(lambda d: verify_signature(b"", d, [DEVELOPMENT_KEY]), (PARTS[SIGNATURE],)),
    "bundle_parts": Fuzzed(bundle_with, (PARTS[MANIFEST],)),
    "bundle_file": Fuzzed(in_file(lambda p: read_bundle(p, [DEVELOPMENT_KEY])), (ZIP,)),
    "tokenizer": Fuzzed(tokens, (SMALL_TABLE,)),
    "charsmap": Fuzzed(charsmap, (b"\x04\x00\x00\x00" + bytes(4) + b"\x00",)),
    "language": Fuzzed(language, (SMALL_LANGUAGE,)),
    "import": Fuzzed(parse_export, (WHATSAPP, TELEGRAM)),
    "import_telegram": Fuzzed(lambda d: parse_telegram(d.decode("utf-8", "replace")), (TELEGRAM,)),
    "import_file": Fuzzed(in_file(read_export), (ZIP, WHATSAPP, TELEGRAM)),
    "batch": Fuzzed(batch, (BATCH,)),
}  # fmt: skip


def run(name: str, data: bytes) -> None:
    """Give a target bytes; whatever it raises but an `AmparoError` comes out."""
    try:
        TARGETS[name].call(data)
    except AmparoError as error:
        assert error.code and error.advice and str(error)
