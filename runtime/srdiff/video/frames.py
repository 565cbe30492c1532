"""Frames one after the other, with one noise field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import numpy as np

from ..errors import ImageError
from ..jobs.work import JobSettings, result_size, shrunk
from ..looking import is_stream
from ..photo.photo import Photo
from ..progress import Watch
from ..upscaler import Upscaler

# Told (frames done, of which an earlier run made, all if known) while they are made; the first is no whole number.
Tell = Callable[[float, int, Optional[int]], None]


@dataclass(frozen=True)
class Made:
    """What came of a film.

    Attributes:
        frames: in it.
        kept: of those, that an earlier run had made.
        size: (width, height) of the result.
        coding: format, or codec, its crf and pixel format.
        unkept: of what belongs to the film, in a few words each.
        interlaced: its frames are two moments in turn, which the model takes for one.
        seconds: of this run.
    """

    frames: int
    kept: int
    size: tuple[int, int]
    coding: str
    unkept: list[str]
    interlaced: bool
    seconds: float


class FrameMaker:
    """Enlarges frames with the same noise for each, so that what stands still stays still.

    Args:
        upscaler: of the model.
        settings: seed, sampler, and the size of results.
    """

    def __init__(self, upscaler: Upscaler, settings: JobSettings) -> None:
        self._upscaler = upscaler
        self._settings = settings
        self._last: tuple[Photo, Photo] | None = None

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the result for a frame of this size.

        Raises:
            OptionError: the settings ask for more than the model gives.
        """
        scale = self._upscaler.scale
        high, wide = result_size(scale, (height, width), self._settings) or (height * scale, width * scale)
        return wide, high

    def make(self, photo: Photo, watch: Watch | None = None) -> Photo:
        """The result for a frame; that of the one before where it is the same."""
        if self._last is None or not _same(self._last[0], photo):
            size = result_size(self._upscaler.scale, photo.pixels.shape, self._settings)
            result = self._upscaler.enlarge(photo, self._settings.seed, self._settings.sampler, watch)
            self._last = photo, result if size is None else shrunk(result, *size)
        return self._last[1]


def _same(first: Photo, second: Photo) -> bool:
    if not np.array_equal(first.pixels, second.pixels) or (first.alpha is None) != (second.alpha is None):
        return False
    return first.alpha is None or second.alpha is None or np.array_equal(first.alpha, second.alpha)


def refuse_stream(path: Path) -> None:
    """Raises ImageError for a source in which one cannot go back; opening a pipe may even wait for ever."""
    if is_stream(path):
        raise ImageError(f"{path} is a pipe or a device, where one cannot go back; save it as a file and give that")
