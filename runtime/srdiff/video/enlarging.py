"""A film enlarged: frame by frame with one noise field, in pieces, put together in the end."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Any, Iterator

from ..atomic_files import atomic_file, require_writable
from ..atomic_folders import kept_if_filled
from ..batch.pins import Pins, pins_of
from ..jobs.work import JobSettings
from ..progress import Progress
from ..unfinished_files import remove_leftovers
from ..upscaler import Upscaler
from . import muxing
from .coding import Coding, Wishes, coding_for
from .film import Film, Part, Shot
from .frames import FrameMaker, Made, Tell
from .library import av, reading
from .pieces import Pieces

# Frames that are coded together: what a kill costs at most, and how often one can start to play.
PIECE = 24


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
        ImageError: the source is no film, damaged, or changes meanwhile.
        OptionError: an argument is outside what it may be, or does not suit the film.
        OutputError: the target cannot be written, or was begun with other settings.
    """
    started = time.perf_counter()
    with Film(source, part, settings.max_pixels) as film:
        maker = FrameMaker(upscaler, settings)
        width, height = maker.size(film.width, film.height)
        coding = coding_for(film, target, width, height, wishes)
        muxing.check(film, coding, target)
        require_writable(target)
        remove_leftovers(target.parent)
        pins = _pins(film, part, coding, upscaler, settings)
        with kept_if_filled(target.parent), Pieces(target, pins, settings.overwrite) as pieces:
            count, kept, end = _make(film, coding, maker, pieces, tell)
            numbers = range(-(-count // PIECE))
            times = [moment for number in numbers for moment in pieces.times(number)]
            packets = (packet for number in numbers for packet in pieces.packets(number))
            with atomic_file(target, replace=settings.overwrite) as temporary:
                muxing.write(film, coding, packets, times, end, target, temporary)
                film.source.stay()
            pieces.remove()
        seconds = time.perf_counter() - started
        unkept = [*film.unkept, *coding.unkept]
        return Made(count, kept, (width, height), coding.label, unkept, film.interlaced, seconds)


def _make(film: Film, coding: Coding, maker: FrameMaker, pieces: Pieces, tell: Tell) -> tuple[int, int, int]:
    """All pieces that are not there yet. Gives the frames, how many were there, and when the last one ends."""
    count = kept = end = 0

    def told(frames: float, kept: int, total: int | None) -> None:
        pieces.stay()
        tell(frames, kept, total)

    for number, shots in enumerate(_cut(film.shots())):
        times = [shot.time for shot in shots]
        end = shots[-1].time + shots[-1].length
        if pieces.has(number, times):
            kept += len(shots)
        else:
            frames = _frames(shots, film, coding, maker, (count, kept), told)
            coded = coding.encode(frames, str(pieces.target))
            film.source.stay()
            pieces.put(number, times, coded)
        count += len(shots)
        told(count, kept, film.count)
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


def _pins(film: Film, part: Part, coding: Coding, upscaler: Upscaler, settings: JobSettings) -> Pins:
    """All that decides a piece's bytes besides its frames' times. The end is none of them: a film can be ended earlier
    once it turns out to be damaged.
    """
    with reading(film.name):
        digest = film.source.sha256()
    pins = pins_of(upscaler, settings)
    libraries = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    pins["versions"] = {**pins["versions"], "av": av.__version__, **libraries}
    return {
        **pins,
        "input": digest,
        "start": None if part.start is None else str(part.start),
        "coding": coding.label,
        "piece": PIECE,
    }
