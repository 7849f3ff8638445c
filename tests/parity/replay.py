"""Replay the vectors' conversations through the SDK on whatever processor runs this; print the answers.

Usage: replay.py VECTORS BUNDLE COUNT. Runs under emulation, so it needs the SDK and its four packages alone.
"""

from __future__ import annotations

import gzip
import json
import platform
import sys
from pathlib import Path

from amparo import DEVELOPMENT_KEY, Message
from amparo.conversation import Conversation, Model


def main(vectors: str, bundle: str, count: str) -> None:
    """One JSON line for each conversation: ids, risks, tiers, cues."""
    model = Model.load(Path(bundle), [DEVELOPMENT_KEY])  # runs the canaries on this processor
    with gzip.open(vectors, "rt") as file:
        rows = [json.loads(line) for line in file]
    for row in rows[:: max(1, len(rows) // int(count))]:
        conversation = Conversation(model, row["profile"], row["language"])
        ids, risks, tiers, cues = [], [], [], []
        for said in row["messages"]:
            reading = conversation.read(Message(said["sender"], said["text"], said["sentAt"]))
            ids.append(model.tokenizer.encode(said["text"]))
            risks.append(reading.risk)
            tiers.append(int(reading.tier))
            cues.append([float(v) for v in reading.cues])
        certain = [expected["certain"] for expected in row["expect"]]
        answer = {"id": row["id"], "certain": certain, "ids": ids, "risk": risks, "tier": tiers, "cues": cues}
        print(json.dumps({**answer, "machine": platform.machine()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
