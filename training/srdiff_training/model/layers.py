"""Small cells shared by the networks, made of primitives that every exporter and engine takes."""

from __future__ import annotations

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

# MindSpore 2.0 wants equal batch axes; it exports only static MindIR, where the tiled size does no harm.
MATMUL_BROADCASTS = not mindspore.__version__.startswith("2.0.")


class Mish(nn.Cell):
    """x * tanh(softplus(x)) (Misra, arXiv 1908.08681), as the equal x * (1 - s^2) / (1 + s^2) with s = sigmoid(-x).

    MindSpore's Tanh is off by 1e-4 on CPU and its Mish overflows above 44. This form is exact to 1e-6, cannot overflow
    in half precision, exports to ONNX, and is a third faster than the title's in ONNX Runtime.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sigmoid = ops.Sigmoid()
        self.divide = ops.RealDiv()

    def construct(self, x: Tensor) -> Tensor:
        s = self.sigmoid(-x)
        square = s * s
        return x * ((1 - square) / (1 + square))

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """With w = tanh(softplus(x)): w + x (1 - w^2) (1 - s). Derived by itself, it takes half as long again."""
        s = self.sigmoid(x * -1.0)  # faster than -x on CPU
        square = s * s
        w = self.divide(1 - square, 1 + square)
        return (dout * (w + x * (1 - w * w) * (1 - s)),)


class PaddedConv(nn.Cell):
    """3x3 convolution; beyond the edge it sees zeros or mirrored pixels.

    With stride 2 on an even size that is one zero row and column behind: MindSpore's ``same``. (Written as explicit
    padding, unequal sides come out of the ONNX exporter in the wrong order.)
    """

    def __init__(
        self, channels_in: int, channels_out: int, reflect: bool, stride: int = 1, has_bias: bool = True
    ) -> None:
        super().__init__()
        pad_mode = "valid" if reflect else "same"
        self.conv = nn.Conv2d(channels_in, channels_out, 3, stride, pad_mode=pad_mode, has_bias=has_bias)
        self.reflect = reflect

    def construct(self, x: Tensor) -> Tensor:
        if self.reflect:  # of slices: the primitive for it cannot be exported
            x = ops.concat((x[:, :, 1:2], x, x[:, :, -2:-1]), 2)
            x = ops.concat((x[:, :, :, 1:2], x, x[:, :, :, -2:-1]), 3)
        return self.conv(x)


class CroppedTranspose(nn.Cell):
    """Transposed convolution to exactly ``stride`` times the size; the surplus is cropped, the odd pixel behind.

    The crop equals torch's ``padding`` and MindSpore's ``same`` and, unlike theirs, exports without a baked size.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2dTranspose(channels_in, channels_out, kernel, stride, pad_mode="valid", has_bias=True)
        self.before = (kernel - stride) // 2
        self.after = kernel - stride - self.before

    def construct(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.training:  # the same with a baked size, 30 times as fast on CPU
            n, c, h, w = x.shape
            surplus = self.before + self.after
            return ops.slice(x, (0, 0, self.before, self.before), (n, c, h - surplus, w - surplus))
        return x[:, :, self.before : -self.after, self.before : -self.after]


class PixelShuffle(nn.Cell):
    """3x3 convolution to four times the channels, which become 2x2 pixels.

    DepthToSpace exports to ONNX as it is; it orders the channels otherwise than the pixel shuffle that checkpoints
    were trained with, so ``checkpoint.py`` permutes the convolution.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = PaddedConv(channels, 4 * channels, reflect=False)
        self.shuffle = ops.DepthToSpace(2)

    def construct(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.training:  # the same with a baked size, 10 times as fast on CPU
            n, c, h, w = x.shape
            blocks = x.reshape((n, 2, 2, c // 4, h, w)).transpose((0, 3, 4, 1, 5, 2))
            return blocks.reshape((n, c // 4, 2 * h, 2 * w))
        return self.shuffle(x)


class LinearAttention(nn.Cell):
    """x + g * attention(x) in linear time (Shen et al., arXiv 1812.01243), g learned from zero (ReZero).

    Softmax runs over the positions of the keys, and only there. The queries keep their height and width as axes, so
    that no size is baked into an exported graph.
    """

    HEADS = 4
    HEAD_CHANNELS = 32

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = self.HEADS * self.HEAD_CHANNELS
        self.to_qkv = conv1x1(channels, 3 * hidden, has_bias=False)
        self.to_out = conv1x1(hidden, channels)
        self.g = Parameter(Tensor(np.zeros(1, np.float32)))
        self.hidden = hidden
        self.softmax = ops.Softmax(-1)

    def construct(self, x: Tensor) -> Tensor:
        qkv = self.to_qkv(x)
        per_head = (x.shape[0], self.HEADS, self.HEAD_CHANNELS, -1)
        k = self.softmax(qkv[:, self.hidden : 2 * self.hidden].reshape(per_head))
        v = qkv[:, 2 * self.hidden :].reshape(per_head)
        context = ops.matmul(k, v.transpose(0, 1, 3, 2))
        q = qkv[:, : self.hidden].transpose(0, 2, 3, 1)
        heads = ()
        for head in range(self.HEADS):
            first = head * self.HEAD_CHANNELS
            q_head = q[:, :, :, first : first + self.HEAD_CHANNELS]
            context_head = context[:, head : head + 1]
            if not MATMUL_BROADCASTS:
                context_head = ops.tile(context_head, (1, q_head.shape[1], 1, 1))
            heads += (ops.matmul(q_head, context_head),)
        attended = ops.concat(heads, 3).transpose(0, 3, 1, 2)
        # MindSpore Lite cancels this transpose against one of its own before the convolution and then has lost the
        # layout; a slice of everything keeps them apart.
        return x + self.g * self.to_out(attended[:, : self.hidden])


def conv1x1(channels_in: int, channels_out: int, has_bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 1, pad_mode="valid", has_bias=has_bias)
