"""Pixels as files have them to what the networks take."""

from __future__ import annotations

import numpy as np


def to_signed(pixels: np.ndarray) -> np.ndarray:
    """Integers [h, w, 3] of uint8 or uint16 -> [3, h, w] float32 in [-1, 1]: black is -1, white 1."""
    white = np.iinfo(pixels.dtype).max
    return pixels.transpose(2, 0, 1).astype(np.float32) * np.float32(2 / white) - 1
