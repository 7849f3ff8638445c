"""What other tools read: CASE/UCO JSON-LD of an opened export, and a draft of CyberTipline fields.

Source: CASE 1.4.0 and UCO 1.4.0 (caseontology.org, unifiedcyberontology.org); NCMEC's CyberTipline
reporting API. Both describe a reading copy; the sealed file stays the evidence. Nothing is sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from .report import Report
from .verify_export import OpenedRecord

CONTEXT = {
    "kb": "http://example.org/kb/",
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
    "uco-core": "https://ontology.unifiedcyberontology.org/uco/core/",
    "uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
    "uco-tool": "https://ontology.unifiedcyberontology.org/uco/tool/",
    "uco-types": "https://ontology.unifiedcyberontology.org/uco/types/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
Node = dict[str, Any]


def case_graph(records: Sequence[OpenedRecord], report: Report, sdk_version: str, now_s: int) -> Node:
    """The records of an export that verified, as a CASE/UCO graph; the same input gives the same names.

    Args:
        report: of the export; its hash names the file that the messages come from.
        now_s: when the reading copy was made, seconds since the epoch.
    """
    names = _Names(report.sha256)
    file, tool, action = names("File", ""), names("Tool", ""), names("InvestigativeAction", "")
    messages = [_message(names, r) for r in records]
    refs = sorted({r.recorded.observation.conversation_ref for r in records})
    accounts = [node for ref in refs for node in _accounts(names, ref)]
    threads = [_thread(names, ref, [r for r in records if _ref(r) == ref]) for ref in refs]
    made: list[Node] = [
        {
            "@id": file, "@type": "uco-observable:File",
            "uco-core:hasFacet": [_sha256(names("ContentDataFacet", ""), report.sha256)],
        },
        {"@id": tool, "@type": "uco-tool:Tool", "uco-core:name": "amparo", "uco-tool:version": sdk_version},
        {
            "@id": action, "@type": "case-investigation:InvestigativeAction",
            "uco-core:name": "opened and verified a sealed export",
            "uco-core:description": _verdicts(report),
            "uco-action:instrument": [{"@id": tool}],
            "uco-action:object": [{"@id": file}],
            "uco-action:result": [{"@id": node["@id"]} for node in messages],
            "uco-action:startTime": _time(now_s),
        },
    ]  # fmt: skip
    everything = [*made, *accounts, *threads, *messages]
    bundle = {
        "@id": names("Bundle", ""), "@type": "uco-core:Bundle",
        "uco-core:description": "Reading copy. The log proves what the SDK recorded, not who wrote it.",
        "uco-core:object": [{"@id": node["@id"]} for node in everything],
    }  # fmt: skip
    return {"@context": CONTEXT, "@graph": [bundle, *everything]}


def cybertipline_draft(records: Sequence[OpenedRecord], report: Report) -> Node:
    """Fields of NCMEC's CyberTipline that this export can fill, for a person to check; never sent.

    Type of incident, names and ages are left to the person: the log does not prove them.
    """
    times = [r.recorded.observation.sent_at or r.recorded.recorded_s for r in records]
    return {
        "draft": "to be completed and sent by a person with the duty or right to report; nothing was sent",
        "report": {
            "incidentSummary": {
                "incidentType": None,
                "incidentDateTime": _iso(min(times)) if times else None,
                "incidentDateTimeDescription": "first recorded message; clock of the device",
            },
            "internetDetails": [
                {
                    "chatImIncident": {
                        "chatClient": None,
                        "content": "\n".join(_line(r) for r in records),
                        "additionalInfo": f"{len(records)} messages of the period granted, in order",
                    }
                }
            ],
            "personOrUserReported": {"espIdentifier": None},
            "victim": None,
            "additionalInfo": f"Sealed export SHA-256 {report.sha256}. {_verdicts(report)}",
        },
    }


class _Names:
    """Names by kind and what they name, ending in a UUID as CASE wants, stable for one export."""

    def __init__(self, sha256: str) -> None:
        self._space = uuid.uuid5(uuid.NAMESPACE_URL, f"urn:sha256:{sha256}")

    def __call__(self, kind: str, what: str) -> str:
        return f"kb:{kind}-{uuid.uuid5(self._space, f'{kind} {what}')}"


def _ref(opened: OpenedRecord) -> bytes:
    return opened.recorded.observation.conversation_ref


def _accounts(names: _Names, ref: bytes) -> list[Node]:
    return [
        {
            "@id": names("ApplicationAccount", f"{ref.hex()} {side}"),
            "@type": "uco-observable:ApplicationAccount",
            "uco-core:description": f"{side} of conversation {ref.hex()}",
        }
        for side in ("contact", "child")
    ]


def _message(names: _Names, opened: OpenedRecord) -> Node:
    obs, seq = opened.recorded.observation, str(opened.seq)
    sides = ("contact", "child") if obs.direction == "contact" else ("child", "contact")
    sender, receiver = (names("ApplicationAccount", f"{obs.conversation_ref.hex()} {s}") for s in sides)
    facet: Node = {
        "@id": names("MessageFacet", seq),
        "@type": "uco-observable:MessageFacet",
        "uco-observable:from": {"@id": sender},
        "uco-observable:to": [{"@id": receiver}],
        "uco-observable:messageText": obs.content.encode("utf-8", "replace").decode("utf-8"),
    }
    if obs.sent_at is not None:
        facet["uco-observable:sentTime"] = _time(int(obs.sent_at))
    facets = [facet, *(_attachment(names, seq, n, a.sha256) for n, a in enumerate(obs.attachments))]
    return {
        "@id": names("Message", seq), "@type": "uco-observable:Message",
        "uco-core:name": f"record {seq}",
        "uco-core:description": f"recorded {_iso(opened.recorded.recorded_s)}; risk {obs.risk} of 1000, tier "
        f"{obs.tier}, model {obs.model_version}",
        "uco-core:hasFacet": facets,
    }  # fmt: skip


def _attachment(names: _Names, seq: str, number: int, sha256: bytes) -> Node:
    return _sha256(names("ContentDataFacet", f"{seq} {number}"), sha256.hex())


def _thread(names: _Names, ref: bytes, records: Sequence[OpenedRecord]) -> Node:
    return {
        "@id": names("MessageThread", ref.hex()), "@type": "uco-observable:MessageThread",
        "uco-core:hasFacet": [
            {
                "@id": names("MessageThreadFacet", ref.hex()), "@type": "uco-observable:MessageThreadFacet",
                "uco-observable:participant": [{"@id": node["@id"]} for node in _accounts(names, ref)],
                "uco-observable:messageThread": {
                    "@id": names("Thread", ref.hex()), "@type": "uco-types:Thread",
                },
            }
        ],
        "uco-core:description": f"{len(records)} messages",
    }  # fmt: skip


def _sha256(name: str, value: str) -> Node:
    return {
        "@id": name, "@type": "uco-observable:ContentDataFacet",
        "uco-observable:hash": [
            {
                "@id": name.replace("ContentDataFacet", "Hash"), "@type": "uco-types:Hash",
                "uco-types:hashMethod": "SHA256",
                "uco-types:hashValue": {"@type": "xsd:hexBinary", "@value": value},
            }
        ],
    }  # fmt: skip


def _verdicts(report: Report) -> str:
    return ", ".join(f"{axis} {verdict}" for axis, verdict in report.to_dict()["verdicts"].items())


def _line(opened: OpenedRecord) -> str:
    obs = opened.recorded.observation
    text = obs.content.encode("utf-8", "replace").decode("utf-8")
    return f"[{_iso(obs.sent_at or opened.recorded.recorded_s)}] {obs.direction}: {text}"


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(int(time_s), UTC).isoformat().replace("+00:00", "Z")


def _time(time_s: int) -> Node:
    return {"@type": "xsd:dateTime", "@value": _iso(time_s)}
