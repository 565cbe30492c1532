"""Half precision against float32: float16 in the graph, as on a GPU, and OpenVINO's own ones."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from srdiff import Upscaler
from srdiff.bundle import Bundle
from srdiff.engines import open_engine
from srdiff.engines.onnx_float16 import CONVOLUTIONS, half_network
from srdiff.engines.onnxruntime_engine import OnnxRuntimeEngine
from srdiff.errors import BundleError, DeviceError, PackageError
from srdiff.sampling import FEEDBACK
from tests.conftest import Golden

from ..models import SMALL

# As the parity gate of benchmarks/quality.py asks for.
LEAST_PSNR = 45


def onnxruntime(precision):
    """On the CPU, where nobody would choose float16: the arithmetic is the same."""
    return OnnxRuntimeEngine("cpu", precision, None, {})


def openvino(precision):
    try:
        return open_engine("openvino", "cpu", precision)
    except (DeviceError, PackageError) as error:
        pytest.skip(str(error))


HALVES = [(onnxruntime, "fp16"), (openvino, "bf16"), (openvino, "fp16")]
HALVES_NAMES = [f"{opened.__name__}-{precision}" for opened, precision in HALVES]


def psnr(first, second):
    difference = first.astype(float) - second
    return 10 * np.log10(255**2 / np.maximum((difference**2).mean(), 1e-9))


@pytest.fixture(scope="module")
def bundle():
    return Bundle(SMALL)


SQUARES = np.kron(np.eye(4, dtype=np.uint8), np.ones((4, 4), np.uint8))[:, :, None]
PICTURES = {
    "white": np.full((16, 16, 3), 255, np.uint8),
    "black": np.zeros((16, 16, 3), np.uint8),
    "grey": np.full((16, 16, 3), 128, np.uint8),
    "saturated": SQUARES * np.uint8([255, 0, 255]),
    "noise": np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8),
}


@pytest.mark.parametrize("engine", HALVES, ids=HALVES_NAMES)
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_unlike_the_training_photos(bundle, name, engine):
    opened, precision = engine
    exact, half = (Upscaler(bundle, opened(each)).upscale(PICTURES[name], steps=10) for each in ("fp32", precision))
    assert psnr(half, exact) > LEAST_PSNR
    assert abs(half.mean() - PICTURES[name].mean()) < 2  # levels: neither black nor anything else; 0.8 measured


@pytest.mark.parametrize("family", ["mindediting", "leiali"])
def test_both_families_in_float16(export_golden, family):
    """With the clamp; without it x grows to thousands, and float32 is the default."""
    golden = Golden(family)
    bundle = Bundle(export_golden(family, True))
    exact, half = (
        Upscaler(bundle, onnxruntime(precision)).upscale(golden.arrays["lr_uint8"][0], steps=10)
        for precision in ("fp32", "fp16")
    )
    assert psnr(half, exact) > LEAST_PSNR


def test_the_update_stays_in_float32(bundle):
    """With the network's share of x_0 switched off (D = 0), the step is the float32 one to the last bit."""
    step, bias = bundle.read("step.onnx"), bundle.time_bias()
    shape = (1, 3, 64, 64)
    rng = np.random.default_rng(0)
    feed = {name: rng.standard_normal(shape, np.float32) for name in ("x", "noise", "x0_prev")}
    feed["cond"] = rng.standard_normal((1, bundle.manifest.cond_channels, 64, 64), np.float32)
    feed["time_bias"] = bias[50].reshape(1, -1, 1, 1)
    feed["coef"] = np.float32([0.3, 0, 0.7, 0.6, 0.1, 0.2]).reshape(1, 6, 1, 1)
    exact, half = (onnxruntime(precision).compile(step, {"x": shape}).run(feed) for precision in ("fp32", "fp16"))
    for name in FEEDBACK:
        np.testing.assert_array_equal(half[name], exact[name])


@pytest.mark.parametrize("name", ["encoder.onnx", "step.onnx"])
def test_every_convolution_is_in_float16(bundle, name):
    mixed = onnx.load_model_from_string(half_network(bundle.read(name)))
    onnx.checker.check_model(mixed, full_check=True)
    types = {weight.name: weight.data_type for weight in mixed.graph.initializer}
    used = {types.get(node.input[1]) for node in mixed.graph.node if node.op_type in CONVOLUTIONS}
    assert used <= {TensorProto.FLOAT16, None}  # None: computed in the graph, which the checker has seen to


def test_a_weight_beyond_float16_is_refused():
    weight = numpy_helper.from_array(np.full((1, 1, 1, 1), 1e5, np.float32), "w")
    image = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 1, 4, 4)) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", image[:1], image[1:], [weight])
    with pytest.raises(BundleError, match=r"the weight w reaches 1e\+05, more than float16 holds"):
        half_network(helper.make_model(graph).SerializeToString())
