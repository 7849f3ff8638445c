"""``amparo-corpus check [FILE ..]``, ``freeze``, ``kappa``, ``deck LANG [SEED]``."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from .agreement import report
from .check import check, near_duplicates, summary
from .deck import deal
from .format import ROOT, Conversation, CorpusError

CARDS = 36
FROZEN = ROOT / "test.sha256"


def test_part_digest() -> str:
    """SHA-256 over the test part: file names and bytes, sorted by name."""
    digest = hashlib.sha256()
    for file in sorted((ROOT / "test").glob("*.txt")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def main(arguments: list[str]) -> int:
    """Check the named files (default: all), freeze the test part, or deal a writer's cards."""
    if arguments == ["freeze"]:
        if FROZEN.exists():
            print(f"already frozen: {FROZEN.read_text().strip()}", file=sys.stderr)
            return 1
        FROZEN.write_text(test_part_digest() + "\n")
        return 0
    if arguments == ["kappa"]:
        print(report())
        return 0
    if arguments[:1] == ["deck"] and len(arguments) in (2, 3):
        print(*deal(arguments[1], CARDS, int((arguments[2:] or ["1"])[0])), sep="\n")
        return 0
    files = [Path(a) for a in arguments[1:]] or sorted(ROOT.glob("t*/*.txt"))
    failed = False
    everything: list[Conversation] = []
    for file in files:
        try:
            conversations, findings = check(file)
        except (CorpusError, OSError) as error:
            conversations, findings = [], [str(error)]
        everything += conversations
        failed = failed or bool(findings)
        print(f"{file.parent.name}/{file.name}\n{summary(conversations)}", *findings, sep="\n")
        _report_shortcut(conversations)
    if len(files) > 1:
        for lang in sorted({c.lang for c in everything}):
            both = [c for c in everything if c.lang == lang]
            across = [f for f in near_duplicates(both) if len({p[3:5] for p in f.split() if "-" in p}) == 2]
            print(*across, sep="\n", end="\n" if across else "")
            failed = failed or bool(across)
        print("all files")
        _report_shortcut(everything)
    return int(failed)


def _report_shortcut(conversations: list[Conversation]) -> None:
    if min(sum(c.grooming for c in conversations), sum(not c.grooming for c in conversations)) < 10:
        return
    try:
        from .shortcut import shortcut_auc
    except ImportError:
        print("shortcut AUC: not computed, scikit-learn is not installed")
        return
    print(f"shortcut AUC (surface counts alone, want < .62): {shortcut_auc(conversations):.3f}")


def run() -> int:
    """The console script ``amparo-corpus``."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
