"""The ways to a result that ``few_steps.py`` compares, and what makes images in the process of each."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from common.real_esrgan import RealEsrgan

from racing.stopwatch import Stopwatch
from srdiff.bundle import Bundle
from srdiff.model_names import DEFAULT_MODEL, MANY_STEPS, bundle_folder
from srdiff.opening import open_for
from srdiff.upscaler import Upscaler


@dataclass(frozen=True)
class Way:
    """A built-in model and one of its presets (None: its only way), or, without a model, Real-ESRGAN."""

    name: str
    model: str | None = None
    preset: str | None = None


# clean and photo are one network with different weights, so one of them stands for both.
ONE = Way(f"{DEFAULT_MODEL.stem}, one step", DEFAULT_MODEL.stem)
TEN = Way(f"{MANY_STEPS}, ten steps", MANY_STEPS, "fast")
FULL = Way(f"{MANY_STEPS}, all 100 steps", MANY_STEPS, "full")
ESRGAN = Way("Real-ESRGAN x4plus")
WAYS = (ONE, TEN, FULL, ESRGAN)


class Maker:
    """Makes images in one way; lives in a process of its own."""

    def __init__(self, way: Way, precision: str, threads: int) -> None:
        self._way = way
        if way.model is None:
            self._peer = RealEsrgan(threads)
            return
        bundle = Bundle(bundle_folder(way.model))
        engine = open_for(bundle, "auto", "cpu", precision, threads)
        self._watch = Stopwatch(engine, engine.name)
        self._upscaler = Upscaler(bundle, engine)

    def engine(self) -> str:
        engine = self._upscaler.engine
        return f"{engine.name} {engine.precision}"

    def image(self, side: int) -> dict[str, float]:
        """Seconds of an input of side x side: of ``upscale`` without compiling, and of them within the encoder."""
        pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
        if self._way.model is None:
            begin = time.perf_counter()
            self._peer(pixels)
            return {"seconds": time.perf_counter() - begin, "encoder": 0.0}
        self._watch.restart()
        begin = time.perf_counter()
        self._upscaler.upscale(pixels, preset=self._way.preset)
        seconds = time.perf_counter() - begin
        return {"seconds": seconds - self._watch.seconds["compile"], "encoder": self._watch.seconds["encoder"]}
