"""Noise that depends on the seed, the step and the position in the result, and on nothing else."""

from __future__ import annotations

from typing import Callable

import numpy as np

from .strips import in_strips
from .whole import whole

# (stream, top, left, height, width) in HR pixels -> [3, height, width] float32
NoiseSource = Callable[[int, int, int, int, int], np.ndarray]

BLOCK = 64  # HR pixels; changing it changes every seed's picture


def philox_noise(seed: int, sample: int = 0, threads: int = 1) -> NoiseSource:
    """Standard normal noise, keyed by position: any window can be asked for, in any order, from any thread.

    The result is cut into blocks of 64x64 pixels, each with a counter range of its own of the Philox generator
    (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), so tile size, batch, thread count and
    engine cannot change a pixel.

    Args:
        seed: 0 … 2**64 - 1.
        sample: index of a further, independent result of the same seed.
        threads: that a large window is drawn by.

    Raises:
        OptionError: one of them is no such number.
    """
    seed, sample = whole("seed", seed, 0, 2**64 - 1), whole("sample", sample, 0, 2**64 - 1)

    def block(stream: int, row: int, column: int) -> np.ndarray:
        key = np.array([seed, stream], np.uint64)  # a list with a large seed would pass through float64
        bits = np.random.Philox(key=key, counter=[0, row, column, sample])
        return np.random.Generator(bits).standard_normal((3, BLOCK, BLOCK), dtype=np.float32)

    def window(stream: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        noise = np.empty((3, height, width), np.float32)
        first, last = top // BLOCK, -(-(top + height) // BLOCK)

        def draw(begin: int, rows: int) -> None:
            for row in range(first + begin, first + begin + rows):
                for column in range(left // BLOCK, -(-(left + width) // BLOCK)):
                    y0, y1 = max(top, row * BLOCK), min(top + height, (row + 1) * BLOCK)
                    x0, x1 = max(left, column * BLOCK), min(left + width, (column + 1) * BLOCK)
                    noise[:, y0 - top : y1 - top, x0 - left : x1 - left] = block(stream, row, column)[
                        :, y0 - row * BLOCK : y1 - row * BLOCK, x0 - column * BLOCK : x1 - column * BLOCK
                    ]

        in_strips(draw, last - first, 1, threads)
        return noise

    return window
