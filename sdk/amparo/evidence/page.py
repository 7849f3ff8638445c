"""The report as one HTML page that prints: for a prosecutor, who has no terminal.

No script, nothing loaded from elsewhere, no colour that carries meaning.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence

from .._version import __version__
from .report import ALWAYS, AXES, MAX_FINDINGS_SHOWN, SPEC, Finding, Report, Severity, Verdict

QUESTIONS = {
    "authenticity": "Is this the log of the device that was enrolled, signed with its keys?",
    "integrity": "Are the records as they were written?",
    "completeness": "Is everything there that should be?",
    "order": "Do the records follow each other as they were written?",
    "time": "What is known of the times?",
    "custody": "What does the log itself say of how the file was kept and passed on?",
    "consent": "Did the parties agree to what was released, to whom and when?",
    "confidentiality": "Could anybody else read it on the way?",
    "erasure": "Is what was erased accounted for?",
}
"""What each axis asks, in the words of who reads the page."""
MEANINGS = {
    Verdict.PASS: "Checked; nothing speaks against it.",
    Verdict.PASS_WITH_LIMITS: "Checked; nothing speaks against it, within the limits named below.",
    Verdict.FAIL: "Checked; something speaks against it, named below.",
    Verdict.NOT_CHECKED: "Not checked, for lack of what it takes. Nothing is said either way.",
}
HEADINGS = {
    Severity.ERROR: "What speaks against it",
    Severity.LIMIT: "Limits of what was checked",
    Severity.INFO: "For information",
}
STYLE = """
@page { size: A4; margin: 18mm 16mm }
body { font: 11pt/1.45 Georgia, 'Times New Roman', serif; color: #000; background: #fff; max-width: 178mm;
       margin: 0 auto; padding: 1em }
h1 { font-size: 17pt; margin: 0 0 .3em } h2 { font-size: 13pt; margin: 1.4em 0 .4em; break-after: avoid }
table { border-collapse: collapse; width: 100% } thead { display: table-header-group }
th, td { border: 1px solid #555; padding: .3em .5em; text-align: left; vertical-align: top }
tr { break-inside: avoid } .mono { font: 9pt/1.4 monospace; overflow-wrap: anywhere }
.verdict { white-space: nowrap; font-weight: bold } .sign td { height: 2.6em }
@media print { body { padding: 0; max-width: none } }
"""


def to_html(report: Report, *, command: str = "") -> str:
    """The page.

    Args:
        command: as it was given, so that others can do the same.
    """
    parts = [
        f"<h1>Verification of an evidence {_text(report.subject)}</h1>",
        "<p>This page says what a program found in one file. It gives nine answers and no sum of them.</p>",
        _facts(report, command),
        "<h2>The nine answers</h2>",
        _table(("", "Question", "Answer", "That means"), (_verdict(report, axis) for axis in AXES)),
        *(_findings(report, severity) for severity in Severity),
        "<h2>What no answer here says</h2>",
        _list(ALWAYS),
        "<h2>Steps done</h2>",
        _list(step.partition(" ")[2] for step in report.steps),
        '<h2>Examined by</h2><table class="sign"><tbody><tr><td>Name, office</td><td>Place, date</td>'
        "<td>Signature</td></tr></tbody></table>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Verification of {_text(report.sha256[:16])}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _facts(report: Report, command: str) -> str:
    rows = [("File, SHA-256", report.sha256), ("By", f"{SPEC}; amparo {__version__}")]
    rows += [(name.replace("_", " "), str(value)) for name, value in report.facts.items()]
    rows += [("Command", command)] if command else []
    body = "".join(
        f'<tr><th>{_text(name)}</th><td class="mono">{_text(value)}</td></tr>' for name, value in rows
    )
    return f"<table><tbody>{body}</tbody></table>"


def _verdict(report: Report, axis: str) -> tuple[str, str, str, str]:
    verdict = report.verdicts[axis]
    return axis, QUESTIONS[axis], verdict.replace("_", " "), MEANINGS[verdict]


def _findings(report: Report, severity: Severity) -> str:
    found = [f for f in report.findings if f.severity is severity]
    if not found:
        return f"<h2>{HEADINGS[severity]}</h2><p>Nothing was found.</p>"
    rows = [(f.axis, f.code, _where(f), f.text) for f in found[:MAX_FINDINGS_SHOWN]]
    more = Counter(f.code for f in found[MAX_FINDINGS_SHOWN:])
    rest = "".join(f"<p>and {n} more of {code}</p>" for code, n in sorted(more.items()))
    return (
        f"<h2>{HEADINGS[severity]}</h2>{_table(('Concerns', 'Code', 'Where', 'What it means'), rows)}{rest}"
    )


def _where(finding: Finding) -> str:
    return finding.where or "the file"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose third column stands out when the first one is empty in the head."""
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    marked = 2 if not head[0] else -1
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="verdict">{_text(cell)}</td>' if n == marked else f"<td>{_text(cell)}</td>"
            for n, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _list(items: Iterable[str]) -> str:
    return "<ol>" + "".join(f"<li>{_text(item)}</li>" for item in items) + "</ol>"


def _text(value: str) -> str:
    return html.escape(value, quote=True)
