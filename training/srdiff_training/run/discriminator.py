"""A discriminator of results and true photos, given the enlarged input: small heads on VGG's features (Projected GAN,
Sauer et al., arXiv 2111.01007), which learn within a hundred steps what one of its own from pixels learns in thousands.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

TAPS = 4  # finest feature maps that are looked at
SLOPE = 0.2
EPSILON = 1e-3
NORM_EPSILON = 1e-12


class SpectralConv(nn.Cell):
    """A convolution divided by its largest singular value (Miyato et al., arXiv 1802.05957), kept by power iteration.

    ``u`` is the running left singular vector; :meth:`renewed` gives its next value.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, rng: np.random.Generator) -> None:
        super().__init__()
        bound = 1 / np.sqrt(channels_in * kernel**2)
        shape = (channels_out, channels_in, kernel, kernel)
        self.weight = Parameter(Tensor(rng.uniform(-bound, bound, shape).astype(np.float32)), name="weight")
        self.bias = Parameter(Tensor(rng.uniform(-bound, bound, channels_out).astype(np.float32)), name="bias")
        u = rng.standard_normal(channels_out)
        self.u = Parameter(Tensor((u / np.linalg.norm(u)).astype(np.float32)), name="u", requires_grad=False)
        self.conv = ops.Conv2D(channels_out, kernel, pad_mode="pad", pad=kernel // 2, stride=stride)

    def construct(self, x: Tensor) -> Tensor:
        matrix = self.weight.reshape((self.weight.shape[0], -1))
        u, v = self.vectors(matrix)
        sigma = (u * (matrix * v).sum(1)).sum()
        return self.conv(x, self.weight / sigma) + self.bias.reshape((1, -1, 1, 1))

    def vectors(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """One power iteration from ``u``: left and right singular vector, without gradient."""
        matrix = ops.stop_gradient(matrix)
        v = _normalised((matrix * self.u.reshape((-1, 1))).sum(0))
        return ops.stop_gradient(_normalised((matrix * v).sum(1))), ops.stop_gradient(v)

    def renewed(self) -> np.ndarray:
        """What ``u`` is after one power iteration with the present weights: [channels] float32."""
        matrix = self.weight.asnumpy().reshape(self.weight.shape[0], -1)
        v = matrix.T @ self.u.asnumpy()
        u = matrix @ (v / (np.linalg.norm(v) + NORM_EPSILON))
        return (u / (np.linalg.norm(u) + NORM_EPSILON)).astype(np.float32)


class Head(nn.Cell):
    """Features of one tap, and the enlarged input shrunk to their size -> logits."""

    def __init__(self, channels: int, width: int, stride: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.first = SpectralConv(channels + 3, width, 1, 1, rng)
        self.second = SpectralConv(width, width, 3, stride, rng)
        self.third = SpectralConv(width, width, 3, 1, rng)
        bound = 1 / np.sqrt(width)
        self.last = nn.Conv2d(width, 1, 1, pad_mode="valid", has_bias=True)
        self.last.weight.set_data(Tensor(rng.uniform(-bound, bound, (1, width, 1, 1)).astype(np.float32)))
        self.last.bias.set_data(Tensor(rng.uniform(-bound, bound, 1).astype(np.float32)))
        self.lrelu = nn.LeakyReLU(SLOPE)

    def construct(self, x: Tensor, lr_up: Tensor) -> Tensor:
        x = x * ops.rsqrt((x * x).mean(1, keep_dims=True) + EPSILON**2)
        x = self.lrelu(self.first(ops.concat((x, lr_up), 1)))
        return self.last(self.lrelu(self.third(self.lrelu(self.second(x)))))


class Discriminator(nn.Cell):
    """Feature maps of an image and its enlarged input -> logits, one map for each of the finest taps.

    Args:
        channels: of the feature maps, finest first.
        width: of the heads.
        seed: of the initial weights.
    """

    def __init__(self, channels: tuple[int, ...], width: int, seed: int) -> None:
        super().__init__(auto_prefix=False)
        rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 1, 0, 0]))
        strides = (2, 1, 1, 1)  # the finest tap has the size of the image
        heads = [Head(count, width, stride, rng) for count, stride in zip(channels[:TAPS], strides)]
        self.heads = nn.CellList(heads)
        self.update_parameters_name("discriminator.")

    def construct(self, maps: tuple[Tensor, ...], lr_up: Tensor) -> tuple[Tensor, ...]:
        logits = ()
        for tap in range(len(self.heads)):
            if tap > 0:
                lr_up = _halved(lr_up)
            logits += (self.heads[tap](maps[tap], lr_up),)
        return logits

    def renew(self) -> None:
        """Move every ``u`` on by one power iteration."""
        for cell in self.cells_and_names():
            if isinstance(cell[1], SpectralConv):
                cell[1].u.set_data(ms.Tensor(cell[1].renewed()))


def _halved(x: Tensor) -> Tensor:
    """Means of 2x2 pixels."""
    n, c, h, w = x.shape
    return x.reshape((n, c, h // 2, 2, w // 2, 2)).mean((3, 5))


def _normalised(x: Tensor) -> Tensor:
    return x / (ops.sqrt((x * x).sum()) + NORM_EPSILON)
