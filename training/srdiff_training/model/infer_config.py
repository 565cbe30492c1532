"""The sizes of a network from the names and shapes of its parameters."""

from __future__ import annotations

import re
from pathlib import Path

from srdiff.errors import CheckpointError, OptionError

from ..checkpoints.read import Tensors
from .config import NetworkConfig
from .families import FAMILIES
from .known_networks import what_it_is


def infer_config(path: Path, tensors: Tensors, family: str | None) -> NetworkConfig:
    found = [known for known in FAMILIES.values() if known.encoder_prefix + "conv_first.weight" in tensors]
    if not found or not any(name.startswith("denoise_fn.") for name in tensors):
        first = ", ".join(sorted(tensors)[:2]) or "no parameter at all"
        known = what_it_is(tensors)
        raise CheckpointError(
            f"{path} is not an SRDiff checkpoint: "
            + (f"it is {known}" if known else f"it has {first}, …")
            + " where encoder.conv_first.weight (or rrdb.conv_first.weight) and denoise_fn.* were expected; give the "
            "checkpoint of the diffusion stage"
        )
    if family is not None and family != found[0].name:
        raise CheckpointError(
            f"{path} has the parameter names of family {found[0].name}, not {family}; leave out the family option"
        )
    encoder = found[0].encoder_prefix

    def shape(name: str) -> list[int]:
        if name not in tensors:
            raise CheckpointError(f"{path} lacks parameter {name}; it is incomplete, export another")
        rank = 1 if name.endswith(".bias") else 4
        if tensors[name].ndim != rank:
            raise CheckpointError(
                f"{path} has parameter {name} of shape {list(tensors[name].shape)} where {rank} axes were expected; "
                "it is damaged or another network"
            )
        return list(tensors[name].shape)

    def count(prefix: str) -> int:
        matches = [re.match(re.escape(prefix) + r"(\d+)\.", name) for name in tensors]
        numbers = {int(match.group(1)) for match in matches if match}
        for number in range(len(numbers)):
            if number not in numbers:
                raise CheckpointError(
                    f"{path} lacks every parameter {prefix}{number}.*; it is incomplete, export another"
                )
        return len(numbers)

    _, unet_channels, kernel, _ = shape("denoise_fn.cond_proj.weight")
    widths = [shape(f"denoise_fn.downs.{level}.0.mlp.1.bias")[0] for level in range(count("denoise_fn.downs."))]
    if unet_channels < 1 or any(width % unet_channels for width in widths):
        raise CheckpointError(
            f"{path} has UNet widths {widths}, which are not multiples of the {unet_channels} channels that "
            "denoise_fn.cond_proj.weight has; it is damaged or another network"
        )
    try:
        return NetworkConfig(
            family=found[0].name,
            scale=(kernel + found[0].cond_kernel_less) // 2,
            encoder_channels=shape(encoder + "conv_first.weight")[0],
            encoder_blocks=count(encoder + "RRDB_trunk."),
            encoder_growth=shape(encoder + "RRDB_trunk.0.RDB1.conv1.weight")[0],
            encoder_bias=any(re.search(r"\.RDB\d\.conv\d\.bias$", name) for name in tensors),
            unet_channels=unet_channels,
            unet_mults=tuple(width // unet_channels for width in widths),
            up_input=any(name.startswith("denoise_fn.up_proj.") for name in tensors),
            use_attn=any(name.startswith("denoise_fn.mid_attn.") for name in tensors),
            fidelity=any(name.startswith("denoise_fn.true_conv.") for name in tensors),
        )
    except OptionError as error:
        raise CheckpointError(f"{path} is not an SRDiff that this project knows: {error}") from error
