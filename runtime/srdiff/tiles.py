"""Cuts an image into windows of one shape whose overlaps are blended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import OptionError

MIN_TILE, MAX_TILE = 128, 512


@dataclass(frozen=True)
class Window:
    """A rectangle of the image and how much its result counts there.

    Attributes:
        top, left, height, width: in LR pixels.
        row_weight, column_weight: [scale * height] and [scale * width] float32; over all windows that cover a pixel
            of the result, the products add up to 1.
    """

    top: int
    left: int
    height: int
    width: int
    row_weight: np.ndarray
    column_weight: np.ndarray

    def lr(self, image: np.ndarray) -> np.ndarray:
        """This window of an array [..., h, w] of LR size."""
        return image[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def hr(self, image: np.ndarray, scale: int) -> np.ndarray:
        """This window of an array [..., scale * h, scale * w]."""
        y, x = self.top * scale, self.left * scale
        return image[..., y : y + self.height * scale, x : x + self.width * scale]

    def weighted(self, result: np.ndarray) -> np.ndarray:
        """This window's share of a result [c, scale * height, scale * width], which is changed in place."""
        for part in _unlike_one(self.row_weight):
            result[:, part] *= self.row_weight[part, None]
        for part in _unlike_one(self.column_weight):
            result[:, :, part] *= self.column_weight[part]
        return result


def _unlike_one(weight: np.ndarray) -> list[slice]:
    """What lies before and behind the middle, where a weight is exactly 1 and need not be multiplied by."""
    ones = np.flatnonzero(weight == 1)
    if len(ones) == 0 or ones[-1] - ones[0] >= len(ones):
        return [slice(None)]
    return [slice(None, ones[0]), slice(ones[-1] + 1, None)]


def fit_window(height: int, width: int, tile: int, overlap: int, multiple: int) -> tuple[int, int]:
    """The window (rows, columns) for an image: of at most tile x tile pixels, and as square as fits the image.

    Where it saves a thirtieth of the pixels or more it is another, with sides of half to twice the tile: windows that
    reach from edge to edge share nothing there. Of 512x384 with a tile of 384, two windows of 274x388 take a tenth
    less time than four of 274x210 (measured).

    All in LR pixels; height and width, and so the result, are multiples of ``multiple``.

    Raises:
        OptionError: as :func:`fit_tile`.
    """

    def computed(window: tuple[int, int]) -> int:
        return _count(height, window[0], overlap) * _count(width, window[1], overlap) * window[0] * window[1]

    square = (fit_tile(height, tile, overlap, multiple), fit_tile(width, tile, overlap, multiple))
    shortest = max(tile // 2 // multiple * multiple, least_tile(overlap, multiple))
    sides = range(shortest, 2 * tile + 1, multiple)
    rows, columns = ({fit_tile(size, side, overlap, multiple) for side in sides} for size in (height, width))
    others = [(row, column) for row in sorted(rows) for column in sorted(columns) if row * column <= tile * tile]
    best = min(others, key=computed)
    return best if 30 * computed(best) <= 29 * computed(square) else square


def fit_tile(size: int, tile: int, overlap: int, multiple: int) -> int:
    """The smallest window, at most ``tile``, that covers ``size`` with as few windows as ``tile`` does.

    All in LR pixels; ``size``, and so the result, is a multiple of ``multiple``.

    Raises:
        OptionError: unless the tile is larger than twice the overlap, and both are multiples of ``multiple``.
    """
    if overlap < 0 or overlap % multiple:
        nearest = max(round(overlap / multiple), 0) * multiple
        raise OptionError(f"an overlap of {overlap} was asked for; it is a multiple of {multiple}: take {nearest}")
    least = least_tile(overlap, multiple)
    if tile < least or tile % multiple:
        raise OptionError(
            f"a tile of {tile} with an overlap of {overlap} was asked for; it is a multiple of {multiple} and at least "
            f"{least}, which is more than twice the overlap: take {max(least, round(tile / multiple) * multiple)}"
        )
    if size <= tile:
        return size
    count = _count(size, tile, overlap)
    covered = size + (count - 1) * overlap
    return -(-covered // (count * multiple)) * multiple


def least_tile(overlap: int, multiple: int) -> int:
    """The smallest window that is larger than twice the overlap, in LR pixels."""
    return (2 * overlap // multiple + 1) * multiple


def tile_within(memory: float, bytes_per_pixel: float, scale: int) -> int:
    """The largest window in LR pixels whose run takes an eighth of the memory, in steps of 64 between bounds.

    Larger windows compute less twice: with an overlap of 32, 256 costs 31 % more than the image alone, 384 costs
    19 % and 512 costs 14 %.

    Args:
        memory: bytes that the process may use.
        bytes_per_pixel: that a run takes, per pixel of the result.
        scale: side of the result over side of the input.
    """
    side = (memory / 8 / bytes_per_pixel) ** 0.5 / scale
    return int(min(max(side // 64 * 64, MIN_TILE), MAX_TILE))


def choose_tile(height: int, width: int, tiles: list[tuple[int, int]], overlap: int) -> tuple[int, int]:
    """Of tiles (rows, columns) that cannot be changed, the one that covers an image with the fewest pixels in all.

    All in LR pixels. A tile may be larger than the image, which then has to be padded to it.
    """

    def computed(tile: tuple[int, int]) -> int:
        shared = tile_overlap(tile, overlap, 1)
        return _count(height, tile[0], shared) * _count(width, tile[1], shared) * tile[0] * tile[1]

    return min(tiles, key=computed)


def tile_overlap(tile: tuple[int, int], overlap: int, multiple: int) -> int:
    """``overlap``, or the largest multiple below it that is less than half of the tile."""
    return min(overlap, (min(tile) - 1) // 2 // multiple * multiple)


def cut(height: int, width: int, tile: tuple[int, int], overlap: int, multiple: int, scale: int) -> list[Window]:
    """Windows of exactly ``tile`` = (rows, columns), evenly spread, sharing at least ``overlap`` with neighbours.

    All in LR pixels. Every window starts at a multiple of ``multiple``: on the pixel grid of the UNet's coarsest
    level, so that a window sees what the whole image would.
    """
    rows = _spans(height, tile[0], overlap, multiple, scale)
    columns = _spans(width, tile[1], overlap, multiple, scale)
    return [
        Window(top, left, tile[0], tile[1], row_weight, column_weight)
        for top, row_weight in rows
        for left, column_weight in columns
    ]


def _count(size: int, tile: int, overlap: int) -> int:
    return 1 if size <= tile else -(-(size - overlap) // (tile - overlap))


def _spans(size: int, tile: int, overlap: int, multiple: int, scale: int) -> list[tuple[int, np.ndarray]]:
    """Start and weights of each window along one axis."""
    count = _count(size, tile, overlap)
    starts = [round(start / multiple) * multiple for start in np.linspace(0, size - tile, count)]
    total = np.zeros(size * scale)
    weights = []
    for start in starts:
        weight = np.ones(tile * scale)
        if start > 0:
            weight *= _ramp(tile * scale, overlap * scale)
        if start + tile < size:
            weight *= _ramp(tile * scale, overlap * scale)[::-1]
        total[start * scale : (start + tile) * scale] += weight
        weights.append(weight)
    return [
        (start, (weight / total[start * scale : (start + tile) * scale]).astype(np.float32))
        for start, weight in zip(starts, weights)
    ]


def _ramp(length: int, overlap: int) -> np.ndarray:
    """0 to 1 over the middle eighth of an overlap, then 1: the further from a cut edge, the more exact."""
    position = (np.arange(length) + 0.5) / max(overlap, 1)
    return np.clip(8 * position - 3.5, 0, 1)
