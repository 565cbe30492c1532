"""How fast this machine is, by what it has done; for what a job will take, and who may wait how long."""

from __future__ import annotations

import threading
from math import inf

# A smaller image takes as long as one of so many pixels: what a step costs beside its pixels.
LEAST_PIXELS = 64 * 64
# What the work before counts beside a new piece of work: the last ten or so decide.
_MEMORY = 0.9


class Speed:
    """Seconds per step and pixel of the input, weighted by the work; safe from any thread."""

    def __init__(self) -> None:
        self._seconds = self._work = 0.0
        self._lock = threading.Lock()

    def note(self, pixels: int, steps: int, seconds: float) -> None:
        with self._lock:
            self._seconds = self._seconds * _MEMORY + seconds
            self._work = self._work * _MEMORY + max(pixels, LEAST_PIXELS) * steps

    def seconds(self, pixels: int, steps: int) -> float:
        """Predicted; 0 before anything was measured."""
        with self._lock:
            return max(pixels, LEAST_PIXELS) * steps * self._seconds / self._work if self._work else 0.0

    def pixels(self, seconds: float, steps: int) -> float:
        """What can be done in so many seconds, predicted: none where already the smallest image takes longer."""
        least = self.seconds(LEAST_PIXELS, steps)
        if not least:
            return inf
        return LEAST_PIXELS * seconds / least if least <= seconds else 0.0
