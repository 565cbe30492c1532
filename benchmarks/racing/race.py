"""Measures entrants side by side: each in its own process, taking turns image by image."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Callable

from racing.entrants import Entrant, Workload, eps_error
from racing.gemm import Gemm
from racing.peers import SAME_NETWORK
from racing.processes import Remote
from racing.runners import Opened, Timing, runner_of

# After a run some thread pools go on spinning for a moment, at the cost of the next in turn.
PAUSE_S = 0.05


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
    """All entrants at one workload.

    Attributes:
        workload: see there.
        measured: one per entrant.
        checks: relative error of each peer's eps against an engine's.
        gemm: FLOP/s of matrix products by (engine, precision), one value after each round of images.
    """

    workload: Workload
    measured: tuple[Measured, ...]
    checks: dict[Entrant, float]
    gemm: dict[Entrant, tuple[float, ...]]


def race(workload: Workload, entrants: list[Entrant], with_gemm: bool, advance: Callable[[str], None]) -> Race:
    """Load all, let each make its first image, then ``runs`` rounds of one image and one matrix product each.

    Raises:
        ParityError: a peer computes something else than the bundle's graphs.
    """
    checks = {entrant: eps_error(workload, entrant) for entrant in entrants if entrant.engine in SAME_NETWORK}
    with ExitStack() as stack:

        def start(entrant: Entrant, factory: type) -> Remote:
            return stack.enter_context(Remote(str(entrant), factory, workload, entrant))

        def make_image(entrant: Entrant, remote: Remote) -> Timing:
            time.sleep(PAUSE_S)
            advance(str(entrant))
            timing: Timing = remote.ask("image")
            return timing

        remotes = {entrant: start(entrant, runner_of(entrant)) for entrant in entrants}
        opened = {entrant: remote.ask("opened") for entrant, remote in remotes.items()}
        firsts = {entrant: make_image(entrant, remote) for entrant, remote in remotes.items()}
        multiplying = [entrant for entrant in entrants if with_gemm and entrant.engine != "ncnn"]
        multipliers = dict.fromkeys(Entrant(entrant.library, entrant.precision) for entrant in multiplying)
        gemms = {entrant: start(entrant, Gemm) for entrant in multipliers}
        images: dict[Entrant, list[Timing]] = {entrant: [] for entrant in entrants}
        rates: dict[Entrant, list[float]] = {entrant: [] for entrant in gemms}
        for _ in range(workload.runs):
            for entrant, remote in remotes.items():
                images[entrant].append(make_image(entrant, remote))
            for entrant, remote in gemms.items():
                time.sleep(PAUSE_S)
                rates[entrant].append(remote.ask("rate"))
        measured = tuple(
            Measured(entrant, opened[entrant], firsts[entrant], tuple(images[entrant]), remote.ask("peak_bytes"))
            for entrant, remote in remotes.items()
        )
    return Race(workload, measured, checks, {entrant: tuple(values) for entrant, values in rates.items()})
