"""A bundle's graph with its network in float16 and the sampler's update left in float32."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..errors import BundleError

CONVOLUTIONS = ("Conv", "ConvTranspose")
HALF = "_float16"


def half_network(model: bytes) -> bytes:
    """An ONNX graph in float32 -> the same in mixed precision.

    What the last convolution depends on, itself included, is the network and computes in float16; in a step graph all
    that follows is the update. Inputs and outputs stay float32, and the update reads x unrounded.

    Raises:
        BundleError: a weight is too large for float16.
    """
    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    network, update = _split(graph)
    images = {value.name for value in graph.input if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    weights = {weight.name: weight for weight in graph.initializer if weight.data_type == TensorProto.FLOAT}
    read = {name for node in network for name in node.input}
    made = {name for node in network for name in node.output}
    outside = {name for node in update for name in node.input} | {value.name for value in graph.output}

    for name in read & set(weights):
        graph.initializer.append(_narrowed(weights[name], name + HALF))
    for node in network:
        _narrow_constants(node)
        # The plain name is the float32 tensor's, for those who read it outside.
        for names in (node.input, node.output):
            names[:] = [name + HALF if name in images or name in weights or name in made & outside else name
                        for name in names]  # fmt: skip
    before = [helper.make_node("Cast", [name], [name + HALF], to=TensorProto.FLOAT16) for name in sorted(read & images)]
    after = [helper.make_node("Cast", [name + HALF], [name], to=TensorProto.FLOAT) for name in sorted(made & outside)]

    del graph.node[:], graph.value_info[:]
    graph.node.extend([*before, *network, *after, *update])
    used = {name for node in graph.node for name in node.input}
    for index in reversed(range(len(graph.initializer))):
        if graph.initializer[index].name not in used:
            del graph.initializer[index]
    result: bytes = proto.SerializeToString()
    return result


def _split(graph: onnx.GraphProto) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """(nodes that the last convolution depends on, all others), each in the graph's order."""
    nodes = list(graph.node)
    last = max(index for index, node in enumerate(nodes) if node.op_type in CONVOLUTIONS)
    needed = set(nodes[last].output)
    inside = set()
    for index in range(last, -1, -1):
        if needed & set(nodes[index].output):
            inside.add(index)
            needed.update(nodes[index].input)
    return [nodes[i] for i in sorted(inside)], [node for i, node in enumerate(nodes) if i not in inside]


def _narrow_constants(node: onnx.NodeProto) -> None:
    """Where a node says float32 itself, let it say float16: widened weights, and numbers within the graph."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16
        if node.op_type == "Constant" and attribute.t.data_type == TensorProto.FLOAT:
            attribute.t.CopyFrom(_narrowed(attribute.t, attribute.t.name))


def _narrowed(weight: onnx.TensorProto, name: str) -> onnx.TensorProto:
    values = numpy_helper.to_array(weight)
    largest = np.abs(values).max(initial=0)
    if largest > np.finfo(np.float16).max:
        raise BundleError(f"the weight {weight.name} reaches {largest:.3g}, more than float16 holds; choose fp32")
    return numpy_helper.from_array(values.astype(np.float16), name)
