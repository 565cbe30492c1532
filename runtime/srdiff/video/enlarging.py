"""A film enlarged: frame by frame with one noise field, in pieces, put together in the end."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np

from ..atomic_files import atomic_file, require_writable
from ..batch.pins import Pins, pins_of
from ..jobs.work import JobSettings, result_size, shrunk
from ..photo.photo import Photo
from ..progress import Progress
from ..unfinished_files import remove_leftovers
from ..upscaler import Upscaler
from . import muxing
from .coding import Coding, Wishes, coding_for
from .film import Film, Part, Shot
from .library import av
from .pieces import Pieces

# Frames that are coded together: what a kill costs at most, and how often one can start to play.
PIECE = 24

# Told (frames done, of which an earlier run made, all if known) while they are made; the first is no whole number.
Tell = Callable[[float, int, "int | None"], None]


@dataclass(frozen=True)
class Made:
    """What came of a film.

    Attributes:
        frames: in it.
        kept: of those, that an earlier run had made.
        size: (width, height) of the result.
        coding: codec, its crf, pixel format.
        unkept: of what belongs to the film, in a few words each.
        interlaced: its frames are two moments in turn, which the model takes for one.
        seconds: of this run.
    """

    frames: int
    kept: int
    size: tuple[int, int]
    coding: str
    unkept: tuple[str, ...]
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

    def make(self, photo: Photo, watch: Callable[[Progress], None] | None = None) -> Photo:
        """The result for a frame; that of the one before where it is the same."""
        if self._last is None or not _same(self._last[0], photo):
            size = result_size(self._upscaler.scale, photo, self._settings)
            result = self._upscaler.enlarge(photo, self._settings.seed, self._settings.sampler, watch)
            self._last = photo, result if size is None else shrunk(result, *size)
        return self._last[1]


def enlarge_film(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    settings: JobSettings,
    part: Part,
    wishes: Wishes,
    tell: Tell,
) -> Made:
    """A film as a larger one, with its sound, subtitles, chapters, rotation, colours and times. What a killed run has
    made the next one takes up, to the same bytes.

    Args:
        source, target: files; the target's suffix is one of :data:`srdiff.video.coding.CONTAINERS`.
        settings: of each frame.
        part: what of the film is taken.
        wishes: codec and crf.
        tell: is told how far it is; may raise to stop.

    Raises:
        ImageError: the source is no film, or damaged.
        OptionError: an argument is outside what it may be, or does not suit the film.
        OutputError: the target cannot be written, or was begun with other settings.
    """
    started = time.perf_counter()
    with Film(source, part, settings.max_pixels) as film:
        height, width = _size(film, upscaler, settings)
        coding = coding_for(film, target, width, height, wishes)
        muxing.check(film, coding, target)
        require_writable(target)
        remove_leftovers(target.parent)
        with Pieces(target, _pins(film, part, coding, upscaler, settings), settings.overwrite) as pieces:
            count, kept, end = _make(film, coding, FrameMaker(upscaler, settings), pieces, tell)
            numbers = range(-(-count // PIECE))
            times = [moment for number in numbers for moment in pieces.times(number)]
            packets = (packet for number in numbers for packet in pieces.packets(number))
            with atomic_file(target) as temporary:
                muxing.write(film, coding, packets, times, end, temporary)
            pieces.remove()
        seconds = time.perf_counter() - started
        return Made(count, kept, (width, height), coding.label, tuple(film.unkept), film.interlaced, seconds)


def _make(film: Film, coding: Coding, maker: FrameMaker, pieces: Pieces, tell: Tell) -> tuple[int, int, int]:
    """All pieces that are not there yet. Gives the frames, how many were there, and when the last one ends."""
    count = kept = end = 0
    for number, shots in enumerate(_cut(film.shots())):
        times = [shot.time for shot in shots]
        end = shots[-1].time + shots[-1].length
        if pieces.has(number, times):
            kept += len(shots)
        else:
            frames = _frames(shots, film, coding, maker, (count, kept), tell)
            pieces.put(number, times, coding.encode(frames, str(pieces.target)))
        count += len(shots)
        tell(count, kept, film.count)
    return count, kept, end


def _frames(
    shots: list[Shot], film: Film, coding: Coding, maker: FrameMaker, so_far: tuple[int, int], tell: Tell
) -> Iterator[tuple[Any, int]]:
    for number, shot in enumerate(shots, so_far[0]):

        def watch(progress: Progress, number: int = number) -> None:
            tell(number + progress.done / progress.total, so_far[1], film.count)

        photo = maker.make(film.colours.photo(shot.frame), watch)
        yield film.colours.frame(photo, coding.format), shot.time


def _cut(shots: Iterator[Shot]) -> Iterator[list[Shot]]:
    while True:
        piece = list(islice(shots, PIECE))
        if not piece:
            return
        yield piece


def _size(film: Film, upscaler: Upscaler, settings: JobSettings) -> tuple[int, int]:
    """(height, width) of the result."""
    blank = Photo(np.zeros((film.height, film.width, 3), np.uint8))
    return result_size(upscaler.scale, blank, settings) or (
        film.height * upscaler.scale,
        film.width * upscaler.scale,
    )


def _pins(film: Film, part: Part, coding: Coding, upscaler: Upscaler, settings: JobSettings) -> Pins:
    """All that decides a piece's bytes besides its frames' times. The end is none of them: a film can be ended earlier
    once it turns out to be damaged.
    """
    digest = hashlib.sha256()
    with film.path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    pins = pins_of(upscaler, settings)
    libraries = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    pins["versions"] = {**pins["versions"], "av": av.__version__, **libraries}
    return {
        **pins,
        "input": digest.hexdigest(),
        "start": None if part.start is None else str(part.start),
        "coding": coding.label,
        "piece": PIECE,
    }


def _same(first: Photo, second: Photo) -> bool:
    if not np.array_equal(first.pixels, second.pixels):
        return False
    return first.alpha is None or second.alpha is None or np.array_equal(first.alpha, second.alpha)
