"""``amparo-export``: bundle, resign, ort, spec."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path

from amparo.errors import AmparoError

VALID_S = 2 * 365 * 86_400


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; an error is one line with advice and status 2."""
    parser = argparse.ArgumentParser(prog="amparo-export", description="Make the signed bundle.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    bundle = commands.add_parser("bundle", help="export, quantise, calibrate, sign")
    bundle.add_argument("--checkpoint", type=Path, required=True, help="folder made by `amparo-train run`")
    bundle.add_argument("--language", type=Path, required=True, help="file made by `amparo-train language`")
    bundle.add_argument(
        "--config", type=Path, required=True, help="the training config, for its held-out part"
    )
    bundle.add_argument("--data", type=Path, help="folder that the config's source paths are relative to")
    bundle.add_argument("--out", type=Path, required=True)
    bundle.add_argument("--version", required=True)
    bundle.add_argument("--created", type=int, default=None, help="seconds since the epoch (default now)")
    _signer_options(bundle)
    bundle.set_defaults(func=_bundle)
    resign = commands.add_parser("resign", help="sign an existing bundle with your own key")
    resign.add_argument("folder", type=Path)
    _signer_options(resign)
    resign.set_defaults(func=_resign)
    ort = commands.add_parser("ort", help="the graph in ONNX Runtime's own format, beside the bundle")
    ort.add_argument("folder", type=Path, help="a bundle")
    ort.add_argument("--out", type=Path, required=True)
    ort.set_defaults(func=_ort)
    spec = commands.add_parser("spec", help="constants, error codes and vectors that the ports are held to")
    spec.add_argument("bundle", type=Path)
    spec.add_argument("--out", type=Path, default=Path("mobile_bridge/spec"))
    spec.add_argument(
        "--typescript",
        type=Path,
        default=Path("mobile_bridge/typescript/src/generated.ts"),
        help="file to write",
    )
    spec.set_defaults(func=_spec)
    options = parser.parse_args(arguments)
    try:
        return int(options.func(options))
    except AmparoError as error:
        print(f"amparo-export: {error}\n{error.advice}", file=sys.stderr)
        return 2


def _signer_options(parser: argparse.ArgumentParser) -> None:
    from .bundle import DEVELOPMENT_KEY_FILE

    parser.add_argument("--key", type=Path, default=DEVELOPMENT_KEY_FILE, help="P-256 private key, PEM")
    parser.add_argument("--signer", default="amparo development key", help="name in the manifest")


def _bundle(options: argparse.Namespace) -> int:
    from amparo.message import CUES
    from amparo.runtime import OnnxRuntime
    from amparo.tokenizer import Tokenizer
    from amparo_training.checkpoint import load_model
    from amparo_training.config import load_config
    from amparo_training.errors import DataError
    from amparo_training.train import held_out

    from .bundle import BundleFacts, FileSigner, write_bundle
    from .calibrate import calibrate, confidence
    from .graph import GuardGraph, initial_thresholds
    from .parity import measure
    from .quantise import export_float, quantise, set_thresholds
    from .record import record

    if options.data is None:
        raise DataError("calibration needs everyday conversations; say where with --data")
    model, base = load_model(options.checkpoint)
    graph = GuardGraph(model, initial_thresholds()).eval()
    authored, everyday = held_out(load_config(options.config).data, options.data)
    tokenizer = Tokenizer(base.table)
    with tempfile.TemporaryDirectory() as temporary:
        floating, small = Path(temporary) / "float.onnx", Path(temporary) / "guard.onnx"
        export_float(graph, floating)
        quantise(floating, small)
        runtimes = [OnnxRuntime(path.read_bytes(), graph.state_size, threads=2) for path in (floating, small)]
        parity = measure(
            graph, runtimes[0], runtimes[1], tokenizer, authored[:: max(1, len(authored) // 120)]
        )
        recordings = list(record([*authored, *everyday], runtimes[1], tokenizer, graph.state_size))
        thresholds = calibrate(recordings, initial_thresholds())
        languages = confidence(recordings, thresholds)
        set_thresholds(small, GuardGraph(model, thresholds))
        created = options.created if options.created is not None else int(time.time())
        shortest = sorted(authored, key=lambda e: sum(map(len, e.texts)))[:3]
        names = ("contact", "child", "unknown")
        write_bundle(
            options.out,
            graph=small.read_bytes(),
            tokenizer=base.table.to_bytes(),
            language=options.language.read_bytes(),
            canary_texts=[
                [(names[s], t) for s, t in zip(e.senders, e.texts, strict=True)] for e in shortest
            ],
            thresholds=thresholds,
            state_size=graph.state_size,
            facts=BundleFacts(
                version=options.version, created=created, expires=created + VALID_S,
                languages=languages,
            ),
            signer=FileSigner(options.signer, options.key),
        )  # fmt: skip
    print(json.dumps({"parity": dataclasses.asdict(parity), "signs": len(CUES), "held_out": len(recordings),
                      "thresholds": thresholds.to_dict()}))  # fmt: skip
    return 0


def _resign(options: argparse.Namespace) -> int:
    from .bundle import FileSigner, resign

    signer = FileSigner(options.signer, options.key)
    resign(options.folder, signer)
    print(f"signed by {signer.name}; give Guard.open the key {signer.public_key()}")
    return 0


def _ort(options: argparse.Namespace) -> int:
    from .ort_format import write_ort

    for path in write_ort(options.folder / "guard.onnx", options.out):
        print(f"{path} {path.stat().st_size} bytes")
    return 0


def _spec(options: argparse.Namespace) -> int:
    from amparo import DEVELOPMENT_KEY
    from amparo.conversation import Model
    from amparo_training.conversations import from_authored
    from amparo_training.corpus import load

    from .flaws import write_flaws
    from .spec import write_spec

    model = Model.load(options.bundle, [DEVELOPMENT_KEY])
    examples = [from_authored(conversation) for conversation in load("train")]
    written = write_spec(model, examples, options.out, options.typescript)
    print(json.dumps({**written, "bundles": write_flaws(options.out / "bundles")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
