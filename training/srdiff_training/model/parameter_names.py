"""From this project's parameter names and layouts to those of the two families' checkpoints.

The own name is the key: :func:`public_name` says what a parameter is called in a family's checkpoint, and loading
and checking both follow from it.
"""

from __future__ import annotations

import re

import numpy as np

from .config import NetworkConfig

ENCODER_PREFIX = {"mindediting": "encoder.", "leiali": "rrdb."}

# Applied in order to the own name.
_COMMON = (
    (r"^(encoder\..*)\.conv\.(weight|bias)$", r"\1.\2"),
    (r"\.(cond_proj|up_proj|res_conv)\.conv\.", r".\1."),
    (r"\.final_conv\.", ".final_conv.1."),
)
_RULES = {
    "mindediting": (
        *_COMMON,
        (r"\.time_embedding\.mlp\.(\d)\.", r".mlp.\1.conv."),
        (r"\.block(\d)\.conv\.conv\.", r".block\1.block.0."),
        (r"\.final_block\.conv\.conv\.", ".final_conv.0.block.0."),
        (r"\.ups\.(\d+)\.2\.conv\.conv\.", r".ups.\1.2.pixel_shuffle_pack.upsample_conv."),
    ),
    "leiali": (
        *_COMMON,
        (r"^encoder\.", ENCODER_PREFIX["leiali"]),
        (r"\.time_embedding\.mlp\.(\d)\.", r".mlp.\1."),
        (r"\.block(\d)\.conv\.conv\.", r".block\1.block.1."),
        (r"\.final_block\.conv\.conv\.", ".final_conv.0.block.1."),
        (r"\.up_proj\.", ".up_proj.1."),
        (r"\.downs\.(\d+)\.2\.conv\.", r".downs.\1.2.conv.1."),
        (r"\.ups\.(\d+)\.2\.conv\.", r".ups.\1.2.conv.0."),
        (r"\.mid_attn\.g$", ".mid_attn.fn.g"),
        (r"\.mid_attn\.(to_qkv|to_out)\.", r".mid_attn.fn.fn.\1."),
    ),
}


def public_name(own: str, config: NetworkConfig) -> str:
    """What the parameter called ``own`` here is called in a checkpoint of the configuration's family."""
    for pattern, replacement in _RULES[config.family]:
        own = re.sub(pattern, replacement, own)
    return own


def public_shape(own: str, shape: tuple[int, ...], config: NetworkConfig) -> tuple[int, ...]:
    """The shape that the parameter has in a checkpoint: leiali's time MLP is dense, not a 1x1 convolution."""
    return shape[:2] if config.family == "leiali" and ".time_embedding." in own else shape


def to_own_layout(own: str, array: np.ndarray, config: NetworkConfig) -> np.ndarray:
    """A checkpoint's array in the layout of the own parameter."""
    if ".time_embedding." in own and array.ndim == 2:
        return array[:, :, None, None]
    if config.family == "mindediting" and re.search(r"\.ups\.\d+\.2\.conv\.conv\.", own):
        # Pixel shuffle counts channel-major (c, i, j); DepthToSpace counts (i, j, c).
        return array.reshape((-1, 4, *array.shape[1:])).swapaxes(0, 1).reshape(array.shape)
    return array


def to_public_layout(own: str, array: np.ndarray, config: NetworkConfig) -> np.ndarray:
    """The own parameter's array as a checkpoint has it: the inverse of :func:`to_own_layout`."""
    if config.family == "leiali" and ".time_embedding." in own and array.ndim == 4:
        return array[:, :, 0, 0]
    if config.family == "mindediting" and re.search(r"\.ups\.\d+\.2\.conv\.conv\.", own):
        return array.reshape((4, -1, *array.shape[1:])).swapaxes(0, 1).reshape(array.shape)
    return array


def rrdb_name(own: str) -> str:
    """What a parameter of :class:`~.rrdb.RRDBUpscaler` is called in an RRDB checkpoint of mindediting."""
    return re.sub(r"^(?:encoder|head)\.(.*?)(?:\.conv)?\.(weight|bias)$", r"\1.\2", own)
