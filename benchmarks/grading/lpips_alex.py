"""LPIPS with AlexNet, version 0.1 (Zhang et al., arXiv 1801.03924), as an ONNX graph."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from grading.lpips_weights import LAYERS, load_weights
from srdiff.errors import ImageError, PackageError
from srdiff.telemetry import import_quietly

# Of the input in [-1, 1]: ImageNet's statistics as the reference implementation rounds them.
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
STRIDES = (4, 1, 1, 1, 1)
PADS = (2, 2, 1, 1, 1)
POOLED = (1, 2)  # layers whose input is max-pooled
EPSILON = 1e-10
OPSET = 13
MIN_SIDE = 31  # below, the second pooling has nothing left to look at


class Lpips:
    """LPIPS of image pairs; the weights are fetched on first use.

    Raises:
        PackageFileError: the weights cannot be had.
        PackageError: neither ONNX Runtime nor OpenVINO is installed.
    """

    def __init__(self) -> None:
        self._run = _open(build_graph(load_weights()).SerializeToString())

    def __call__(self, reference: np.ndarray, image: np.ndarray) -> float:
        """Distance of two uint8 images [h, w, 3]: 0 for equal ones, about 1 for unlike ones.

        Raises:
            ImageError: a side is below 31 pixels.
        """
        if min(reference.shape[:2]) < MIN_SIDE:
            raise ImageError(
                f"LPIPS was asked for an image of {reference.shape[1]}x{reference.shape[0]}; "
                f"give one of at least {MIN_SIDE}x{MIN_SIDE}"
            )
        pair = np.stack([reference, image]).transpose(0, 3, 1, 2)
        return float(self._run(np.ascontiguousarray(pair, np.float32) / np.float32(127.5) - 1))


def build_graph(weights: dict[str, np.ndarray]) -> Any:
    """The ONNX model pair [2, 3, H, W] in [-1, 1] -> distance [1]; weights as ``load_weights`` has them."""
    # MindSpore's protocol buffers load in this mode only, and the first import of any decides for all.
    os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants = dict(weights)

    def constant(name: str, value: Any, dtype: Any = np.float32) -> str:
        constants[name] = np.asarray(value, dtype)
        return name

    def node(kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind.lower()}{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    # Not folded into the first convolution: its zero padding comes after the scaling.
    x = node("Sub", "pair", constant("shift", np.reshape(SHIFT, (1, 3, 1, 1))))
    x = node("Div", x, constant("scale", np.reshape(SCALE, (1, 3, 1, 1))))
    epsilon = constant("epsilon", EPSILON)
    channel_axis = constant("channel_axis", [1], np.int64)
    halves = constant("halves", [1, 1], np.int64)
    distances = []
    for layer in range(LAYERS):
        if layer in POOLED:
            x = node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
        x = node(
            "Conv",
            x,
            f"conv{layer}.weight",
            f"conv{layer}.bias",
            strides=[STRIDES[layer]] * 2,
            pads=[PADS[layer]] * 4,
        )
        x = node("Relu", x)
        norm = node("Sqrt", node("ReduceSum", node("Mul", x, x), channel_axis, keepdims=1))
        unit = node("Div", x, node("Add", norm, epsilon))
        first, second = f"first{layer}", f"second{layer}"
        nodes.append(helper.make_node("Split", [unit, halves], [first, second], axis=0))
        difference = node("Sub", first, second)
        weighted = node("Conv", node("Mul", difference, difference), f"head{layer}")
        distances.append(node("ReduceMean", weighted, axes=[1, 2, 3], keepdims=0))
    nodes.append(helper.make_node("Sum", distances, ["distance"]))
    graph = helper.make_graph(
        nodes,
        "lpips_alex",
        [helper.make_tensor_value_info("pair", TensorProto.FLOAT, [2, 3, "height", "width"])],
        [helper.make_tensor_value_info("distance", TensorProto.FLOAT, [1])],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()],
    )
    # The oldest file version for this opset, so that older engines read it, too.
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=7)


def _open(model: bytes) -> Any:
    """A function from the pair to the distance."""
    try:
        ort = import_quietly("onnxruntime")
    except ImportError:
        return _open_openvino(model)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda pair: session.run(None, {"pair": pair})[0][0]


def _open_openvino(model: bytes) -> Any:
    try:
        openvino = import_quietly("openvino")
    except ImportError as error:
        raise PackageError("LPIPS needs ONNX Runtime or OpenVINO; run: pip install 'srdiff[cpu]'") from error
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda pair: compiled({"pair": pair})[0][0]
