"""Writes a MindSpore cell as an ONNX model whose images keep a free height and width."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
import onnx
from mindspore import nn
from onnx import TensorProto, helper, numpy_helper

from srdiff.engines.base import SYMBOLIC_AXES
from srdiff.errors import OptionError

from .opset import MINDSPORE_OPSET
from .trace_folder import trace_folder

# Node attributes that bake the traced size, or that ONNX Runtime refuses beside explicit pads.
_BAKED_ATTRIBUTES = ("output_shape", "auto_pad")
# A slice of everything, written on one axis: starts, ends, axes, steps. The end is ONNX's word for an unknown one.
_WHOLE_SLICE = (0, np.iinfo(np.int64).max, 1, 1)


def export_onnx(
    cell: nn.Cell,
    inputs: list[tuple[str, np.ndarray]],
    outputs: list[str],
    file: Path,
    half_weights: bool,
    opset: int = MINDSPORE_OPSET,
) -> None:
    """Trace a cell and write the ONNX file.

    Args:
        cell: to export.
        inputs: (name, example) for each input, in the order of ``construct``. Images [1, C, H, W] of more than one
            pixel get free axes.
        outputs: names, in order.
        file: to write.
        half_weights: store weights as float16, to be widened when loaded; arithmetic stays float32.
        opset: ONNX operator set of the result.

    Raises:
        OptionError: the package onnx does not know the operator set.
    """
    newest = onnx.defs.onnx_opset_version()
    if opset > newest:
        raise OptionError(f"opset is {opset}; the newest that onnx {onnx.__version__} can write is {newest}")
    model = _trace(cell, [array for _, array in inputs])
    graph = model.graph
    _rename(graph, [name for name, _ in inputs], outputs)
    for node in graph.node:
        if node.op_type == "ConvTranspose":
            kept = [attribute for attribute in node.attribute if attribute.name not in _BAKED_ATTRIBUTES]
            del node.attribute[:]
            node.attribute.extend(kept)
    _bound_slices(graph)
    _free_axes(graph)
    if opset != MINDSPORE_OPSET:
        model = onnx.version_converter.convert_version(model, opset)
    if half_weights:
        _store_half(model.graph)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(file))


def _trace(cell: nn.Cell, examples: list[np.ndarray]) -> onnx.ModelProto:
    with trace_folder() as folder:
        file = folder / "graph.onnx"
        ms.export(cell, *[ms.Tensor(array) for array in examples], file_name=str(file), file_format="ONNX")
        return onnx.load(str(file))


def _rename(graph: onnx.GraphProto, inputs: list[str], outputs: list[str]) -> None:
    """Give graph inputs and outputs their public names, in every node that uses them."""
    names = {value.name: name for value, name in zip(graph.input, inputs)}
    names.update({value.name: name for value, name in zip(graph.output, outputs)})
    for value in [*graph.input, *graph.output]:
        value.name = names[value.name]
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]


def _bound_slices(graph: onnx.GraphProto) -> None:
    """MindSpore writes a slice of everything with empty bounds, which OpenVINO refuses."""
    weights = {weight.name: weight for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "Slice" and not any(map(any, (weights[name].dims for name in node.input[1:]))):
            for name, bound in zip(node.input[1:], _WHOLE_SLICE):
                weights[name].CopyFrom(numpy_helper.from_array(np.array([bound], np.int64), name))


def _free_axes(graph: onnx.GraphProto) -> None:
    del graph.value_info[:]
    graph_inputs = {value.name for value in graph.input}
    for value in [*graph.input, *graph.output]:
        axes = value.type.tensor_type.shape.dim[2:]
        if all(axis.dim_value > 1 for axis in axes):
            # The encoder's cond is larger than its lr, so an output's size must not share the inputs' names.
            prefix = "" if value.name in graph_inputs else "out_"
            for axis, name in zip(axes, SYMBOLIC_AXES):
                axis.dim_param = prefix + name


def _store_half(graph: onnx.GraphProto) -> None:
    """Halve the file: each float32 weight becomes float16 and a Cast, which engines fold when they load it."""
    casts = []
    for index, weight in enumerate(graph.initializer):
        if weight.data_type != TensorProto.FLOAT or not weight.dims:
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), weight.name + "_half")
        casts.append(helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT))
        graph.initializer[index].CopyFrom(half)
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts + nodes)
