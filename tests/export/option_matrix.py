"""One small network for each family and option: what must come through every export."""

from __future__ import annotations

from typing import Any

from srdiff_training.model.config import NetworkConfig


def small(family: str, **options: Any) -> NetworkConfig:
    sizes = {"encoder_channels": 4, "encoder_blocks": 2, "encoder_growth": 2, "encoder_bias": family == "leiali"}
    return NetworkConfig(family, **{**sizes, "unet_channels": 4, "unet_mults": (1, 2), **options})


# name: (the network, the LR size that it is run at: odd wherever the sides of the result may divide by two)
MATRIX = {
    "mindediting": (small("mindediting"), (7, 9)),
    "mindediting x2 bias": (small("mindediting", scale=2, encoder_bias=True), (9, 7)),
    "mindediting x3 up_input": (small("mindediting", scale=3, up_input=True), (6, 10)),
    "mindediting x8 deep": (small("mindediting", scale=8, encoder_blocks=6, unet_mults=(1, 2, 2, 3)), (3, 5)),
    "leiali x2 up_input": (small("leiali", scale=2, up_input=True), (9, 7)),
    "leiali use_attn": (small("leiali", use_attn=True), (7, 9)),  # its code has no x3: it would give 3 h + 1 rows
    "leiali x8 no bias": (small("leiali", scale=8, encoder_bias=False), (3, 5)),
    "leiali deep, all": (
        small("leiali", encoder_blocks=6, unet_mults=(1, 2, 2), use_attn=True, up_input=True),
        (5, 7),
    ),
}
