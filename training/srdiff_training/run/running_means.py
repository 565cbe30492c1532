"""Running numbers of a loop: loss, norm of the gradient, images per second."""

from __future__ import annotations

import time
from typing import Any


class RunningMeans:
    """``with meter:`` around each step, then :meth:`add`. The first step, which compiles, counts for no rate.

    Args:
        images: per step.
    """

    def __init__(self, images: int) -> None:
        self.images = images
        self.loss = float("nan")  # of the last step
        self.rate = float("nan")  # images per second since the row's start
        self._compiled = False
        self.start_row()

    def start_row(self) -> None:
        """Begin the means and the rate anew."""
        self._losses: list[float] = []
        self._norms: list[float] = []
        self._seconds = 0.0
        self._timed = 0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *error: Any) -> None:
        if self._compiled:
            self._seconds += time.perf_counter() - self._start
            self._timed += 1
            self.rate = self.images * self._timed / self._seconds
        self._compiled = True

    @property
    def words(self) -> str:
        """For a progress bar."""
        return f"loss {self.loss:.4f}" + (f", {self.rate:.1f} images/s" if self.rate == self.rate else "")

    def add(self, loss: float, norm: float) -> None:
        self.loss = loss
        self._losses.append(loss)
        self._norms.append(norm)

    @property
    def mean_loss(self) -> float:
        """Of the steps since the row's start."""
        return sum(self._losses) / len(self._losses)

    @property
    def mean_norm(self) -> float:
        return sum(self._norms) / len(self._norms)
