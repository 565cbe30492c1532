"""Numbers of every type as float32."""

from __future__ import annotations

import numpy as np


def to_float32(array: np.ndarray) -> np.ndarray:
    """A copy; what is beyond float32 becomes infinity without a word."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def bfloat16_to_float32(halves: np.ndarray) -> np.ndarray:
    """Bits of bfloat16, as uint16: the upper half of a float32."""
    return (halves.astype(np.uint32) << 16).view(np.float32)
