"""How far a run is, and what the picture looks like by now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable

import numpy as np

from .manifest import CLAMP_LIMIT, Manifest
from .resize import bicubic
from .tiles import Window


@dataclass(frozen=True)
class Progress:
    """The state after one run of the step graph.

    Attributes:
        done, total: runs of the step graph.
        window: what the last run was about, in LR pixels of the padded image.
        x0: gives its present guess of x_0, [3, scale * height, scale * width] float32; to be called before the
            callback returns, since the next run writes there.
        seconds: that the last run took, without compiling and the encoder.
        pixels: of the whole result, with the margin it is computed with.
    """

    done: int
    total: int
    window: Window
    x0: Callable[[], np.ndarray]
    seconds: float
    pixels: int


# Told after each run of the step graph; may raise to stop.
Watch = Callable[[Progress], None]
# The same without the picture: (done, total)
Callback = Callable[[int, int], None]


def watch_with(callback: Callback | None) -> Watch | None:
    """A two-argument callback as a watch."""
    if callback is None:
        return None
    return lambda progress: callback(progress.done, progress.total)


class Pace:
    """Seconds that a run still takes, by those it took so far; one per run."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._since: tuple[float, int] | None = None  # before which graphs were compiled

    def left(self, progress: Progress) -> float:
        """To be called after each run of the step graph."""
        now = self._clock()
        if self._since is None:
            self._since = now, progress.done
            each = progress.seconds
        else:
            began, done = self._since
            each = (now - began) / (progress.done - done)
        return (progress.total - progress.done) * each


class Preview:
    """A small picture of a run, kept up to date window by window; one per image.

    Args:
        pixels: of the input, integers [h, w, 3].
        manifest: of the model.
        side: of the picture's longer side at most, in pixels.
    """

    def __init__(self, pixels: np.ndarray, manifest: Manifest, side: int = 256) -> None:
        self._manifest = manifest
        longer = max(pixels.shape[:2]) * manifest.scale
        self._step = -(-longer // side)  # HR pixels per pixel of the preview
        height, width = (-(-size * manifest.scale // self._step) for size in pixels.shape[:2])
        self._shape = (height, width)
        white = np.iinfo(pixels.dtype).max
        shown = np.clip(bicubic(pixels.astype(np.float64) * (255 / white), height, width), 0, 255)
        self._lr_up = shown.astype(np.float32)
        self._residual = np.zeros((height, width, 3), np.float32)

    def take(self, progress: Progress) -> None:
        """Note what the last run of the step graph made of its window."""
        scale, step, window = self._manifest.scale, self._step, progress.window
        # Preview pixel i is HR pixel i * step of the picture, which begins `margin` LR pixels into the padded one.
        origin = [(start - self._manifest.margin) * scale for start in (window.top, window.left)]
        first = [max(-(-start // step), 0) for start in origin]
        stop = [
            min((start + size * scale - 1) // step + 1, limit)
            for start, size, limit in zip(origin, (window.height, window.width), self._shape)
        ]
        if first[0] >= stop[0] or first[1] >= stop[1]:
            return
        rows, columns = (np.arange(low, high) * step - start for low, high, start in zip(first, stop, origin))
        seen = progress.x0()[:, rows[:, None], columns]
        self._residual[first[0] : stop[0], first[1] : stop[1]] = seen.transpose(1, 2, 0)

    def picture(self) -> np.ndarray:
        """[h, w, 3] uint8: the enlarged input with what is known of the residual."""
        residual = np.clip(self._residual, -CLAMP_LIMIT, CLAMP_LIMIT) * np.float32(127.5 / self._manifest.res_rescale)
        return np.rint(np.clip(self._lr_up + residual, 0, 255)).astype(np.uint8)
