"""A tiny bundle that comes with the package, and what a network costs, counted by hand."""

from __future__ import annotations

from pathlib import Path

from srdiff.bundle import Bundle
from srdiff.doctor.golden import GOLDEN as GOLDEN_FOLDER
from srdiff_training.model.config import NetworkConfig

GOLDEN = GOLDEN_FOLDER / "golden.srdiff"


def config_of(bundle: Path) -> NetworkConfig:
    sizes = Bundle(bundle).manifest.network
    return NetworkConfig(**{**sizes, "unet_mults": tuple(sizes["unet_mults"])})


def unet_flops(config: NetworkConfig, height: int, width: int) -> int:
    """Of one step, by hand: two operations per weight of a convolution and pixel that it makes."""

    def convolution(channels_in: int, channels_out: int, kernel: int, level: int) -> int:
        return 2 * channels_in * channels_out * kernel**2 * (height >> level) * (width >> level)

    def res_block(channels_in: int, channels_out: int, level: int) -> int:
        total = convolution(channels_in, channels_out, 3, level) + convolution(channels_out, channels_out, 3, level)
        if config.family == "mindediting" or channels_in != channels_out:
            total += convolution(channels_in, channels_out, 1, level)
        return total

    widths = config.widths
    last = len(widths) - 1
    total = 0
    for level, (before, channels) in enumerate(zip((3, *widths), widths)):
        total += res_block(before, channels, level) + res_block(channels, channels, level)
        if level < last:
            total += convolution(channels, channels, 3, level + 1)
        elif config.family == "mindediting":
            total += convolution(channels, channels, 3, level)
    total += 2 * res_block(widths[-1], widths[-1], last)
    for level in range(last, 0, -1):
        channels = widths[level - 1]
        total += res_block(2 * widths[level], channels, level) + res_block(channels, channels, level)
        if config.family == "mindediting":
            total += convolution(channels, 4 * channels, 3, level)
        else:  # transposed: each pixel of its input meets every weight
            total += convolution(channels, channels, 4, level)
    return total + convolution(widths[0], widths[0], 3, 0) + convolution(widths[0], 3, 1, 0)


def encoder_flops(config: NetworkConfig, height: int, width: int) -> int:
    channels, growth = config.encoder_channels, config.encoder_growth
    dense = sum((channels + i * growth) * growth for i in range(4)) + (channels + 4 * growth) * channels
    convolutions = 9 * (3 * channels + 3 * config.encoder_blocks * dense + channels * channels)
    kernel = 2 * config.scale - (1 if config.family == "mindediting" else 0)
    return 2 * height * width * (convolutions + config.feature_channels * config.unet_channels * kernel**2)
