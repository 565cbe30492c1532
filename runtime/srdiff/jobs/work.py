"""Makes one image: read, enlarge, write, and tell what came of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np

from ..atomic_files import make_folder, require_writable
from ..diversity import Wanted
from ..errors import OptionError, OutputError, SRDiffError, Stopped, one_line
from ..looking import is_there
from ..photo.photo import Photo
from ..photo.read import DEFAULT_MAX_PIXELS, read_photo
from ..photo.unkept import unkept
from ..photo.write import check_storable, write_photo
from ..progress import Watch
from ..resize import bicubic
from ..samplers import Sampler
from ..standard_streams import input_bytes, output_bytes
from ..upscaler import Upscaler
from ..whole import keep_whole, whole
from .targets import Job, finished

DONE, SKIPPED, FAILED = "done", "skipped", "failed"

# Told a result's name and the file that is about to get it; see Piece.
Promise = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Crop:
    """A rectangle of the input, in its pixels after the EXIF orientation."""

    left: int
    top: int
    width: int
    height: int

    def __post_init__(self) -> None:
        for name, least in (("left", 0), ("top", 0), ("width", 1), ("height", 1)):
            keep_whole(self, name, least, of="crop's ")

    def apply(self, photo: Photo) -> Photo:
        height, width = photo.pixels.shape[:2]
        if self.left + self.width > width or self.top + self.height > height:
            raise OptionError(
                f"crop {self.left},{self.top},{self.width},{self.height} reaches out of the picture, which is "
                f"{width}x{height}; give a rectangle within it"
            )
        part = (slice(self.top, self.top + self.height), slice(self.left, self.left + self.width))
        alpha = None if photo.alpha is None else np.ascontiguousarray(photo.alpha[part])
        return photo.enlarged(np.ascontiguousarray(photo.pixels[part]), alpha)


@dataclass(frozen=True)
class JobSettings:
    """How images are made; the same for every image of a batch.

    Attributes:
        seed: of every image, 0 to 2**64 - 1.
        sampler: None takes the bundle's default preset.
        wanted: how many results, and what is made of them.
        crop: take this part of each input only.
        scale: side of the result over side of the input, 1 up to the model's own; the model's result is shrunk to it
            by the antialiased bicubic. None keeps the model's.
        size: (width, height) of the result instead; within the model's result, aspect as given.
        quality: of lossy formats, 1 to 100; None is the format's default here.
        max_pixels: larger inputs are refused before they are decoded.
        overwrite: replace results that exist.

    Raises:
        OptionError: a number is outside what it may be, or scale and size are both given.
    """

    seed: int = 0
    sampler: Sampler | None = None
    wanted: Wanted = field(default_factory=Wanted)
    crop: Crop | None = None
    scale: int | None = None
    size: tuple[int, int] | None = None
    quality: int | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.scale is not None and self.size is not None:
            raise OptionError("scale and size both say how large the result is; leave out one of them")
        keep_whole(self, "seed", 0, 2**64 - 1)
        if self.scale is not None:
            keep_whole(self, "scale", 1)
        if self.size is not None:
            object.__setattr__(self, "size", _sides(self.size))
        if self.quality is not None:
            keep_whole(self, "quality", 1, 100)
        keep_whole(self, "max_pixels", 1)
        object.__setattr__(self, "overwrite", bool(self.overwrite))


def _sides(size: Any) -> tuple[int, int]:
    """A size as plain numbers; raises OptionError."""
    try:
        width, height = size
    except (TypeError, ValueError):
        raise OptionError(f"size is {size!r}; it must be a width and a height") from None
    return whole("size's width", width, 1), whole("size's height", height, 1)


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        status: ``done``, ``skipped`` (every result was there) or ``failed``.
        written, kept: files made, and files that were there and stay; empty for standard output.
        unkept: what belongs to the image that the result's format does not hold.
        frames: in the file that was read, or pages.
        size: (width, height) of the result.
        seconds: of reading, computing and writing, without what it waited between them.
        error: of a failure; names the source.
        note: about what is kept, for a reader.
    """

    job: Job
    status: str
    written: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()
    unkept: tuple[str, ...] = ()
    frames: int = 1
    size: tuple[int, int] | None = None
    seconds: float = 0.0
    error: SRDiffError | None = None
    note: str | None = None


class Piece:
    """A job in three stages: read, compute, write. Each may run in another thread than the one before it.

    Whatever is wrong with the job's files ends it and becomes its outcome, so that the next job can follow. Errors that
    say that nothing else would succeed either, such as an interrupt or a fault of this program, pass.

    Args:
        promise: told of each result once all of it is on the disk, before it gets its name; what it raises prevents
            that.
    """

    def __init__(self, job: Job, settings: JobSettings, promise: Promise | None = None) -> None:
        self.job = job
        self.settings = settings
        self._promise = promise
        self._error: SRDiffError | None = None
        self._photo: Photo | None = None
        self._shrink_to: tuple[int, int] | None = None  # (height, width)
        self._kept: list[Path] = []
        self._written: list[Path] = []
        self._unkept: tuple[str, ...] = ()
        self._frames = 1
        self._size: tuple[int, int] | None = None
        self._spent: list[float] = []  # seconds; appended to from several threads

    def read(self, scale: int) -> None:
        """The input, and whether its result could be written; nothing where every result is there.

        Args:
            scale: the model's.
        """
        with self._stage():
            if self.job.problem is not None:
                raise self.job.problem
            targets = self.settings.wanted.targets(self.job.target)
            if not self.settings.overwrite:
                self._kept = [target for target in targets if target is not None and finished(target)]
            path = self.job.source.path
            if len(self._kept) < len(targets) or not (path is None or is_there(path)):  # which reading refuses
                self._photo = self._readable(scale)

    def _readable(self, scale: int) -> Photo:
        source, settings = self.job.source, self.settings
        photo = read_photo(source.path or input_bytes(), settings.max_pixels, source.frame or 0)
        self._frames, self._unkept = photo.frames, tuple(unkept(photo, self.job.format))
        if settings.crop is not None:
            photo = settings.crop.apply(photo)
        self._shrink_to = result_size(scale, photo.pixels.shape, settings)
        check_storable(photo, self.job.format, scale, self._shrink_to)
        if self.job.target is not None:
            require_writable(self.job.target)
        return photo

    def results(self, upscaler: Upscaler, watch: Watch | None = None) -> Iterator[tuple[Path | None, Photo]]:
        """Compute what is to be written, each result as soon as it is there; none once a stage has failed."""
        photo, self._photo = self._photo, None
        if photo is None:
            return
        wanted = self.settings.wanted
        made = wanted.make(upscaler, photo, self.settings.seed, self.settings.sampler, watch)
        for target in wanted.targets(self.job.target):
            if self._error is None:
                with self._stage():
                    result = next(made)
            if self._error is not None:
                return
            if target is None or target not in self._kept:
                yield target, result

    def write(self, target: Path | None, result: Photo) -> None:
        """One of the results; None is standard output."""
        with self._stage():
            shown = result if self._shrink_to is None else shrunk(result, *self._shrink_to)
            before = None if target is None or self._promise is None else partial(self._promise, target)
            if target is not None:
                make_folder(target)
            options = (self.settings.quality, before, self.settings.overwrite)
            write_photo(shown, target or output_bytes(), self.job.format, *options)
            self._size = (shown.pixels.shape[1], shown.pixels.shape[0])
            if target is not None:
                self._written.append(target)

    def outcome(self) -> Outcome:
        """What came of it, after all stages."""
        seconds = sum(self._spent)
        if self._error is not None:
            return Outcome(self.job, FAILED, seconds=seconds, error=self._error)
        if self._size is None:
            return Outcome(self.job, SKIPPED, kept=tuple(self._kept))
        targets = self.settings.wanted.targets(self.job.target)
        written = tuple(target for target in targets if target is not None and target in self._written)
        return Outcome(self.job, DONE, written, tuple(self._kept), self._unkept, self._frames, self._size, seconds)

    @contextmanager
    def _stage(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        except Stopped:
            raise
        except SRDiffError as error:
            self._error = _naming(self.job, error)
        except (OSError, MemoryError, RecursionError, UnicodeError) as error:
            self._error = OutputError(
                f"{self.job.source.name} failed ({type(error).__name__}: {one_line(error)}); try it alone"
            )
        finally:
            self._spent.append(time.perf_counter() - started)


def attempt(
    upscaler: Upscaler, job: Job, settings: JobSettings, watch: Watch | None = None, promise: Promise | None = None
) -> Outcome:
    """Do a job, one stage after the other; see :class:`Piece`."""
    piece = Piece(job, settings, promise)
    piece.read(upscaler.scale)
    for target, result in piece.results(upscaler, watch):
        piece.write(target, result)
    return piece.outcome()


def result_size(scale: int, shape: tuple[int, ...], settings: JobSettings) -> tuple[int, int] | None:
    """(height, width) to shrink the result of a model of this scale to, for an image [h, w] or [h, w, 3]; None leaves
    it as it is. Raises OptionError where more is asked for than the model makes."""
    height, width = shape[:2]
    full = (height * scale, width * scale)
    if settings.scale is not None:
        if settings.scale > scale:
            raise OptionError(f"scale {settings.scale} was asked for and the model enlarges {scale} times; give less")
        asked = (height * settings.scale, width * settings.scale)
    elif settings.size is not None:
        asked = (settings.size[1], settings.size[0])
        if asked[0] > full[0] or asked[1] > full[1]:
            raise OptionError(
                f"size {asked[1]}x{asked[0]} is more than the {full[1]}x{full[0]} that the model makes of it; give less"
            )
    else:
        return None
    return None if asked == full else asked


def shrunk(photo: Photo, height: int, width: int) -> Photo:
    alpha = None if photo.alpha is None else bicubic(photo.alpha, height, width)
    return photo.enlarged(bicubic(photo.pixels, height, width), alpha)


def _naming(job: Job, error: SRDiffError) -> SRDiffError:
    """The error with the source's name in it, of the same class."""
    text: Any = str(error)
    if job.source.name in text:
        return error
    named = type(error)(f"{job.source.name}: {text}")
    named.__cause__ = error
    return named
