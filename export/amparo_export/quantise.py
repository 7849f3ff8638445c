"""Export the graph to ONNX and quantise the encoder: QUInt8 per channel, recurrent head in float32."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantFormat, QuantizationMode, QuantType
from optimum.onnxruntime import ORTQuantizer
from optimum.onnxruntime.configuration import QuantizationConfig

from amparo import config as c

from .graph import GuardGraph

OPSET = 17
INPUTS = ("tokens", "meta", "state")
OUTPUTS = ("cues", "risk", "tier", "state_out")


def export_float(graph: GuardGraph, path: Path) -> None:
    """Write the float32 graph; the tracer is used, since every shape but n is fixed."""
    example = (
        torch.arange(4, 13, dtype=torch.int32),
        torch.zeros(c.META_SIZE),
        torch.zeros(graph.state_size),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of constants that are meant
        torch.onnx.export(
            graph.eval(), example, str(path), dynamo=False, opset_version=OPSET, input_names=list(INPUTS),
            output_names=list(OUTPUTS), dynamic_axes={"tokens": {0: "n"}}, do_constant_folding=True,
        )  # fmt: skip


def quantise(source: Path, target: Path) -> None:
    """Quantise with optimum's ``ORTQuantizer``: weights QUInt8 per channel, embedding included.

    QInt8 differs between processors by 0.13 in an embedding; QUInt8 does not.
    """
    model = onnx.load(source)
    kept = [
        node.name for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm", "Gather") and not _is_encoder_weight(node, model)
    ]  # fmt: skip
    excluded = [*kept, *(f"{name}_MatMul" for name in kept)]  # the quantiser first splits Gemm into these
    settings = QuantizationConfig(
        is_static=False, format=QuantFormat.QOperator, mode=QuantizationMode.IntegerOps,
        activations_dtype=QuantType.QUInt8, weights_dtype=QuantType.QUInt8, per_channel=True,
        operators_to_quantize=["MatMul", "Gather"], nodes_to_exclude=excluded,
    )  # fmt: skip
    quantizer = ORTQuantizer.from_pretrained(source.parent, file_name=source.name)
    quantizer.quantize(save_dir=target.parent, quantization_config=settings, file_suffix="int8")
    (target.parent / f"{source.stem}_int8.onnx").replace(target)
    (target.parent / "ort_config.json").unlink(missing_ok=True)


def _is_encoder_weight(node: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    """A matrix product or lookup of the encoder with a stored weight of more than one row."""
    stored = {i.name: i.dims for i in model.graph.initializer}
    weights = [stored[name] for name in node.input if name in stored]
    return node.name.startswith("/encoder/") and any(len(d) == 2 and min(d) > 64 for d in weights)


def set_thresholds(path: Path, graph: GuardGraph) -> None:
    """Overwrite the threshold tables in a quantised graph: they are set on it, after quantising."""
    model = onnx.load(path)
    wanted = {name: getattr(graph, name) for name in ("notice", "concern", "urgent", "slope", "bias", "cue")}
    found = set()
    for tensor in model.graph.initializer:
        if tensor.name in wanted:
            values = wanted[tensor.name].numpy()
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
            found.add(tensor.name)
    if found != set(wanted):
        raise RuntimeError(f"the graph lost {sorted(set(wanted) - found)}; constant folding changed")
    onnx.save(model, path)
