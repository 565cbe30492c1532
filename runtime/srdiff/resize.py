"""MATLAB's ``imresize(…, 'bicubic')``, the resampling that super-resolution data sets are made with."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .errors import OptionError

BORDERS = ("nearest", "symmetric")
ROUNDINGS = ("half_up", "half_even")
_CUBIC_SUPPORT = 4.0


def bicubic(
    image: np.ndarray, height: int, width: int, border: str = "nearest", rounding: str = "half_up"
) -> np.ndarray:
    """Resize like MATLAB: bicubic with a = -0.5, antialiased when shrinking, rows before columns.

    Args:
        image: [h, w] or [h, w, c]. Integer input is rounded and clipped to its type after each of the two
            passes, as MATLAB does, and keeps its type; float input stays unrounded and comes back as float64.
        height, width: size of the result in pixels.
        border: how pixels beyond the edge are made: ``nearest`` repeats the outermost one (MATLAB itself, and
            the public x4 data sets), ``symmetric`` mirrors (the Python ports that SRDiff was trained with).
        rounding: of exact halves in integer images, frequent at x4: ``half_up`` (MATLAB) or ``half_even``
            (the Python ports).

    Raises:
        OptionError: for an unknown border or rounding, or a size below one pixel.
    """
    if rounding not in ROUNDINGS:
        raise OptionError(f"rounding is {rounding!r}; choose one of {', '.join(ROUNDINGS)}")
    if border not in BORDERS:
        raise OptionError(f"border is {border!r}; choose one of {', '.join(BORDERS)}")
    if height < 1 or width < 1:
        raise OptionError(f"a size of {height}x{width} was asked for; both must be at least 1")
    rows = _resample_rows(image, height, border, rounding)
    columns = np.ascontiguousarray(rows.swapaxes(0, 1))  # its copy takes less than the passes gain by it
    return _resample_rows(columns, width, border, rounding).swapaxes(0, 1)


def _resample_rows(image: np.ndarray, size: int, border: str, rounding: str) -> np.ndarray:
    index, weight = _taps(image.shape[0], size, border)
    kind = np.float32 if image.dtype == np.uint8 and _is_exact_in_float32(weight) else np.float64
    weight = weight.astype(kind).reshape(weight.shape + (1,) * (image.ndim - 1))
    # One tap after the other: memory stays at a few images, and the order of the sums is fixed.
    result: np.ndarray = np.zeros((size, *image.shape[1:]), kind)
    part = np.empty_like(result)
    for tap in range(index.shape[1]):
        result += np.multiply(weight[:, tap], image[index[:, tap]], out=part)
    if not np.issubdtype(image.dtype, np.integer):
        return result
    if rounding == "half_up":
        np.floor(result + kind(0.5), out=result)
    else:
        np.rint(result, out=result)
    return np.clip(result, 0, np.iinfo(image.dtype).max, out=result).astype(image.dtype)


def _is_exact_in_float32(weight: np.ndarray) -> bool:
    """Whether sums of 8-bit values need no rounding: at x4 weights are whole 1024ths, so 8 + 10 bits and a few taps."""
    return weight.shape[1] <= 8 and bool(np.all(weight * 4096 == np.rint(weight * 4096)))


@lru_cache(maxsize=32)
def _taps(size_in: int, size_out: int, border: str) -> tuple[np.ndarray, np.ndarray]:
    """Source index and weight of every tap: two arrays [size_out, taps]."""
    scale = size_out / size_in
    stretch = min(scale, 1.0)
    support = _CUBIC_SUPPORT / stretch
    # Counted from each source pixel on where the factor is whole: its weights are then the same bits everywhere.
    source, phase = np.divmod(np.arange(size_out), size_out // size_in if size_out % size_in == 0 else size_out)
    centre = (phase + 0.5) / scale - 0.5
    first = np.floor(centre - support / 2)
    position = first[:, None] + np.arange(int(np.ceil(support)) + 2)
    weight = _cubic(stretch * (centre[:, None] - position))
    weight /= weight.sum(axis=1, keepdims=True)
    index = source[:, None] + position.astype(np.int64)
    if border == "nearest":
        index = np.clip(index, 0, size_in - 1)
    else:
        index = np.mod(index, 2 * size_in)
        index = np.minimum(index, 2 * size_in - 1 - index)
    used = np.any(weight != 0, axis=0)
    return index[:, used], weight[:, used]


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5 (IEEE TASSP 29, 1981)."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
