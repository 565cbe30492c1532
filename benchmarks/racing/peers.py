"""What the runtime is raced against, and the check that those with its network compute it."""

from __future__ import annotations

import numpy as np

from racing.torch_peer import TorchEngine
from racing.upstream_peer import UpstreamEngine
from srdiff.bundle import Bundle
from srdiff.engines import Engine, open_engine
from srdiff.errors import BundleError, ParityError
from srdiff.upscaler import Upscaler

# By name, with the precisions of each.
PEERS = {"torch": ("fp32", "bf16"), "upstream-graph": ("fp32",), "ncnn": ("fp32",)}
# Those that compute the bundle's own network, behind the interface of the engines; ncnn runs Real-ESRGAN.
SAME_NETWORK = ("torch", "upstream-graph")
# The package that computes, where it is not called as the peer is.
LIBRARIES = {"upstream-graph": "onnxruntime"}
# Of eps. float32: sums in another order, measured up to 5e-7. bf16: 8 bits per weight and activation, over some sixty
# layers, measured up to 5e-3, as OpenVINO's own bf16.
EPS_BOUNDS = {"fp32": 2e-5, "bf16": 5e-2}
EPS_SCALE = 2.0**-10


def open_peer(name: str, precision: str, threads: int, bundle: Bundle) -> Engine:
    """Raises PackageError where its package is missing, and BundleError without ONNX graphs, which have the weights."""
    if not bundle.graph_files("onnx"):
        raise BundleError(
            f"{bundle.path} has no ONNX graphs, which --peer takes the weights from; export with --format onnx"
        )
    return (
        TorchEngine(bundle.manifest, precision, threads)
        if name == "torch"
        else UpstreamEngine(bundle, open_engine("onnxruntime", "cpu", "fp32", threads))
    )


def check_peer(bundle: Bundle, engine: Engine, peer: Engine) -> float:
    """The relative error of a peer's eps against a float32 engine's, root mean square, on random input.

    Raises:
        ParityError: it is above the precision's bound, so the peer computes something else.
    """
    expected, found = _eps(bundle, engine), _eps(bundle, peer)
    error = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    bound = EPS_BOUNDS[peer.precision]
    if not error <= bound:
        raise ParityError(
            f"eps of {peer.name} {peer.precision} differs from {engine.name}'s by {error:.1e} (bound {bound:.0e}), so "
            "a race would compare two networks; report it with the bundle's manifest"
        )
    return error


def _eps(bundle: Bundle, engine: Engine) -> np.ndarray:
    manifest = bundle.manifest
    height, width = manifest.hr_minimum, 2 * manifest.hr_minimum  # of the LR; the result's sides divide likewise
    rng = np.random.default_rng(0)
    lr = rng.uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
    upscaler = Upscaler(bundle, engine)
    cond = upscaler.graph("encoder", height, width).run({"lr": lr})["cond"]
    image = (1, 3, height * manifest.scale, width * manifest.scale)
    inputs = {name: rng.standard_normal(image, dtype=np.float32) for name in ("x", "noise", "x0_prev", "lr_up")}
    inputs["cond"] = cond
    inputs["time_bias"] = bundle.time_bias()[manifest.schedule.timesteps // 2].reshape(1, -1, 1, 1)
    # x0 = C x + D eps: so small that the clamp is out of reach.
    inputs["coef"] = np.array([0, EPS_SCALE, 0, 0, 0, 0], np.float32).reshape(1, 6, 1, 1)
    if not manifest.up_input:
        del inputs["lr_up"]
    return upscaler.graph("step", height, width).run(inputs)["x0"] / EPS_SCALE
