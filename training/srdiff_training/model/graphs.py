"""The two graphs of a bundle as MindSpore cells: encoder and sampler step."""

from __future__ import annotations

from typing import Mapping

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from srdiff.engines import Arrays, Engine, Graph, Shapes
from srdiff.graph_io import ENCODER, INPUTS, OUTPUTS, STEP, graph_of, input_shapes
from srdiff.manifest import CLAMP_LIMIT

from .config import NetworkConfig
from .network import SRDiff


class EncoderGraph(nn.Cell):
    """lr [1, 3, h, w] in [-1, 1] -> cond [1, C, sh, sw]; once per image.

    The parts keep the names that they have in the network: MindSpore renames their parameters after the latest owner.
    """

    inputs = INPUTS[ENCODER]
    outputs = OUTPUTS[ENCODER]

    def __init__(self, network: SRDiff) -> None:
        super().__init__()
        self.encoder = network.encoder
        self.denoise_fn = network.denoise_fn

    def construct(self, lr: Tensor) -> Tensor:
        return self.denoise_fn.cond(self.encoder(lr))


class StepGraph(nn.Cell):
    """One sampler step, UNet and update, so that x can stay on the device.

    With coef [1, 6, 1, 1] = (C, D, P, Q, R, S)::

        eps    = unet(x, time_bias, cond)
        x0     = clip(C * x + D * eps, -1, 1)          without the clip where the model was sampled so
        x_next = P * x0 + Q * x + R * x0_prev + S * noise

    Further inputs: lr_up [1, 3, H, W] where the network has ``up_input``, fidelity [1, 1, 1, 1] where it has that.
    """

    inputs = INPUTS[STEP]
    outputs = OUTPUTS[STEP]

    def __init__(self, network: SRDiff, clip_denoised: bool) -> None:
        super().__init__()
        self.denoise_fn = network.denoise_fn
        self.clip_denoised = clip_denoised
        self.up_input, self.fidelity = network.config.up_input, network.config.fidelity

    def construct(
        self,
        x: Tensor,
        time_bias: Tensor,
        cond: Tensor,
        coef: Tensor,
        noise: Tensor,
        x0_prev: Tensor,
        *more: Tensor,
    ) -> tuple[Tensor, Tensor]:
        lr_up = more[0] if self.up_input else None
        fidelity = more[-1] if self.fidelity else None
        eps = self.denoise_fn(x, time_bias, cond, lr_up, fidelity)
        x0 = coef[:, 0:1] * x + coef[:, 1:2] * eps
        if self.clip_denoised:
            x0 = ops.clip_by_value(x0, -CLAMP_LIMIT, CLAMP_LIMIT)
        x_next = coef[:, 2:3] * x0 + coef[:, 3:4] * x + coef[:, 4:5] * x0_prev + coef[:, 5:6] * noise
        return x_next, x0


class CellEngine(Engine):
    """The source cells behind the interface of the runtime's engines: both run through the same sampler loop.

    ``graph_format`` is that of the graphs that they stand for: it decides on the loop's tiles.
    """

    name = "mindspore"
    precision = "fp32"

    def __init__(self, network: SRDiff, clip_denoised: bool, graph_format: str = "onnx") -> None:
        self.graph_format = graph_format
        self.device = ms.get_context("device_target").lower()
        self.encoder = CellGraph(EncoderGraph(network))
        self.step = CellGraph(StepGraph(network, clip_denoised))

    def compile(self, model: bytes, shapes: Shapes) -> CellGraph:
        """The cell that takes these inputs; the exported bytes are not looked at."""
        return self.encoder if graph_of(shapes) == ENCODER else self.step


class CellGraph(Graph):
    def __init__(self, cell: nn.Cell) -> None:
        self._cell = cell

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        results = self._cell(*[ms.Tensor(inputs[name]) for name in self._cell.inputs if name in inputs])
        results = results if isinstance(results, tuple) else (results,)
        return {name: result.asnumpy() for name, result in zip(self._cell.outputs, results)}


def time_bias_table(network: SRDiff, timesteps: int) -> np.ndarray:
    """The time bias of every t: [timesteps, channels] float32. It does not depend on the image."""
    t = ms.Tensor(np.arange(timesteps, dtype=np.float32))
    return network.denoise_fn.time_bias(t).asnumpy().reshape(timesteps, -1)


def example_inputs(config: NetworkConfig, lr_shape: tuple[int, int]) -> list[tuple[str, np.ndarray]]:
    """(name, array) of every input of the step graph in order, standard normal, for an lr of this height and width."""
    rng = np.random.default_rng(0)
    shapes = input_shapes(
        STEP,
        *lr_shape,
        config.scale,
        config.unet_channels,
        config.time_bias_channels,
        config.up_input,
        config.fidelity,
    )
    return [(name, rng.standard_normal(shape, dtype=np.float32)) for name, shape in shapes.items()]
