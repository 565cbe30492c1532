"""float32 arrays as the 16 bits that an engine of half precision takes of them."""

from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np


class Half(NamedTuple):
    """A format of 16 bits.

    Attributes:
        rounded: float32 -> what is stored.
        widened: what is stored -> float32.
    """

    rounded: Callable[[np.ndarray], np.ndarray]
    widened: Callable[[np.ndarray], np.ndarray]


def _to_bfloat16(array: np.ndarray) -> np.ndarray:
    """The upper half of a float32, for which NumPy has no type, as uint16: the nearest, ties to even; NaN stays one."""
    bits = array.view(np.uint32)
    rounded = ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    rounded[np.isnan(array)] = 0x7FC0
    return rounded


def _from_bfloat16(stored: np.ndarray) -> np.ndarray:
    return np.left_shift(stored, 16, dtype=np.uint32).view(np.float32)


def _to_float16(array: np.ndarray) -> np.ndarray:
    """Beyond 65504 lies infinity, as in the engine: whether x stays finite is asked after each step."""
    with np.errstate(over="ignore"):
        return array.astype(np.float16)


def _from_float16(stored: np.ndarray) -> np.ndarray:
    return stored.astype(np.float32)


# By an engine's precision.
HALVES = {"bf16": Half(_to_bfloat16, _from_bfloat16), "fp16": Half(_to_float16, _from_float16)}
