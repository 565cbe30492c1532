"""What runs in an entrant's own process: makes images, one at a time, and times them."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np
from common.real_esrgan import SCALE, RealEsrgan, import_ncnn

from racing.entrants import Entrant, Workload, open_entrant
from racing.processes import peak_memory
from racing.stopwatch import Stopwatch
from srdiff.bundle import Bundle
from srdiff.engines import Shapes
from srdiff.errors import OptionError
from srdiff.photo.convert import photo_from
from srdiff.samplers import Sampler
from srdiff.upscaler import Upscaler


@dataclass(frozen=True)
class Opened:
    """An entrant that is ready.

    Attributes:
        device: where it really runs.
        library, version: what computes.
        seconds: from importing its library to having read the model.
        library_bytes: peak memory before the model was read.
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
        compile: of these, within the engine's compilation.
        encoder, step: within the library's runs of the two graphs; of one network or both graphs as one, ``step``.
        encoder_calls, step_calls: runs of the graphs: one per window, and per step and window.
        shapes: of the graphs' inputs; empty for a peer that has none of them.
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
        """Share of the time that was spent outside the library."""
        return 1 - (self.compile + self.encoder + self.step) / self.seconds


class Runner:
    """Makes images with the bundle's graphs on an engine, or on a peer behind the engines' interface."""

    def __init__(self, workload: Workload, entrant: Entrant) -> None:
        begin = time.perf_counter()
        engine = open_entrant(workload, entrant)
        library_bytes = peak_memory()
        self._watch = Stopwatch(engine, entrant.library)
        self._upscaler = Upscaler(Bundle(workload.bundle), engine)
        seconds = time.perf_counter() - begin
        version = getattr(sys.modules.get(entrant.library), "__version__", "").split("-")[0]
        self._opened = Opened(engine.device, entrant.library, version, seconds, library_bytes)
        self._steps = workload.steps
        self._photo = photo_from(random_pixels(workload))

    def opened(self) -> Opened:
        return self._opened

    def image(self) -> Timing:
        watch = self._watch
        watch.restart()
        begin = time.perf_counter()
        self._upscaler.enlarge(self._photo, sampler=Sampler(steps=self._steps))
        seconds = time.perf_counter() - begin
        parts, calls = watch.seconds, watch.calls
        inside = (parts["compile"], parts["encoder"], parts["step"])
        return Timing(seconds, *inside, calls["encoder"], calls["step"], dict(watch.shapes))

    def peak_bytes(self) -> int:
        return peak_memory()


class RealEsrganRunner:
    """Makes images with Real-ESRGAN, whole or in its own windows."""

    def __init__(self, workload: Workload, entrant: Entrant) -> None:
        scale = Bundle(workload.bundle).manifest.scale
        if scale != SCALE:
            raise OptionError(f"--peer ncnn enlarges {SCALE} times and this model {scale} times; leave it out")
        begin = time.perf_counter()
        import_ncnn()
        library_bytes = peak_memory()
        self._network = RealEsrgan(workload.threads)
        seconds = time.perf_counter() - begin
        self._opened = Opened("cpu", entrant.library, self._network.version, seconds, library_bytes)
        self._pixels = random_pixels(workload)

    def opened(self) -> Opened:
        return self._opened

    def image(self) -> Timing:
        network = self._network
        network.restart()
        begin = time.perf_counter()
        network(self._pixels)
        seconds = time.perf_counter() - begin
        return Timing(seconds, 0.0, 0.0, network.seconds, 0, network.calls, {})

    def peak_bytes(self) -> int:
        return peak_memory()


def random_pixels(workload: Workload) -> np.ndarray:
    """The input: [h, w, 3] uint8."""
    return np.random.default_rng(0).integers(0, 256, (*workload.lr_shape, 3)).astype(np.uint8)


def runner_of(entrant: Entrant) -> type:
    return RealEsrganRunner if entrant.engine == "ncnn" else Runner
