"""The RRDB encoder (Wang et al., ESRGAN, arXiv 1809.00219) that SRDiff takes its features from."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from srdiff.errors import OptionError

from .config import NetworkConfig
from .layers import PaddedConv

RESIDUAL_SCALE = 0.2
NEGATIVE_SLOPE = 0.2


class DenseBlock(nn.Cell):
    """Five convolutions, each of which sees the outputs of all before it."""

    def __init__(self, channels: int, growth: int, has_bias: bool) -> None:
        super().__init__()
        self.conv1 = PaddedConv(channels, growth, reflect=False, has_bias=has_bias)
        self.conv2 = PaddedConv(channels + growth, growth, reflect=False, has_bias=has_bias)
        self.conv3 = PaddedConv(channels + 2 * growth, growth, reflect=False, has_bias=has_bias)
        self.conv4 = PaddedConv(channels + 3 * growth, growth, reflect=False, has_bias=has_bias)
        self.conv5 = PaddedConv(channels + 4 * growth, channels, reflect=False, has_bias=has_bias)
        self.lrelu = nn.LeakyReLU(NEGATIVE_SLOPE)
        self.convs = [self.conv1, self.conv2, self.conv3, self.conv4, self.conv5]
        self.growth, self.has_bias = growth, has_bias
        self.by_input = [
            ops.Conv2D(channels + (4 - later) * growth, 3, pad_mode="pad", pad=1) for later in range(len(self.convs))
        ]

    def construct(self, x: Tensor) -> Tensor:
        if self.training:
            return self._train(x)
        x1 = self.lrelu(self.conv1(x))
        x2 = self.lrelu(self.conv2(ops.concat((x, x1), 1)))
        x3 = self.lrelu(self.conv3(ops.concat((x, x1, x2), 1)))
        x4 = self.lrelu(self.conv4(ops.concat((x, x1, x2, x3), 1)))
        x5 = self.conv5(ops.concat((x, x1, x2, x3, x4), 1))
        return x5 * RESIDUAL_SCALE + x

    def _train(self, x: Tensor) -> Tensor:
        """The same, summed by input: what each output sends to all convolutions after it is one convolution.

        A CPU unfolds every input once and not up to five times, which halves the time of a step.
        """
        pieces = ()  # of each convolution's kernel, by input
        for k in range(len(self.convs)):
            pieces += (ops.split(self.convs[k].conv.weight, [x.shape[1]] + [self.growth] * k, 1),)
        seen, sums = x, 0.0
        for k in range(len(self.convs)):
            kernels = ()
            for j in range(k, len(self.convs)):
                kernels += (pieces[j][k],)
            sums = sums + self.by_input[k](seen, ops.concat(kernels, 0))
            if k < len(self.convs) - 1:
                own, sums = ops.split(sums, [self.growth, sums.shape[1] - self.growth], 1)
                seen = self.lrelu(self._biased(own, k))
        return self._biased(sums, len(self.convs) - 1) * RESIDUAL_SCALE + x

    def _biased(self, x: Tensor, k: int) -> Tensor:
        return x + self.convs[k].conv.bias.reshape((1, -1, 1, 1)) if self.has_bias else x


class RRDB(nn.Cell):
    """Residual in residual: three dense blocks."""

    def __init__(self, channels: int, growth: int, has_bias: bool) -> None:
        super().__init__()
        self.RDB1 = DenseBlock(channels, growth, has_bias)
        self.RDB2 = DenseBlock(channels, growth, has_bias)
        self.RDB3 = DenseBlock(channels, growth, has_bias)

    def construct(self, x: Tensor) -> Tensor:
        return self.RDB3(self.RDB2(self.RDB1(x))) * RESIDUAL_SCALE + x


class RRDBEncoder(nn.Cell):
    """lr [n, 3, h, w] in [-1, 1] -> features [n, feature_channels, h, w].

    Of the list (output of each RRDB, …, trunk sum) the entries 2, 5, 8, … are concatenated.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = config.encoder_channels
        self.conv_first = PaddedConv(3, channels, reflect=False)
        self.RRDB_trunk = nn.CellList(
            [RRDB(channels, config.encoder_growth, config.encoder_bias) for _ in range(config.encoder_blocks)]
        )
        self.trunk_conv = PaddedConv(channels, channels, reflect=False)

    def construct(self, lr: Tensor) -> Tensor:
        return ops.concat(self.outputs(lr)[2::3], 1)

    def outputs(self, lr: Tensor) -> tuple[Tensor, ...]:
        """Output of each RRDB, and last the trunk sum: each [n, encoder_channels, h, w]."""
        first = self.conv_first((lr + 1) * 0.5)
        x = first
        outputs = ()
        for block in self.RRDB_trunk:
            x = block(x)
            outputs += (x,)
        outputs += (first + self.trunk_conv(x),)  # MindSpore 2.0's parser takes no (*outputs, …)
        return outputs


class ImageHead(nn.Cell):
    """Trunk sum [n, encoder_channels, h, w] -> image [n, 3, 4h, 4w] in about [0, 1]: what pretrains the encoder."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels, growth = config.encoder_channels, config.encoder_growth
        self.upconv1 = DenseBlock(channels, growth, config.encoder_bias)
        self.upconv2 = DenseBlock(channels, growth, config.encoder_bias)
        self.HRconv = PaddedConv(channels, channels, reflect=False)
        self.conv_last = PaddedConv(channels, 3, reflect=False)
        self.lrelu = nn.LeakyReLU(NEGATIVE_SLOPE)

    def construct(self, x: Tensor) -> Tensor:
        x = self.lrelu(self.upconv1(_doubled(x)))
        x = self.lrelu(self.upconv2(_doubled(x)))
        return self.conv_last(self.lrelu(self.HRconv(x)))


class RRDBUpscaler(nn.Cell):
    """The encoder with an image head: lr [n, 3, h, w] in [-1, 1] -> hr [n, 3, 4h, 4w] in about [-1, 1]."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        if config.scale != 4:
            raise OptionError(f"scale is {config.scale}; the RRDB's image head enlarges by 4")
        self.config = config
        self.encoder = RRDBEncoder(config)
        self.head = ImageHead(config)

    def construct(self, lr: Tensor) -> Tensor:
        return self.head(self.encoder.outputs(lr)[-1]) * 2 - 1


def _doubled(x: Tensor) -> Tensor:
    """Twice the height and width, bilinear between pixel centres."""
    size = (2 * x.shape[2], 2 * x.shape[3])
    return ops.interpolate(x, size=size, mode="bilinear", align_corners=False)
