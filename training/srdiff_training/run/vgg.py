"""LPIPS with VGG-16, version 0.1 (Zhang et al., arXiv 1801.03924), as cells that gradients go through."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn, ops

from .vgg_weights import LAYERS, TAPS

# Of the input in [-1, 1]: ImageNet's statistics as the reference implementation rounds them.
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
POOLED = (2, 4, 7, 10)  # layers whose input is max-pooled
# Added to the squared length of a pixel's features; without, a pixel that no feature answers to has no gradient.
EPSILON = 1e-10


class VggFeatures(nn.Cell):
    """Images [n, 3, h, w] in [-1, 1] -> five feature maps, at 1, 1/2, 1/4, 1/8 and 1/16 of the size.

    Args:
        weights: as :func:`srdiff_training.run.vgg_weights.load_vgg` gives them; of other widths for tests.
    """

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        super().__init__(auto_prefix=False)
        self.shift, self.scale = (Tensor(np.array(v, np.float32).reshape(1, 3, 1, 1)) for v in (SHIFT, SCALE))
        self.pool = nn.MaxPool2d(2, 2)
        self.convs = nn.CellList()
        for layer in range(LAYERS):
            kernel = weights[f"conv{layer}.weight"]
            conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, pad_mode="pad", padding=1, has_bias=True)
            for parameter, array in ((conv.weight, kernel), (conv.bias, weights[f"conv{layer}.bias"])):
                parameter.set_data(Tensor(np.ascontiguousarray(array, np.float32)))
                parameter.requires_grad = False
            self.convs.append(conv)
        self.update_parameters_name("vgg.")

    def construct(self, x: Tensor) -> tuple[Tensor, ...]:
        x = (x - self.shift) / self.scale
        maps = ()
        for layer in range(LAYERS):
            if layer in POOLED:
                x = self.pool(x)
            x = ops.relu(self.convs[layer](x))
            if layer in TAPS:
                maps += (x,)
        return maps


class Lpips(nn.Cell):
    """Two tuples of feature maps -> the distance of the images, averaged over the batch: 0 for equal ones.

    Args:
        weights: as for :class:`VggFeatures`; here the linear heads count.
    """

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        super().__init__(auto_prefix=False)
        self.heads = [
            Tensor(np.asarray(weights[f"head{tap}"], np.float32).reshape(1, -1, 1, 1)) for tap in range(len(TAPS))
        ]

    def construct(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
        distance = 0.0
        for tap in range(len(TAPS)):
            difference = unit_length(first[tap]) - unit_length(second[tap])
            distance = distance + (self.heads[tap] * difference * difference).sum(1).mean()
        return distance


def unit_length(x: Tensor) -> Tensor:
    """Features [n, c, h, w] divided by their length at each pixel."""
    return x * ops.rsqrt((x * x).sum(1, keepdims=True) + EPSILON)
