"""From this project's parameter names and layouts to those of the families' checkpoints.

The own name is the key: :func:`public_name` says what a parameter is called in a family's checkpoint, and loading
and checking both follow from it.
"""

from __future__ import annotations

import re

import numpy as np

from .config import NetworkConfig

_TIME_MLP = ".time_embedding."
_SHUFFLED = re.compile(r"\.ups\.\d+\.2\.conv\.conv\.")


def public_name(own: str, config: NetworkConfig) -> str:
    """What the parameter called ``own`` here is called in a checkpoint of the configuration's family."""
    for pattern, replacement in config.record.renames:
        own = re.sub(pattern, replacement, own)
    return own


def public_shape(own: str, shape: tuple[int, ...], config: NetworkConfig) -> tuple[int, ...]:
    """The shape that the parameter has in a checkpoint."""
    return shape[:2] if config.record.dense_time_mlp and _TIME_MLP in own else shape


def to_own_layout(own: str, array: np.ndarray, config: NetworkConfig) -> np.ndarray:
    """A checkpoint's array in the layout of the own parameter."""
    if _TIME_MLP in own and array.ndim == 2:
        return array[:, :, None, None]
    if config.record.pixel_shuffle and _SHUFFLED.search(own):
        # Pixel shuffle counts channel-major (c, i, j); DepthToSpace counts (i, j, c).
        return array.reshape((-1, 4, *array.shape[1:])).swapaxes(0, 1).reshape(array.shape)
    return array


def to_public_layout(own: str, array: np.ndarray, config: NetworkConfig) -> np.ndarray:
    """The own parameter's array as a checkpoint has it: the inverse of :func:`to_own_layout`."""
    if config.record.dense_time_mlp and _TIME_MLP in own and array.ndim == 4:
        return array[:, :, 0, 0]
    if config.record.pixel_shuffle and _SHUFFLED.search(own):
        return array.reshape((4, -1, *array.shape[1:])).swapaxes(0, 1).reshape(array.shape)
    return array


def rrdb_name(own: str) -> str:
    """What a parameter of :class:`~.rrdb.RRDBUpscaler` is called in an RRDB checkpoint of mindediting."""
    return re.sub(r"^(?:encoder|head)\.(.*?)(?:\.conv)?\.(weight|bias)$", r"\1.\2", own)
