"""OpenVINO's Mish in place of the exported form: every one found, nothing else, the same values."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from srdiff.bundle import Bundle
from srdiff.engines.openvino_mish import fuse_mish

from ..models import SMALL

openvino = pytest.importorskip("openvino")

X = np.concatenate([np.linspace(-1e4, 1e4, 20001), np.linspace(-30, 30, 60001)]).astype(np.float32)


def mish_graph(one: float = 1.0, factor: str = "x") -> bytes:
    """factor * (one - s^2) / (one + s^2) with s = sigmoid(-x)."""
    nodes = [
        helper.make_node("Neg", ["x"], ["minus"]),
        helper.make_node("Sigmoid", ["minus"], ["s"]),
        helper.make_node("Mul", ["s", "s"], ["square"]),
        helper.make_node("Sub", ["one", "square"], ["numerator"]),
        helper.make_node("Add", ["one", "square"], ["denominator"]),
        helper.make_node("Div", ["numerator", "denominator"], ["ratio"]),
        helper.make_node("Mul", [factor, "ratio"], ["y"]),
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, X.shape) for name in names] for names in ("xz", "y")
    )
    constant = numpy_helper.from_array(np.float32(one), "one")
    graph = helper.make_graph(nodes, "g", inputs, outputs, [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    serialized: bytes = model.SerializeToString()
    return serialized


def read(model: bytes):
    return openvino.Core().read_model(model)


def operators(network) -> Counter:
    return Counter(node.get_type_name() for node in network.get_ordered_ops())


def assert_every_mish_replaced(model: bytes) -> None:
    written = Counter(node.op_type for node in onnx.load_model_from_string(model).graph.node)["Sigmoid"]
    network = read(model)
    assert fuse_mish(network) == written > 0
    found = operators(network)
    assert (found["Mish"], found["Sigmoid"], found["Divide"]) == (written, 0, 0)


def test_all_of_the_built_in_model():
    assert_every_mish_replaced(Bundle(SMALL).read("step.onnx"))


@pytest.mark.parametrize("family", ["mindediting", "leiali"])
def test_all_of_a_fresh_export(export_golden, family):
    assert_every_mish_replaced(Bundle(export_golden(family, True)).read("step.onnx"))


@pytest.mark.parametrize("changed", [{"one": 2.0}, {"factor": "z"}], ids=["another constant", "another factor"])
def test_what_only_resembles_it_stays(changed):
    network = read(mish_graph(**changed))
    before = operators(network)
    assert fuse_mish(network) == 0
    assert operators(network) == before


def test_extremes():
    """Against float64; 1e-6 of x and of what is left of it: a few roundings of float32."""
    network = read(mish_graph())
    assert fuse_mish(network) == 1
    compiled = openvino.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({"x": X})[0]
    x = X.astype(np.float64)
    np.testing.assert_allclose(found, x * np.tanh(np.logaddexp(0, x)), rtol=1e-6, atol=1e-6)
