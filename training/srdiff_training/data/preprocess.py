"""Photos to numbered pairs of true image and input, in the model card's folders."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Generator

import numpy as np
from PIL import Image

from srdiff.atomic_files import atomic_file
from srdiff.errors import ImageError, OptionError, OutputError

from ..measure.pairs import Pair
from .datasets import Split
from .preprocess_record import Record


@dataclass(frozen=True)
class PreprocessOptions:
    """What decides on the pixels that are written.

    Attributes:
        scale: side of the true image over side of the input.
        crop_size: largest side of a training image in HR pixels, a multiple of the scale; None keeps images whole.
    """

    scale: int = 4
    crop_size: int | None = None

    def __post_init__(self) -> None:
        if self.scale < 2:
            raise OptionError(f"--scale is {self.scale}; it is at least 2")
        if self.crop_size is not None and (self.crop_size < 1 or self.crop_size % self.scale):
            raise OptionError(f"--crop-size is {self.crop_size}; give a multiple of the scale {self.scale}, like 480")


@dataclass(frozen=True)
class PreprocessResult:
    """What became of a split.

    Attributes:
        folder: of the split.
        images: files in its X1, as many as in X4.
        made: photos made in this run.
        kept: photos that an earlier run had made.
        damaged: sentences about photos that were skipped.
        source: where the inputs come from.
    """

    folder: Path
    images: int
    made: int
    kept: int
    damaged: tuple[str, ...]
    source: str


def preprocess(
    split: Split,
    folder: Path,
    settings: PreprocessOptions,
    jobs: int = 1,
    overwrite: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> PreprocessResult:
    """Write ``X1/image_0000.png`` and its input ``X4/image_0000.png`` and so on, or what of them is missing.

    A number stays with its photo: photos that are new in the source get the next ones, and those that have changed
    are made again. Cut photos become ``image_0000_0000.png``, ``image_0000_0001.png``, …, evenly spread and
    overlapping where the size is no multiple; only ``train`` is cut.

    Args:
        split: what to read.
        folder: of the result.
        settings: see :class:`PreprocessOptions`.
        jobs: processes.
        overwrite: remove what was made with other settings.
        advance: called after each photo.

    Raises:
        OptionError: the folder was made with other settings, or from photos that are gone.
        OutputError: a result cannot be written, for want of space for instance.
        ImageError: every photo is damaged.
    """
    if split.name != "train":
        settings = PreprocessOptions(settings.scale)
    source = "official" if split.official else "MATLAB bicubic"
    record = Record(folder, {**asdict(settings), "inputs": source}, overwrite)
    record.require_sources([pair.hr.name for pair in split.pairs])
    present = record.present()
    todo = []
    for pair in split.pairs:
        entry = record.entries.setdefault(pair.hr.name, {"number": len(record.entries), "images": 0, "stamp": []})
        names = _names(entry["number"], entry["images"], settings)
        stamp = _stamp(pair)
        if names and entry["stamp"] == stamp and present.issuperset(names):
            advance()
            continue
        record.remove(names)
        entry.update(stamp=stamp, images=0)
        todo.append(_Task(pair, folder, settings, entry["number"]))
    damaged = []
    if todo:
        with record.kept(), closing(_run(todo, jobs)) as results:
            for task, result in results:
                if isinstance(result, ImageError):
                    damaged.append(str(result))
                else:
                    record.entries[task.pair.hr.name]["images"] = result
                record.write_now_and_then()
                advance()
    images = sum(entry["images"] for entry in record.entries.values())
    if not images:
        raise ImageError(f"no image of {split.pairs[0].hr.parent} can be used; the first: {damaged[0]}")
    made = len(todo) - len(damaged)
    return PreprocessResult(folder, images, made, len(split.pairs) - len(todo), tuple(sorted(damaged)), source)


@dataclass(frozen=True)
class _Task:
    """One photo to read and write."""

    pair: Pair
    folder: Path
    settings: PreprocessOptions
    number: int

    def __call__(self) -> int:
        """The number of images that it became."""
        scale = self.settings.scale
        try:
            hr, lr = self.pair.load(scale)
        except MemoryError as error:
            raise ImageError(f"{self.pair.hr} does not fit into memory; use fewer --jobs") from error
        side = self.settings.crop_size
        tops, lefts = ([0] if side is None else _starts(size, side, scale) for size in hr.shape[:2])
        corners = [(top, left) for top in tops for left in lefts]
        for name, (top, left) in zip(_names(self.number, len(corners), self.settings), corners):
            y, x = top // scale, left // scale
            lr_side = None if side is None else side // scale
            _write(self.folder / "X1" / name, _window(hr, top, left, side))
            _write(self.folder / f"X{scale}" / name, _window(lr, y, x, lr_side))
        return len(corners)


def _window(image: np.ndarray, top: int, left: int, side: int | None) -> np.ndarray:
    """At most ``side`` rows and columns from a corner; all that there are without one."""
    return image if side is None else image[top : top + side, left : left + side]


def _names(number: int, images: int, settings: PreprocessOptions) -> list[str]:
    """Names of the files that a photo becomes, in each of the two folders."""
    if settings.crop_size is None:
        return [f"image_{number:04d}.png"] * min(images, 1)
    return [f"image_{number:04d}_{index:04d}.png" for index in range(images)]


def _starts(size: int, side: int, multiple: int) -> list[int]:
    """As few windows as cover ``size``, evenly spread; all numbers are multiples of ``multiple``."""
    last = max(size - side, 0) // multiple
    return [int(start) * multiple for start in np.rint(np.linspace(0, last, -(-size // side)))]


def _write(path: Path, pixels: np.ndarray) -> None:
    with atomic_file(path) as temporary:
        Image.fromarray(pixels).save(str(temporary), "PNG")


def _run(tasks: list[_Task], jobs: int) -> Generator[tuple[_Task, int | ImageError], None, None]:
    """Every task with its result, or with what is wrong with its photo, as they finish."""
    if jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield task, _outcome(task)
        return
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), initializer=_follow, initargs=(os.getpid(),))
    futures: dict[Future[int | ImageError], _Task] = {}
    try:
        for task in tasks:
            futures[pool.submit(_outcome, task)] = task
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise OutputError("a process was stopped from outside, mostly for want of memory; use fewer --jobs") from error
    finally:
        for future in futures:
            future.cancel()
        pool.shutdown()


def _outcome(task: _Task) -> int | ImageError:
    try:
        return task()
    except ImageError as error:
        return error


def _follow(parent: int) -> None:
    """Make this process end with its parent, however that ends, and not at Ctrl-C, which reaches all of a terminal."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()


def _stamp(pair: Pair) -> list[int]:
    """Size and time of the files that a pair is made from."""
    stats = [file.stat() for file in (pair.hr, pair.lr) if file is not None]
    return [number for stat in stats for number in (stat.st_size, stat.st_mtime_ns)]
