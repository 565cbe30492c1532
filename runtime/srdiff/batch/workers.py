"""How many images are made at a time, and with how many threads each: as given, or as measured."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterable, List, Optional, Tuple

import numpy as np

from ..errors import SRDiffError
from ..jobs.targets import Job
from ..machine import threads_of_each, usable_cpus, usable_memory
from ..photo.photo import Photo
from ..photo.read import read_photo
from ..progress import Progress
from ..samplers import Sampler
from ..upscaler import Upscaler

# Seconds that each number of workers is measured for, once each has taken a step.
SECONDS = 1.5
# More workers take more memory and finish the single image later, so they must be this much faster.
GAIN = 1.03
# Where none of the first images can be read, they are taken to be of this side in pixels.
SIDE = 64

# Opens an upscaler with so many threads; None leaves them to the engine.
Opener = Callable[[Optional[int]], Upscaler]
# Upscalers to work side by side, and how they were chosen.
Team = Tuple[List[Upscaler], str]


def given(open_one: Opener, workers: int, threads: int | None) -> list[Upscaler]:
    """So many upscalers; threads of None shares the CPUs out among them."""
    each = threads_of_each(workers, threads)
    return [open_one(each) for _ in range(workers)]


def measured(open_one: Opener, threads: int | None, pixels: np.ndarray, sampler: Sampler | None, most: int) -> Team:
    """The fastest of 1, 2, 4, … upscalers side by side that share the CPUs, on this machine as it is now.

    Args:
        threads: of each, where they are not to be chosen, too.
        pixels: [h, w, 3] of a typical image; its first window is what is computed.
        most: upscalers that there is work for.
    """
    cpus = usable_cpus()
    first = open_one(threads)
    if first.engine.device != "cpu":
        return [first], "1 on this device; only on CPUs they are measured"
    photo = Photo(np.ascontiguousarray(pixels[: first.tile, : first.tile]))
    best, fastest, said = [first], 0.0, []
    for count in _counts(min(most, cpus // threads if threads else cpus, _fitting(first, photo))):
        each = threads or cpus // count
        team = best if count == 1 else [open_one(each) for _ in range(count)]
        speed = rate(team, photo, sampler)
        said.append(f"{count} x {each} {speed:.3g}")
        if speed < fastest * GAIN:
            break
        best, fastest = team, speed
    each = best[0].engine.threads or cpus
    return best, f"{len(best)} x {each} thread{'s' * (each > 1)}, of steps per second {', '.join(said)}"


def typical(jobs: Iterable[Job], max_pixels: int) -> np.ndarray:
    """The pixels of the first image that can be read."""
    for job in jobs:
        try:
            if job.source.path is not None and job.source.path.is_file():  # a pipe is read once
                return read_photo(job.source.path, max_pixels).pixels
        except (SRDiffError, OSError, ValueError):
            continue  # told in its turn
    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def rate(upscalers: list[Upscaler], photo: Photo, sampler: Sampler | None) -> float:
    """Steps of the model per second, with all of them at work."""
    for upscaler in upscalers:
        _steps(upscaler, photo, sampler, 0.0)  # compiles
    with ThreadPoolExecutor(len(upscalers)) as pool:
        return sum(pool.map(lambda upscaler: _steps(upscaler, photo, sampler, SECONDS), upscalers))


class _Over(Exception):
    pass


def _steps(upscaler: Upscaler, photo: Photo, sampler: Sampler | None, seconds: float) -> float:
    """Per second, for so many seconds or the one step that takes longer."""
    started, steps = time.perf_counter(), 0

    def watch(progress: Progress) -> None:
        nonlocal steps
        steps += 1
        if time.perf_counter() - started >= seconds:
            raise _Over

    try:
        while True:
            upscaler.enlarge(photo, 0, sampler, watch)
    except _Over:
        return steps / (time.perf_counter() - started)


def _counts(most: int) -> list[int]:
    """1, 2, 4, … and the most itself."""
    return sorted({min(1 << exponent, max(most, 1)) for exponent in range(max(most, 1).bit_length() + 1)})


def _fitting(upscaler: Upscaler, photo: Photo) -> int:
    """How many of them half of the memory is enough for."""
    channels = upscaler.bundle.manifest.cond_channels
    height, width = photo.pixels.shape[:2]
    need = (upscaler.engine.workspace or 0.0) * channels * height * width * upscaler.scale**2
    return max(1, int(usable_memory() / 2 / need)) if need else 1
