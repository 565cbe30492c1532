"""Counts the arithmetic of a bundle's graphs at a given size."""

from __future__ import annotations

import operator
from functools import reduce

from srdiff.bundle import Bundle
from srdiff.engines import Shapes
from srdiff.errors import BundleError, PackageError


class FlopCounter:
    """Floating-point operations of one run of a bundle's graphs: a multiplication and an addition count two.

    Counted are the convolutions, transposed convolutions and matrix products, from the shapes that ONNX infers;
    activations and the sampler's update are left out.

    Raises:
        BundleError: it has no ONNX graphs to count.
        PackageError: onnx is not installed.
    """

    def __init__(self, bundle: Bundle) -> None:
        files = bundle.graph_files("onnx")
        if not files:
            raise BundleError(f"{bundle.path} has no ONNX graphs to count; export with --format onnx,mindir")
        try:
            import onnx  # noqa: F401
        except ImportError as error:
            raise PackageError("they are counted with the package onnx; run: pip install onnx") from error
        self._models = {"encoder": bundle.read(files[0].encoder), "step": bundle.read(files[0].step)}
        self._counted: dict[tuple[str, tuple[tuple[str, tuple[int, ...]], ...]], int] = {}

    def count(self, graph: str, shapes: Shapes) -> int:
        """Operations of ``encoder`` or ``step`` with inputs of these shapes."""
        key = (graph, tuple(shapes.items()))
        if key not in self._counted:
            self._counted[key] = count_model(self._models[graph], shapes)
        return self._counted[key]


def count_model(model: bytes, shapes: Shapes) -> int:
    """Operations of one run of an ONNX model with inputs of these shapes."""
    import onnx

    proto = onnx.load_model_from_string(model)
    for value in proto.graph.input:
        for axis, size in zip(value.type.tensor_type.shape.dim, shapes[value.name]):
            axis.dim_value = size
    for value in proto.graph.output:  # their symbols are the inputs'
        value.type.tensor_type.ClearField("shape")
    graph = onnx.shape_inference.infer_shapes(proto, strict_mode=True).graph
    known = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        known[value.name] = tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)

    total = 0
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            # Each pixel of the one side meets every weight of its channel once.
            image = known[node.output[0] if node.op_type == "Conv" else node.input[0]]
            total += _operations(node.name, image, known[node.input[1]][1:])
        elif node.op_type in ("MatMul", "Gemm"):
            inner = known[node.input[0]][-1 if node.op_type == "MatMul" else _gemm_axis(node)]
            total += _operations(node.name, known[node.output[0]], (inner,))
    return total


def _operations(node: str, *shapes: tuple[int, ...]) -> int:
    sizes = [size for shape in shapes for size in shape]
    assert sizes and all(sizes), f"ONNX infers no shape at {node}"  # a symbol has size 0
    return 2 * reduce(operator.mul, sizes)


def _gemm_axis(node: object) -> int:
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)  # type: ignore[attr-defined]
    return 0 if transposed else 1
