"""Measures entrants side by side: each in its own process, taking turns image by image."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Callable

import numpy as np

from racing.entrants import Entrant, Setting, eps_error, open_entrant
from racing.gemm import Gemm
from racing.peers import PEERS
from racing.processes import Remote, peak_memory
from racing.stopwatch import Stopwatch
from srdiff.bundle import Bundle
from srdiff.engines import Shapes
from srdiff.photo.convert import photo_from
from srdiff.samplers import Sampler
from srdiff.upscaler import Upscaler

# After a run some thread pools go on spinning for a moment, at the cost of the next in turn.
PAUSE_S = 0.05


@dataclass(frozen=True)
class Opened:
    """An entrant that is ready.

    Attributes:
        device: where it really runs.
        library, version: what computes.
        seconds: from importing its library to having read the bundle.
        library_bytes: peak memory before the bundle was read.
    """

    device: str
    library: str
    version: str
    seconds: float
    library_bytes: int


@dataclass(frozen=True)
class Timing:
    """One image.

    Attributes:
        seconds: from pixels to pixels.
        compile, encoder, step: of these, within the engine.
        encoder_calls, step_calls: runs of the graphs: one per window, and per step and window.
        shapes: of the graphs' inputs.
    """

    seconds: float
    compile: float
    encoder: float
    step: float
    encoder_calls: int
    step_calls: int
    shapes: dict[str, Shapes]

    @property
    def outside(self) -> float:
        """Share of the time that was spent outside the engine."""
        return 1 - (self.compile + self.encoder + self.step) / self.seconds


@dataclass(frozen=True)
class Measured:
    """All about one entrant at one shape.

    Attributes:
        entrant, opened: see there.
        first: the first image, in which the graphs are compiled.
        images: those after it.
        peak_bytes: peak memory after the last.
    """

    entrant: Entrant
    opened: Opened
    first: Timing
    images: tuple[Timing, ...]
    peak_bytes: int


@dataclass(frozen=True)
class Race:
    """All entrants at one setting.

    Attributes:
        setting: see there.
        measured: one per entrant.
        checks: relative error of each peer's eps against an engine's.
        gemm: FLOP/s of matrix products by (engine, precision), one value after each round of images.
    """

    setting: Setting
    measured: tuple[Measured, ...]
    checks: dict[Entrant, float]
    gemm: dict[Entrant, tuple[float, ...]]


def race(setting: Setting, entrants: list[Entrant], with_gemm: bool, advance: Callable[[str], None]) -> Race:
    """Load all, let each make its first image, then ``runs`` rounds of one image and one matrix product each.

    Raises:
        ParityError: a peer computes something else than the bundle's graphs.
    """
    checks = {entrant: eps_error(setting, entrant) for entrant in entrants if entrant.engine in PEERS}
    with ExitStack() as stack:

        def start(entrant: Entrant, factory: type) -> Remote:
            return stack.enter_context(Remote(str(entrant), factory, setting, entrant))

        def make_image(entrant: Entrant, remote: Remote) -> Timing:
            time.sleep(PAUSE_S)
            advance(str(entrant))
            timing: Timing = remote.ask("image")
            return timing

        remotes = {entrant: start(entrant, Runner) for entrant in entrants}
        opened = {entrant: remote.ask("opened") for entrant, remote in remotes.items()}
        firsts = {entrant: make_image(entrant, remote) for entrant, remote in remotes.items()}
        multipliers = {Entrant(entrant.library, entrant.precision): None for entrant in entrants if with_gemm}
        gemms = {entrant: start(entrant, Gemm) for entrant in multipliers}
        images: dict[Entrant, list[Timing]] = {entrant: [] for entrant in entrants}
        rates: dict[Entrant, list[float]] = {entrant: [] for entrant in gemms}
        for _ in range(setting.runs):
            for entrant, remote in remotes.items():
                images[entrant].append(make_image(entrant, remote))
            for entrant, remote in gemms.items():
                time.sleep(PAUSE_S)
                rates[entrant].append(remote.ask("rate"))
        measured = tuple(
            Measured(entrant, opened[entrant], firsts[entrant], tuple(images[entrant]), remote.ask("peak_bytes"))
            for entrant, remote in remotes.items()
        )
    return Race(setting, measured, checks, {entrant: tuple(values) for entrant, values in rates.items()})


class Runner:
    """Makes images with one entrant, one at a time."""

    def __init__(self, setting: Setting, entrant: Entrant) -> None:
        begin = time.perf_counter()
        engine = open_entrant(setting, entrant)
        library_bytes = peak_memory()
        self._watch = Stopwatch(engine)
        self._upscaler = Upscaler(Bundle(setting.bundle), engine)
        seconds = time.perf_counter() - begin
        library = entrant.library
        version = getattr(sys.modules.get(library), "__version__", "").split("-")[0]
        self._opened = Opened(engine.device, library, version, seconds, library_bytes)
        self._steps = setting.steps
        pixels = np.random.default_rng(0).integers(0, 256, (*setting.lr_shape, 3)).astype(np.uint8)
        self._photo = photo_from(pixels)

    def opened(self) -> Opened:
        return self._opened

    def image(self) -> Timing:
        watch = self._watch
        watch.restart()
        begin = time.perf_counter()
        self._upscaler.enlarge(self._photo, sampler=Sampler(steps=self._steps))
        seconds = time.perf_counter() - begin
        inside, calls = watch.seconds, watch.calls
        return Timing(
            seconds,
            inside["compile"],
            inside["encoder"],
            inside["step"],
            calls["encoder"],
            calls["step"],
            dict(watch.shapes),
        )

    def peak_bytes(self) -> int:
        return peak_memory()
