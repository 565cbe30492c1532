"""The peer PyTorch, in eager mode: the bundle's network and weights behind the interface of the engines."""

from __future__ import annotations

import re
from typing import Any, Mapping

import numpy as np

from srdiff.engines import Arrays, Engine, Graph, Shapes
from srdiff.errors import PackageError
from srdiff.manifest import CLAMP_LIMIT, Manifest


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
            raise PackageError("--peer torch needs PyTorch; run: pip install torch") from error
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
