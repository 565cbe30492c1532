"""What an Ascend computes under each of CANN's precision modes, by ONNX Runtime on the CPU.

"--precision_mode", ATC of CANN 8.5 and 9.0 (atlasatcparam_16_0067 and 16_0068), for a float32 graph:

- must_keep_origin_dtype: float32 throughout; an operator without it on the AI core goes to the AI CPU, or the build
  fails where that has none;
- force_fp32 and allow_fp32_to_fp16: matrix operators take float16, vector operators keep float32;
- allow_mix_precision and force_fp16: vector operators in float16, too.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from srdiff.engines.onnx_float16 import half_network

MATRIX_HALF = ("force_fp32", "allow_fp32_to_fp16")
ALL_HALF = ("allow_mix_precision", "force_fp16")


class Computation:
    """A graph for one shape in one mode; outputs in the file's order."""

    def __init__(self, model: bytes, shapes: dict[str, tuple[int, ...]], mode: str) -> None:
        if mode in MATRIX_HALF:
            model = half_network(model)
        elif mode in ALL_HALF:
            model = _all_half(model)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        height, width = next(iter(shapes.values()))[2:]
        options.add_free_dimension_override_by_name("height", height)
        options.add_free_dimension_override_by_name("width", width)
        self.shapes = shapes
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
        with np.errstate(all="ignore"):
            return self._session.run(None, arrays)


def graph_inputs(model: bytes) -> list[str]:
    return [value.name for value in onnx.load_model_from_string(model).graph.input]


def _all_half(model: bytes) -> bytes:
    """The whole graph in float16 between float32 inputs and outputs."""
    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    for weight in graph.initializer:
        if weight.data_type == TensorProto.FLOAT:
            weight.CopyFrom(_half(weight))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
            if attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(_half(attribute.t))
    before = [helper.make_node("Cast", [v.name], [v.name + "_16"], to=TensorProto.FLOAT16) for v in graph.input]
    after = [helper.make_node("Cast", [v.name + "_16"], [v.name], to=TensorProto.FLOAT) for v in graph.output]
    renamed = {value.name for value in [*graph.input, *graph.output]}
    nodes = list(graph.node)
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [name + "_16" if name in renamed else name for name in names]
    del graph.node[:], graph.value_info[:]
    graph.node.extend([*before, *nodes, *after])
    return proto.SerializeToString()


def _half(weight: onnx.TensorProto) -> onnx.TensorProto:
    with np.errstate(over="ignore"):
        return numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), weight.name)
