"""Replay the vectors' conversations through the SDK on whatever processor runs this; print the answers.

Usage: replay.py VECTORS BUNDLE. Runs under emulation, so it needs the SDK and its four packages alone.
"""

from __future__ import annotations

import gzip
import json
import platform
import sys
from pathlib import Path

import onnxruntime

from amparo import DEVELOPMENT_KEY, Message
from amparo.conversation import Conversation, Model


def main(vectors: str, bundle: str) -> None:
    """One JSON line for each conversation: ids, languages, risks, tiers, cues of each message."""
    model = Model.load(Path(bundle), [DEVELOPMENT_KEY])  # runs the canaries on this processor
    where = {"machine": platform.machine(), "onnxruntime": onnxruntime.__version__}
    with gzip.open(vectors, "rt") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        conversation = Conversation(model, row["profile"], row["language"])
        answers = []
        for said in row["messages"]:
            reading = conversation.read(Message(said["sender"], said["text"], said["sentAt"]))
            answers.append(
                {
                    "ids": model.tokenizer.encode(said["text"]), "language": conversation.language_index,
                    "tier": int(reading.tier), "seen": sorted(reading.seen),
                    "scores": [reading.risk, *(float(v) for v in reading.cues)],
                }
            )  # fmt: skip
        certain = [expected["certain"] for expected in row["expect"]]
        print(json.dumps({"id": row["id"], "certain": certain, "answers": answers, **where}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
