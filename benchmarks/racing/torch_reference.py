"""A second version of both families' networks, in PyTorch functions: to check the cells against, and to race.

Tensors are asked for by the names that the family's checkpoints use, so a state dict made here is a checkpoint, and
nothing of ``srdiff_training`` but its description of sizes has a part in it.
"""

from __future__ import annotations

from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from srdiff_training.model.config import NetworkConfig

# (name of a residual block, its channels) -> its time bias [n or 1, channels, 1, 1]
TimeBias = Callable[[str, int], Tensor]


class Weights:
    """The tensors of a checkpoint, by name; without ``state`` each is drawn when it is first asked for.

    Attributes:
        state: tensors by name.
        used: names asked for so far.
    """

    def __init__(self, state: dict[str, Tensor] | None = None) -> None:
        self.state = {} if state is None else dict(state)
        self.used: set[str] = set()
        self._draws = state is None
        self._generator = torch.Generator().manual_seed(0)

    def __call__(self, name: str, *shape: int, size: float) -> Tensor:
        if self._draws and name not in self.state:
            self.state[name] = size * torch.randn(shape, generator=self._generator)
        self.used.add(name)
        assert self.state[name].shape == shape, f"{name}: {tuple(self.state[name].shape)}, not {shape}"
        return self.state[name]


class Leiali:
    """The networks of the authors' PyTorch code."""

    encoder_prefix = "rrdb."
    block_conv = "block.1"  # behind the padding
    up_proj = "up_proj.1"

    def __init__(self, config: NetworkConfig, weights: Weights, weight_norm: bool = False) -> None:
        self.config = config
        self.weights = weights
        self.weight_norm = weight_norm

    def eps(self, x: Tensor, t: Tensor, lr: Tensor, lr_up: Tensor) -> Tensor:
        """x [n, 3, sh, sw], t [n], lr [n, 3, h, w], lr_up [n, 3, sh, sw] -> the noise in x."""
        cond = self.cond(lr)
        embedding = F.mish(self.time_embedding(t))

        def time_bias(block: str, channels: int) -> Tensor:
            return self.dense(f"{block}.mlp.1", embedding, channels)[:, :, None, None]

        return self.unet(x, time_bias, cond, lr_up)

    def cond(self, lr: Tensor) -> Tensor:
        """lr [n, 3, h, w] -> what the UNet adds at full resolution, [n, C, sh, sw]."""
        return self.cond_proj(torch.cat(self.features(lr)[2::3], 1))

    def unet(self, x: Tensor, time_bias: TimeBias, cond: Tensor, lr_up: Tensor) -> Tensor:
        """Like :meth:`eps`, given what does not depend on x; ``lr_up`` counts only where there is ``up_input``."""
        config = self.config
        widths = [config.unet_channels * mult for mult in config.unet_mults]
        skips = []
        for level, width in enumerate(widths):
            x = self.res_block(f"denoise_fn.downs.{level}.0", x, time_bias, width)
            x = self.res_block(f"denoise_fn.downs.{level}.1", x, time_bias, width)
            if level == 0:
                x = x + cond
                if config.up_input:
                    x = x + self.conv3x3(f"denoise_fn.{self.up_proj}", lr_up, width)
            skips.append(x)
            x = self.down(level, x, is_last=level == len(widths) - 1)
        x = self.res_block("denoise_fn.mid_block1", x, time_bias, widths[-1])
        if config.use_attn:
            x = self.attention(x)
        x = self.res_block("denoise_fn.mid_block2", x, time_bias, widths[-1])
        for level, width in enumerate(widths[-2::-1]):
            x = torch.cat((x, skips.pop()), 1)
            x = self.res_block(f"denoise_fn.ups.{level}.0", x, time_bias, width)
            x = self.res_block(f"denoise_fn.ups.{level}.1", x, time_bias, width)
            x = self.up(level, x)
        x = F.mish(self.conv3x3(f"denoise_fn.final_conv.0.{self.block_conv}", x, widths[0]))
        return self.conv1x1("denoise_fn.final_conv.1", x, 3)

    # Encoder

    def features(self, lr: Tensor) -> list[Tensor]:
        """Output of each RRDB, then the trunk's sum."""
        width = self.config.encoder_channels
        first = x = self.encoder_conv("conv_first", (lr + 1) / 2, width, bias=True)
        outputs = []
        for index in range(self.config.encoder_blocks):
            dense = x
            for block in (1, 2, 3):
                dense = self.dense_block(f"RRDB_trunk.{index}.RDB{block}", dense)
            x = x + 0.2 * dense
            outputs.append(x)
        outputs.append(first + self.encoder_conv("trunk_conv", x, width, bias=True))
        return outputs

    def dense_block(self, name: str, x: Tensor) -> Tensor:
        config = self.config
        seen = x
        for number in (1, 2, 3, 4):
            new = self.encoder_conv(f"{name}.conv{number}", seen, config.encoder_growth, config.encoder_bias)
            seen = torch.cat((seen, F.leaky_relu(new, 0.2)), 1)
        return x + 0.2 * self.encoder_conv(f"{name}.conv5", seen, x.shape[1], config.encoder_bias)

    def encoder_conv(self, name: str, x: Tensor, channels: int, bias: bool) -> Tensor:
        name = self.encoder_prefix + name
        weight = self.weights(name + ".weight", channels, x.shape[1], 3, 3, size=(9 * x.shape[1]) ** -0.5)
        return F.conv2d(x, weight, self.bias(name, channels) if bias else None, padding=1)

    # UNet

    def res_block(self, name: str, x: Tensor, time_bias: TimeBias, channels: int) -> Tensor:
        h = F.mish(self.conv3x3(f"{name}.block1.{self.block_conv}", x, channels))
        h = h + time_bias(name, channels)
        h = F.mish(self.conv3x3(f"{name}.block2.{self.block_conv}", h, channels))
        return h + self.residual(f"{name}.res_conv", x, channels)

    def residual(self, name: str, x: Tensor, channels: int) -> Tensor:
        return x if x.shape[1] == channels else self.conv1x1(name, x, channels)

    def conv3x3(self, name: str, x: Tensor, channels: int, stride: int = 1) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, self.conv_weight(name, channels, x.shape[1], 3), self.bias(name, channels), stride)

    def conv1x1(self, name: str, x: Tensor, channels: int, bias: bool = True) -> Tensor:
        weight = self.conv_weight(name, channels, x.shape[1], 1)
        return F.conv2d(x, weight, self.bias(name, channels) if bias else None)

    def conv_weight(self, name: str, channels: int, channels_in: int, kernel: int) -> Tensor:
        shape, size = (channels, channels_in, kernel, kernel), (channels_in * kernel**2) ** -0.5
        if not self.weight_norm:
            return self.weights(name + ".weight", *shape, size=size)
        g = self.weights(name + ".weight_g", channels, 1, 1, 1, size=1)
        return torch._weight_norm(self.weights(name + ".weight_v", *shape, size=3), g, 0)

    def bias(self, name: str, channels: int) -> Tensor:
        return self.weights(name + ".bias", channels, size=0.1)

    def dense(self, name: str, x: Tensor, channels: int) -> Tensor:
        weight = self.weights(name + ".weight", channels, x.shape[1], size=x.shape[1] ** -0.5)
        return F.linear(x, weight, self.bias(name, channels))

    time_dense = dense

    def time_embedding(self, t: Tensor) -> Tensor:
        channels = self.config.unet_channels
        frequency = torch.logspace(0, -4, channels // 2, dtype=torch.float64).to(t)
        angle = torch.outer(t, frequency)
        hidden = self.time_dense("denoise_fn.mlp.0", torch.cat((angle.sin(), angle.cos()), 1), 4 * channels)
        return self.time_dense("denoise_fn.mlp.2", F.mish(hidden), channels)

    def transposed(self, name: str, x: Tensor, channels: int, kernel: int, stride: int, padding: int) -> Tensor:
        size = (x.shape[1] * (kernel / stride) ** 2) ** -0.5
        weight = self.weights(name + ".weight", x.shape[1], channels, kernel, kernel, size=size)
        return F.conv_transpose2d(x, weight, self.bias(name, channels), stride, padding)

    def cond_proj(self, features: Tensor) -> Tensor:
        scale = self.config.scale
        return self.transposed(
            "denoise_fn.cond_proj", features, self.config.unet_channels, 2 * scale, scale, scale // 2
        )

    def down(self, level: int, x: Tensor, is_last: bool) -> Tensor:
        return x if is_last else self.conv3x3(f"denoise_fn.downs.{level}.2.conv.1", x, x.shape[1], stride=2)

    def up(self, level: int, x: Tensor) -> Tensor:
        return self.transposed(f"denoise_fn.ups.{level}.2.conv.0", x, x.shape[1], kernel=4, stride=2, padding=1)

    def attention(self, x: Tensor) -> Tensor:
        name = "denoise_fn.mid_attn.fn"
        height, width = x.shape[2:]
        qkv = self.conv1x1(f"{name}.fn.to_qkv", x, 3 * 4 * 32, bias=False)
        q, k, v = qkv.unflatten(1, (3, 4, 32)).flatten(4).unbind(1)  # each [n, heads, channels, positions]
        similarity = k.softmax(-1) @ v.transpose(-1, -2)
        heads = similarity.transpose(-1, -2) @ q
        out = self.conv1x1(f"{name}.fn.to_out", heads.flatten(1, 2).unflatten(2, (height, width)), x.shape[1])
        return x + self.weights(f"{name}.g", 1, size=1) * out


class Mindediting(Leiali):
    """The networks of the MindSpore code."""

    encoder_prefix = "encoder."
    block_conv = "block.0"
    up_proj = "up_proj"

    def residual(self, name: str, x: Tensor, channels: int) -> Tensor:
        return self.conv1x1(name, x, channels)

    def conv3x3(self, name: str, x: Tensor, channels: int, stride: int = 1) -> Tensor:
        return F.conv2d(
            x, self.conv_weight(name, channels, x.shape[1], 3), self.bias(name, channels), stride, padding=1
        )

    def time_dense(self, name: str, x: Tensor, channels: int) -> Tensor:
        return self.conv1x1(f"{name}.conv", x[:, :, None, None], channels)[:, :, 0, 0]

    def cond_proj(self, features: Tensor) -> Tensor:
        scale = self.config.scale
        channels = self.config.unet_channels
        full = self.transposed("denoise_fn.cond_proj", features, channels, 2 * scale - 1, scale, padding=0)
        first = (scale - 1) // 2
        height, width = (scale * side for side in features.shape[2:])
        return full[:, :, first : first + height, first : first + width]

    def down(self, level: int, x: Tensor, is_last: bool) -> Tensor:
        weight = self.conv_weight(f"denoise_fn.downs.{level}.2.conv", x.shape[1], x.shape[1], 3)
        if is_last:
            return F.conv2d(x, weight, padding=1)
        return F.conv2d(F.pad(x, (0, 1, 0, 1)), weight, stride=2)

    def up(self, level: int, x: Tensor) -> Tensor:
        name = f"denoise_fn.ups.{level}.2.pixel_shuffle_pack.upsample_conv"
        return F.pixel_shuffle(self.conv3x3(name, x, 4 * x.shape[1]), 2)


REFERENCES = {"mindediting": Mindediting, "leiali": Leiali}


def reference(config: NetworkConfig, weights: Weights, weight_norm: bool = False) -> Leiali:
    """The network of the configuration's family."""
    return REFERENCES[config.family](config, weights, weight_norm)


def random_state(config: NetworkConfig, weight_norm: bool = False) -> dict[str, Tensor]:
    """Randomly drawn tensors by the names of a checkpoint, as many as the network asks for."""
    weights = Weights()
    side = 2 ** len(config.unet_mults)  # of the LR; enough for mirroring on every level
    hr = torch.zeros(1, 3, config.scale * side, config.scale * side)
    reference(config, weights, weight_norm).eps(hr, torch.zeros(1), torch.zeros(1, 3, side, side), hr)
    return weights.state
