"""The noise predictor of SRDiff (Li et al., arXiv 2104.14951): a UNet conditioned on encoder features."""

from __future__ import annotations

import math

import numpy as np
from mindspore import Tensor, nn, ops

from .config import NetworkConfig
from .layers import CroppedTranspose, LinearAttention, Mish, PaddedConv, PixelShuffle, conv1x1


class Block(nn.Cell):
    """3x3 convolution and Mish."""

    def __init__(self, channels_in: int, channels_out: int, reflect: bool) -> None:
        super().__init__()
        self.conv = PaddedConv(channels_in, channels_out, reflect)
        self.mish = Mish()

    def construct(self, x: Tensor) -> Tensor:
        return self.mish(self.conv(x))


class ResBlock(nn.Cell):
    """Two blocks beside a residual path; the time bias is added between them."""

    def __init__(self, channels_in: int, channels_out: int, config: NetworkConfig) -> None:
        super().__init__()
        self.mlp = nn.SequentialCell(Mish(), nn.Dense(config.unet_channels, channels_out))
        self.block1 = Block(channels_in, channels_out, config.record.reflect)
        self.block2 = Block(channels_out, channels_out, config.record.reflect)
        project = config.record.projects_always or channels_in != channels_out
        self.res_conv = conv1x1(channels_in, channels_out) if project else nn.Identity()

    def construct(self, x: Tensor, time_bias: Tensor) -> Tensor:
        return self.block2(self.block1(x) + time_bias) + self.res_conv(x)


class TimeEmbedding(nn.Cell):
    """t [n] -> [n, channels]: sin then cos of t at frequencies 10000**(-k / (channels / 2 - 1)), then an MLP."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        frequency = np.exp(np.arange(half) * (-math.log(10000) / (half - 1)))
        self.frequency = Tensor(frequency.astype(np.float32))
        self.channels = channels
        self.mlp = nn.SequentialCell(conv1x1(channels, 4 * channels), Mish(), conv1x1(4 * channels, channels))

    def construct(self, t: Tensor) -> Tensor:
        angle = t.reshape((-1, 1)) * self.frequency
        embedding = ops.concat((ops.sin(angle), ops.cos(angle)), 1)
        return self.mlp(embedding.reshape((-1, self.channels, 1, 1))).reshape((-1, self.channels))


class UNet(nn.Cell):
    """eps for (x [n, 3, H, W], time_bias [n, sum of widths, 1, 1], cond [n, C, H, W], lr_up [n, 3, H, W]).

    ``time_bias`` is made by :meth:`time_bias` and ``cond`` by :meth:`cond`. Neither depends on x: sampling computes
    the one once per model, the other once per image. ``lr_up`` counts only where the network has ``up_input``.

    Where it has ``fidelity``, its last convolution has a twin that is fitted to be nearest to the truth, ``true_conv``.
    A blend of their results, from 0 for the one to 1 for the other, is what a blend of their weights gives: there is
    one network for all of them.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        kernel = 2 * config.scale - config.record.cond_kernel_less
        self.cond_proj = CroppedTranspose(config.feature_channels, config.unet_channels, kernel, config.scale)
        self.time_embedding = TimeEmbedding(config.unet_channels)

        widths = (3, *config.widths)
        last = len(config.widths) - 1
        self.downs = nn.CellList()
        for level in range(last + 1):
            self.downs.append(self._down(widths[level], widths[level + 1], level == last, config))
        self.mid_block1 = ResBlock(widths[-1], widths[-1], config)
        self.mid_attn = LinearAttention(widths[-1]) if config.use_attn else nn.Identity()
        self.mid_block2 = ResBlock(widths[-1], widths[-1], config)
        self.ups = nn.CellList()
        for level in range(last, 0, -1):
            self.ups.append(self._up(widths[level + 1], widths[level], config))
        self.final_block = Block(config.unet_channels, config.unet_channels, config.record.reflect)
        self.final_conv = conv1x1(config.unet_channels, 3)
        if config.fidelity:
            self.true_conv = conv1x1(config.unet_channels, 3)
        self.up_input = config.up_input
        if config.up_input:
            self.up_proj = PaddedConv(3, config.unet_channels, config.record.reflect)

        # Where each residual block's part of time_bias begins, in the order of its channels.
        blocks = [block for down in self.downs for block in (down[0], down[1])]
        blocks += [self.mid_block1, self.mid_block2]
        blocks += [block for up in self.ups for block in (up[0], up[1])]
        self.time_mlps = [block.mlp for block in blocks]
        ends = np.cumsum([mlp[1].out_channels for mlp in self.time_mlps]).tolist()
        self.spans = tuple(zip([0, *ends[:-1]], ends))

    @staticmethod
    def _down(channels_in: int, channels_out: int, is_last: bool, config: NetworkConfig) -> nn.CellList:
        cells = [ResBlock(channels_in, channels_out, config), ResBlock(channels_out, channels_out, config)]
        if is_last and not config.record.downs_last:
            cells.append(nn.Identity())
        else:
            stride, has_bias = 1 if is_last else 2, config.record.down_bias
            cells.append(PaddedConv(channels_out, channels_out, config.record.reflect, stride, has_bias))
        return nn.CellList(cells)

    @staticmethod
    def _up(channels_in: int, channels_out: int, config: NetworkConfig) -> nn.CellList:
        upsample = (
            PixelShuffle(channels_out)
            if config.record.pixel_shuffle
            else CroppedTranspose(channels_out, channels_out, kernel=4, stride=2)
        )
        return nn.CellList(
            [
                ResBlock(2 * channels_in, channels_out, config),
                ResBlock(channels_out, channels_out, config),
                upsample,
            ]
        )

    def cond(self, features: Tensor) -> Tensor:
        """Encoder features [n, feature_channels, h, w] -> what the UNet adds at full resolution, [n, C, sh, sw]."""
        return self.cond_proj(features)

    def time_bias(self, t: Tensor) -> Tensor:
        """t [n] float32 -> the time bias of every residual block, [n, sum of widths, 1, 1]."""
        embedding = self.time_embedding(t)
        parts = ()
        for mlp in self.time_mlps:
            parts += (mlp(embedding),)
        return ops.concat(parts, 1).reshape((t.shape[0], -1, 1, 1))

    def construct(
        self,
        x: Tensor,
        time_bias: Tensor,
        cond: Tensor,
        lr_up: Tensor | None = None,
        fidelity: Tensor | None = None,
    ) -> Tensor:
        """``fidelity`` [1, 1, 1, 1] in [0, 1]; without it the result is that of 0, without that of 1 being computed."""
        features = self.features(x, time_bias, cond, lr_up)
        sharp = self.final_conv(features)
        if fidelity is None:
            return sharp
        return sharp + fidelity * (self.true_conv(features) - sharp)

    def features(self, x: Tensor, time_bias: Tensor, cond: Tensor, lr_up: Tensor | None = None) -> Tensor:
        """What the last convolution sees: [n, C, H, W]."""
        spans = self.spans
        skips = ()
        block = 0
        for level, down in enumerate(self.downs):
            x = down[0](x, time_bias[:, spans[block][0] : spans[block][1]])
            x = down[1](x, time_bias[:, spans[block + 1][0] : spans[block + 1][1]])
            block += 2
            if level == 0:
                x = x + cond
                if self.up_input:
                    x = x + self.up_proj(lr_up)
            skips += (x,)
            x = down[2](x)
        x = self.mid_block1(x, time_bias[:, spans[block][0] : spans[block][1]])
        x = self.mid_attn(x)
        x = self.mid_block2(x, time_bias[:, spans[block + 1][0] : spans[block + 1][1]])
        block += 2
        for level, up in enumerate(self.ups):
            x = ops.concat((x, skips[-1 - level]), 1)
            x = up[0](x, time_bias[:, spans[block][0] : spans[block][1]])
            x = up[1](x, time_bias[:, spans[block + 1][0] : spans[block + 1][1]])
            block += 2
            x = up[2](x)
        return self.final_block(x)
