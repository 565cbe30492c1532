"""A folder of images: what reading and writing cost beside the engine, and whether memory grows with their number.

    python benchmarks/folder.py --images 200

The engine alone, the folder one image after the other, and the folder as ``srdiff-run`` makes it take turns.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import click
import numpy as np
import skimage.data
from common.commands import bundle_option, insert_options, measured_bundle, show, typed_command, under
from common.tables import table
from PIL import Image

from srdiff import Upscaler
from srdiff.batch.book import Book
from srdiff.batch.ledger import Ledger, ledger_in
from srdiff.batch.pins import pins_of
from srdiff.batch.pipeline import make_all
from srdiff.commands.command import Command
from srdiff.cpu import this_cpu
from srdiff.jobs.sources import find_sources
from srdiff.jobs.targets import Destination, Job
from srdiff.jobs.work import JobSettings
from srdiff.photo.read import read_photo
from srdiff.progress import Watch

TURN = 20  # images before the next way has its turn


@click.command(cls=Command)
@bundle_option
@click.option("--images", type=click.IntRange(1), default=20, show_default=True)
@click.option("--side", type=click.IntRange(8), default=64, show_default=True, help="Of an input, in pixels.")
@click.option("--steps", type=click.IntRange(1), help="Of the sampler.  [default: the model's preset]")
@click.option("--memory", is_flag=True, help="Only the folder as srdiff-run makes it, and how memory grows meanwhile.")
@insert_options("folder")
def main(
    bundle: Path | None, images: int, side: int, steps: int | None, memory: bool, insert_file: Path | None, mark: str
) -> None:
    """Seconds of a folder against those of the engine alone, or how memory grows."""
    upscaler = Upscaler.from_bundle(measured_bundle(bundle))
    settings = JobSettings(sampler=upscaler.bundle.manifest.sampler(steps=steps))
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        crops(folder / "in", images, side)
        said = growth(upscaler, settings, folder) if memory else ways(upscaler, settings, folder)
    engine = upscaler.engine
    text = (
        f"{images} inputs of {side}x{side} to PNG; model "
        f"{upscaler.bundle.manifest.name}, {engine.name} {engine.precision}, {this_cpu()}.\n\n{said}"
    )
    show(under(typed_command("folder.py"), text), insert_file, mark)


def crops(folder: Path, count: int, side: int) -> None:
    """Different parts of photos in the public domain or CC0."""
    folder.mkdir()
    photos = [getattr(skimage.data, name)() for name in ("astronaut", "chelsea", "coffee")]
    rng = np.random.default_rng(0)
    for number, photo in zip(range(count), itertools.cycle(photos)):
        top, left = (rng.integers(0, size - side + 1) for size in photo.shape[:2])
        Image.fromarray(photo[top : top + side, left : left + side]).save(folder / f"{number:05}.png")


def jobs_to(folder: Path, output: str, settings: JobSettings) -> list[Job]:
    sources = find_sources([str(folder / "in")], "_x4").sources
    return Destination(f"{folder / output}/").jobs(sources, settings.wanted)


def book_of(upscaler: Upscaler, folder: Path, settings: JobSettings) -> Book:
    return Book(settings, Ledger(ledger_in(folder)), pins_of(upscaler, settings))


@contextmanager
def unwatched(job: Job) -> Iterator[Watch]:
    yield lambda progress: None


def ways(upscaler: Upscaler, settings: JobSettings, folder: Path) -> str:
    """A table of seconds; medians over turns of the ratio to the engine's own seconds."""
    jobs = {name: jobs_to(folder, name, settings) for name in ("serial", "overlapped")}
    books = {name: book_of(upscaler, folder / name, settings) for name in jobs}
    upscaler.enlarge(read_photo(jobs["serial"][0].source.path or "", 1 << 26), 0, settings.sampler)
    turns: list[dict[str, float]] = []
    for first in range(0, len(jobs["serial"]), TURN):
        part = slice(first, first + TURN)
        turn = {"engine alone": sum(alone(upscaler, settings, job) for job in jobs["serial"][part])}
        started = time.perf_counter()
        for job in jobs["serial"][part]:
            books["serial"].attempt(upscaler, job)
        turn["one after the other"] = time.perf_counter() - started
        started = time.perf_counter()
        for _ in make_all([upscaler], jobs["overlapped"][part], books["overlapped"], unwatched):
            pass
        turn["overlapped"] = time.perf_counter() - started
        turns.append(turn)
    rows = []
    for name in turns[0]:
        ratio = statistics.median(turn[name] / turn["engine alone"] for turn in turns)
        rows.append([name, f"{sum(turn[name] for turn in turns):.1f}", f"{ratio:.3f}"])
    return table(["", "Seconds", "Of the engine's"], rows)


def alone(upscaler: Upscaler, settings: JobSettings, job: Job) -> float:
    """Seconds of one image's computing."""
    assert job.source.path is not None
    photo = read_photo(job.source.path)
    started = time.perf_counter()
    upscaler.enlarge(photo, settings.seed, settings.sampler)
    return time.perf_counter() - started


def growth(upscaler: Upscaler, settings: JobSettings, folder: Path) -> str:
    """KiB of resident memory per image, by a line through all but the first tenth."""
    jobs = jobs_to(folder, "out", settings)
    sizes = [resident() for _ in make_all([upscaler], jobs, book_of(upscaler, folder / "out", settings), unwatched)]
    begin = len(sizes) // 10
    slope = float(np.polyfit(np.arange(begin, len(sizes)), sizes[begin:], 1)[0]) if len(sizes) - begin > 1 else 0.0
    return (
        f"Resident memory grew by {100 * slope / 1024:.2f} MiB per 100 images; {sizes[begin] / 1024:.0f} MiB after "
        f"{begin + 1} of them, {sizes[-1] / 1024:.0f} MiB after all."
    )


def resident() -> float:
    """KiB, on Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise RuntimeError("the system does not say how much memory a process has")


if __name__ == "__main__":
    main()
