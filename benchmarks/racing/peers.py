"""What the runtime is raced against, behind the interface of its engines: all go through the same sampler loop."""

from __future__ import annotations

import re
import zlib
from typing import Any, Mapping

import numpy as np

from srdiff.bundle import Bundle
from srdiff.engines import Arrays, Engine, Graph, Shapes, open_engine
from srdiff.errors import BundleError, DeviceError, ParityError
from srdiff.manifest import CLAMP_LIMIT, Manifest
from srdiff.upscaler import Upscaler

PEERS = {"torch": ("fp32", "bf16"), "upstream-graph": ("fp32",)}
# Of eps. float32: sums in another order, measured up to 5e-7. bf16: 8 bits per weight and activation, over some sixty
# layers, measured up to 5e-3, as OpenVINO's own bf16.
EPS_BOUNDS = {"fp32": 2e-5, "bf16": 5e-2}
EPS_SCALE = 2.0**-10


def open_peer(name: str, precision: str, threads: int, bundle: Bundle) -> Engine:
    """Raises DeviceError where its package is missing, and BundleError without ONNX graphs, which have the weights."""
    if not bundle.graph_files("onnx"):
        raise BundleError(
            f"{bundle.path} has no ONNX graphs, which --peer takes the weights from; export with --format onnx"
        )
    return (
        TorchEngine(bundle.manifest, precision, threads)
        if name == "torch"
        else UpstreamEngine(bundle, open_engine("onnxruntime", "cpu", "fp32", threads))
    )


class TorchEngine(Engine):
    """PyTorch in eager mode; cond and time bias come ready, as everywhere here.

    In bf16 weights, images and activations are bfloat16, channels last, which is what its CPU kernels are fastest with;
    the sampler's update stays float32.
    """

    name = "torch"
    device = "cpu"

    def __init__(self, manifest: Manifest, precision: str, threads: int) -> None:
        try:
            import torch
        except ImportError as error:
            raise DeviceError("--peer torch needs PyTorch; run: pip install torch") from error
        torch.set_num_threads(threads)
        self.precision = precision
        self._manifest = manifest

    def compile(self, model: bytes, shapes: Shapes) -> Graph:
        import torch

        from racing.torch_reference import Weights, reference
        from srdiff_training.model.config import NetworkConfig

        sizes = self._manifest.network
        config = NetworkConfig(**{**sizes, "unet_mults": tuple(sizes["unet_mults"])})
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        state = {name: place(torch.from_numpy(array), dtype) for name, array in checkpoint_tensors(model, config)}
        network = reference(config, Weights(state))
        graph = TorchEncoder if "lr" in shapes else TorchStep
        return graph(network, dtype, self._manifest.clip_denoised)


class TorchGraph(Graph):
    def __init__(self, network: Any, dtype: Any, clip_denoised: bool) -> None:
        self.network, self.dtype, self.clip_denoised = network, dtype, clip_denoised


class TorchEncoder(TorchGraph):
    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        import torch

        with torch.inference_mode():
            cond = self.network.cond(place(torch.from_numpy(inputs["lr"]), self.dtype))
            return {"cond": cond.float().contiguous().numpy()}


class TorchStep(TorchGraph):
    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        import torch

        with torch.inference_mode():
            tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
            placed = {name: place(tensor, self.dtype) for name, tensor in tensors.items()}
            taken = 0

            def time_bias(block: str, channels: int) -> torch.Tensor:
                nonlocal taken
                taken += channels
                return placed["time_bias"][:, taken - channels : taken]

            eps = self.network.unet(placed["x"], time_bias, placed["cond"], placed.get("lr_up")).float()
            C, D, P, Q, R, S = inputs["coef"].ravel().tolist()
            x0 = C * tensors["x"] + D * eps
            if self.clip_denoised:
                x0 = x0.clamp(-CLAMP_LIMIT, CLAMP_LIMIT)
            x_next = P * x0 + Q * tensors["x"] + R * tensors["x0_prev"] + S * tensors["noise"]
            return {"x_next": x_next.contiguous().numpy(), "x0": x0.contiguous().numpy()}


def place(tensor: Any, dtype: Any) -> Any:
    """A tensor at the precision, and in the layout that goes with it."""
    import torch

    if dtype == torch.float32:
        return tensor
    layout = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
    return tensor.to(dtype, memory_format=layout)


def checkpoint_tensors(model: bytes, config: Any) -> list[tuple[str, np.ndarray]]:
    """(name in a checkpoint, float32 array) of the weights of an exported ONNX graph."""
    import onnx
    from onnx import numpy_helper

    from srdiff_training.model.parameter_names import public_name, to_public_layout

    tensors = []
    for weight in onnx.load_model_from_string(model).graph.initializer:
        own = re.sub(r"^unet\.", "denoise_fn.", re.sub(r"_half$", "", weight.name))
        if not own.startswith(("encoder.", "denoise_fn.")):
            continue  # a constant of the graph
        array = numpy_helper.to_array(weight).astype(np.float32)
        array = to_public_layout(own, array, config)
        tensors.append((public_name(own, config), np.ascontiguousarray(array)))
    return tensors


class UpstreamEngine(Engine):
    """The public implementation's way, in cost: each step computes cond anew, in one ONNX Runtime session.

    Its own export unrolls all steps into one file; here one step, encoder included, is run again and again.
    """

    name = "upstream-graph"

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self._bundle = bundle
        self._engine = engine
        self._lrs: dict[float, np.ndarray] = {}
        self.device, self.precision = engine.device, engine.precision

    def compile(self, model: bytes, shapes: Shapes) -> Graph:
        if "lr" in shapes:
            return UpstreamEncoder(self._lrs, self._bundle.manifest)
        scale = self._bundle.manifest.scale
        lr_shape = (1, 3, *(side // scale for side in shapes["x"][2:]))
        merged_shapes = {**{name: shape for name, shape in shapes.items() if name != "cond"}, "lr": lr_shape}
        encoder = self._bundle.read(self._bundle.graph_files("onnx")[0].encoder)
        return UpstreamStep(self._lrs, self._engine.compile(merge(encoder, model, merged_shapes), merged_shapes))


class UpstreamEncoder(Graph):
    """Keeps lr for the steps; what it gives for cond says which lr, and nothing else."""

    def __init__(self, lrs: dict[float, np.ndarray], manifest: Manifest) -> None:
        self._lrs, self._manifest = lrs, manifest

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        lr = inputs["lr"]
        height, width = (side * self._manifest.scale for side in lr.shape[2:])
        cond = np.zeros((1, self._manifest.cond_channels, height, width), np.float32)
        key = zlib.crc32(lr.tobytes()) % 2**24  # float32 holds it exactly
        self._lrs[key] = lr.copy()
        cond[0, 0, 0, 0] = key
        return {"cond": cond}


class UpstreamStep(Graph):
    def __init__(self, lrs: dict[float, np.ndarray], merged: Graph) -> None:
        self._lrs, self._merged = lrs, merged

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        rest = {name: array for name, array in inputs.items() if name != "cond"}
        return self._merged.run({**rest, "lr": self._lrs[float(inputs["cond"][0, 0, 0, 0])]})


def merge(encoder: bytes, step: bytes, shapes: Shapes) -> bytes:
    """Encoder and step as one ONNX model of static shapes: cond is computed within."""
    import onnx

    first, second = onnx.load_model_from_string(encoder), onnx.load_model_from_string(step)
    first = onnx.compose.add_prefix(first, "encoder_", rename_inputs=False, rename_outputs=False)
    model = onnx.compose.merge_models(first, second, io_map=[("cond", "cond")])
    for value in model.graph.input:  # both graphs call their axes height and width
        for axis, size in zip(value.type.tensor_type.shape.dim, shapes[value.name]):
            axis.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    return model.SerializeToString()


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
