"""The report of a verification: nine axes, findings with codes, and the words for a person. Never a bool."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

SPEC = "amparo evidence format, version 1"
AXES = (
    "authenticity", "integrity", "completeness", "order", "time", "custody", "consent",
    "confidentiality", "erasure",
)  # fmt: skip
ALWAYS = (
    "The log proves what this SDK recorded on one device, not who wrote a message.",
    "Times are the device's own clock unless a trusted time stamp is named.",
    "Conversations that were not flagged are not recorded, so their absence means nothing.",
)
MAX_FINDINGS_SHOWN = 200


class Verdict(enum.StrEnum):
    """What can be said of one axis."""

    PASS = "PASS"  # noqa: S105 - a verdict
    PASS_WITH_LIMITS = "PASS_WITH_LIMITS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    NOT_CHECKED = "NOT_CHECKED"


class Severity(enum.StrEnum):
    """ERROR fails the axis, LIMIT bounds what a pass means, INFO only tells."""

    ERROR = "error"
    LIMIT = "limit"
    INFO = "info"


E, L, I = Severity.ERROR, Severity.LIMIT, Severity.INFO  # noqa: E741 - columns of the table below
CODES: Mapping[str, tuple[str, Severity, str]] = MappingProxyType(
    {
        "GENESIS": ("authenticity", E, "The genesis is missing or malformed."),
        "WRONG_PIN": ("authenticity", E, "The log is not the one whose log_id was given."),
        "NO_PIN": ("authenticity", L, "No log_id from enrolment was given; anyone can make up a whole log."),
        "WRONG_LOG": ("authenticity", E, "A record belongs to another log."),
        "SEG_CERT": ("authenticity", E, "A segment's key is not certified by the segment before it."),
        "CP_SIG": ("authenticity", E, "A checkpoint is not signed by the key of its own segment."),
        "MANIFEST_SIG": ("authenticity", E, "The manifest is not signed by the key of the last segment."),
        "ALG_TYPE": ("authenticity", E, "A signature names another algorithm or type."),
        "LOWORDER": ("authenticity", E, "A signature or key is a small-order point."),
        "NONCANON": ("integrity", E, "Bytes do not follow the format in its only valid form."),
        "BODY_HASH": ("integrity", E, "A body is not the one its header names."),
        "SALT": ("integrity", E, "A salt is not the one its header names."),
        "SHARE_HASH": ("integrity", E, "A sealed share is missing or not the one its segment names."),
        "CP_ROOT": ("integrity", E, "The records do not give the root that a checkpoint signed."),
        "PROOF": ("integrity", E, "A record is not part of the tree that was signed."),
        "SEALED": ("integrity", E, "The file does not open with this key: not for it, changed or cut."),
        "DECRYPT": ("integrity", E, "A body does not open with its key, or is malformed inside."),
        "FS_MAC": ("integrity", E, "A header was not written with the segment's secret at its time."),
        "MAC_COMMIT": ("integrity", E, "A MAC key is not disclosed, or not the one committed to."),
        "SEK_COMMIT": ("integrity", E, "Shares do not give the secret that a segment committed to."),
        "NO_SHARES": ("integrity", L, "Without two parties' keys a rewrite of the open part is not seen."),
        "STORAGE_DAMAGE": ("integrity", E, "The file is damaged or not a vault."),
        "TRUNCATED": ("completeness", E, "A signed checkpoint covers more records than there are."),
        "RECORDS_MISSING": ("completeness", E, "Records are missing between those here, or at the end."),
        "SALVAGED": ("completeness", L, "The file was salvaged from a damaged one; it is no complete vault."),
        "UNSEALED_TAIL": ("completeness", E, "Records at the end are covered by no checkpoint."),
        "SEG_GAP": ("completeness", E, "A segment is missing."),
        "SEG_NOT_CLOSED": ("completeness", E, "A segment does not end with or as its closing record says."),
        "NO_CHECKPOINT": ("completeness", E, "There is no checkpoint."),
        "ANCHOR_TRUNCATED": ("completeness", E, "A head kept outside covers more records than there are."),
        "NO_WITNESS": ("completeness", L, "No head kept outside was given; a clean cut is not seen."),
        "ITEMS_MISSING": ("completeness", E, "Records that the grant or the manifest names are not there."),
        "SELECTIVE": ("completeness", L, "Only the records of the grant are here, not the whole log."),
        "SEQ": ("order", E, "A record's number is not its place."),
        "CHAIN": ("order", E, "A record does not follow the one before it."),
        "CP_CHAIN": ("order", E, "A checkpoint does not follow the one before it."),
        "CP_ROLLBACK": ("order", E, "A checkpoint covers fewer records than the one before it."),
        "ANCHOR_FORK": ("order", E, "A head kept outside is of another history: a rewrite."),
        "CONSISTENCY": ("order", E, "A consistency proof does not lead from one head to the other."),
        "HEAD_UNCOMPARED": ("order", L, "A head kept outside needs a consistency proof to be compared."),
        "TIME_CONFLICT": ("time", E, "Two signed notes of one moment give different times."),
        "DEVICE_CLOCK": ("time", L, "Times are the device's clock; no trusted time stamp is included."),
        "CLOCK_BACK": ("time", L, "The device's clock went back between two records."),
        "EXPORT_UNLOGGED": ("custody", E, "The log has no record of this export as it is."),
        "ROLLBACK_SUSPECTED": ("custody", L, "The log says its file was once older than the device knew."),
        "MARK_LOST": ("custody", L, "The log says the device's mark beside the file was once lost."),
        "AFTER_OPENING": ("custody", L, "What happens to the file from now on is for its holder to show."),
        "GRANT": ("consent", E, "The grant is malformed or of another log."),
        "GRANT_POLICY": ("consent", E, "The approvals of two different parties are not there."),
        "GRANT_REQUEST": ("consent", E, "The grant does not answer a request by a listed agency."),
        "GRANT_RECIPIENT": ("consent", E, "The file is sealed to another key than the grant names."),
        "GRANT_SCOPE": ("consent", E, "A record lies outside what was granted or asked for."),
        "GRANT_EXPIRED": ("consent", E, "The export was made outside the time of its grant."),
        "GRANT_REPLAY": ("consent", E, "One grant was used for more than one export."),
        "GRANT_UNLOGGED": ("consent", E, "The log holds an export without a grant before it."),
        "GRANT_UNSEEN": ("consent", L, "The vault has its grants by hash; the approvals lie in the exports."),
        "PQ_MIXED": ("confidentiality", E, "The recipients are of different strength."),
        "WEAK_PQ": ("confidentiality", L, "Sealed without protection against a later quantum computer."),
        "MISSING": ("erasure", E, "A body is gone without a tombstone."),
        "TOMBSTONE": ("erasure", E, "A tombstone is malformed or names what cannot be erased."),
        "TOMBSTONE_APPROVAL": ("erasure", E, "An erasure on request lacks two parties' approvals."),
        "ERASED": ("erasure", I, "A body was erased and the log says so."),
        "ERASED_ALONE": ("erasure", L, "The device erased what had expired, without two parties' order."),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing that was found; ``where`` names a position, never content."""

    code: str
    where: str = ""

    @property
    def axis(self) -> str:
        """The axis it belongs to."""
        return CODES[self.code][0]

    @property
    def severity(self) -> Severity:
        """How much it weighs."""
        return CODES[self.code][1]

    @property
    def text(self) -> str:
        """What it means, for a person."""
        return CODES[self.code][2]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The outcome of a verification.

    Args:
        subject: "vault" or "export".
        sha256: of the file as given.
        verdicts: by axis, all nine.
        facts: counts and ids that may be shown: no content.
    """

    subject: str
    sha256: str
    verdicts: Mapping[str, Verdict]
    findings: tuple[Finding, ...]
    steps: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def failed(self) -> tuple[str, ...]:
        """The axes that fail."""
        return tuple(axis for axis in AXES if self.verdicts[axis] is Verdict.FAIL)

    def codes(self) -> frozenset[str]:
        """The codes of all findings."""
        return frozenset(f.code for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "spec": SPEC, "subject": self.subject, "sha256": self.sha256, "facts": dict(self.facts),
            "verdicts": {axis: str(self.verdicts[axis]) for axis in AXES},
            "findings": [
                {
                    "code": f.code, "axis": f.axis, "severity": str(f.severity), "where": f.where,
                    "text": f.text,
                }
                for f in self.findings
            ],
            "steps": list(self.steps), "limits": list(ALWAYS),
        }  # fmt: skip

    def to_json(self) -> str:
        """The report as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_text(self) -> str:
        """The report for a person."""
        lines = [
            f"Verification of an evidence {self.subject}",
            f"File SHA-256: {self.sha256}",
            f"By: {SPEC}",
            "",
        ]
        lines += [f"{name.replace('_', ' ')}: {value}" for name, value in self.facts.items()]
        lines += ["", "Axis              Verdict"]
        lines += [f"{axis:<17} {self.verdicts[axis].replace('_', ' ')}" for axis in AXES]
        lines += ["", "Findings:" if self.findings else "Findings: none"]
        for f in self.findings[:MAX_FINDINGS_SHOWN]:
            lines.append(f"  [{f.severity}] {f.code}{' at ' + f.where if f.where else ''}: {f.text}")
        if len(self.findings) > MAX_FINDINGS_SHOWN:
            lines.append(f"  and {len(self.findings) - MAX_FINDINGS_SHOWN} more")
        lines += ["", "Steps done:", *(f"  {step}" for step in self.steps)]
        lines += ["", "What no verdict here says:", *(f"  {text}" for text in ALWAYS)]
        return "\n".join(lines) + "\n"


class Collector:
    """Gathers what the steps find. An axis nobody looked at stays NOT_CHECKED."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.steps: list[str] = []
        self.facts: dict[str, Any] = {}
        self._checked: set[str] = set()

    def step(self, title: str, *axes: str) -> None:
        """Begin a numbered step that looks at these axes."""
        self.steps.append(f"{len(self.steps) + 1}. {title}")
        self.check(*axes)

    def check(self, *axes: str) -> None:
        """Say that these axes are looked at, where a step can end before it gets there."""
        self._checked.update(axes)

    def find(self, code: str, where: str = "") -> None:
        """Note a finding; an error counts on its axis even when that was not to be checked."""
        finding = Finding(code, where)
        if finding.severity is Severity.ERROR:
            self._checked.add(finding.axis)
        self.findings.append(finding)

    def report(self, subject: str, sha256: str) -> Report:
        """The report over everything gathered."""
        return Report(
            subject=subject, sha256=sha256, findings=tuple(self.findings), steps=tuple(self.steps),
            verdicts={axis: self._verdict(axis) for axis in AXES}, facts=dict(self.facts),
        )  # fmt: skip

    def _verdict(self, axis: str) -> Verdict:
        if axis not in self._checked:
            return Verdict.NOT_CHECKED
        found = {f.severity for f in self.findings if f.axis == axis}
        if Severity.ERROR in found:
            return Verdict.FAIL
        return Verdict.PASS_WITH_LIMITS if Severity.LIMIT in found else Verdict.PASS
