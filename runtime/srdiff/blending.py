"""Puts windows' results together while their neighbours still read what was there before."""

from __future__ import annotations

import numpy as np

from .tiles import Window


class Blending:
    """An image [c, H, W] that is replaced, step by step, by the weighted sums of its windows' results.

    Windows come in the order of :func:`srdiff.tiles.cut`, rows of them from top to bottom. What they give is summed in
    a band one window high, and reaches the image when no window reads those rows any more.

    Args:
        image: what the windows of a step read, and what holds the sums when the step is done.
        height: of a window, in pixels of the image.
        scale: of these, per pixel of the input.
    """

    def __init__(self, image: np.ndarray, height: int, scale: int) -> None:
        self._image = image
        self._scale = scale
        self._band = np.zeros((len(image), height, image.shape[2]), np.float32)
        self._top = 0

    def add(self, window: Window, result: np.ndarray) -> None:
        """One window's result [c, scale * height, scale * width], which is changed."""
        self._settle(window.top * self._scale)
        left = window.left * self._scale
        self._band[:, :, left : left + result.shape[2]] += window.weighted(result)

    def finish(self) -> None:
        """All windows of the step were added."""
        self._settle(self._image.shape[1])
        self._top = 0

    def _settle(self, top: int) -> None:
        """No window reads above ``top`` any more."""
        rows, band = top - self._top, self._band
        if rows == 0:
            return
        self._image[:, self._top : top] = band[:, :rows]
        band[:, : band.shape[1] - rows] = band[:, rows:]
        band[:, band.shape[1] - rows :] = 0
        self._top = top
