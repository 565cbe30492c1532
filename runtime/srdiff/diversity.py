"""Several results of one photo: all equally likely, their mean nearer the truth, their spread the doubt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator

import numpy as np

from .consistency import project
from .errors import OptionError
from .noise import philox_noise
from .photo.photo import Photo
from .progress import Watch
from .samplers import Sampler
from .upscaler import Upscaler
from .whole import keep_whole, whole

# White in an uncertainty map: a standard deviation of 8 of 255 levels. A fixed scale, so that maps compare.
FULL_DEVIATION = 8 / 255


def draw(
    upscaler: Upscaler,
    photo: Photo,
    count: int,
    seed: int = 0,
    sampler: Sampler | None = None,
    watch: Watch | None = None,
) -> Iterator[Photo]:
    """Enlarge one photo ``count`` times with independent noise; the first is what the seed gives alone.

    Args:
        watch: told of the steps done and in all, over all results.

    Raises:
        OptionError: with the first result: count is below 1, or seed or sampler steps are outside what they may be.
    """
    count = whole("count", count, 1)

    def overall(index: int) -> Watch | None:
        if watch is None:
            return None
        return lambda progress: watch(
            replace(progress, done=index * progress.total + progress.done, total=count * progress.total)
        )

    for index in range(count):
        yield upscaler.enlarge(photo, seed, sampler, overall(index), philox_noise(seed, index, upscaler.threads))


class Moments:
    """Mean and spread of equally large pixel arrays, one at a time (Welford, Technometrics 4, 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self._mean = np.zeros(0)
        self._squares = np.zeros(0)
        self._dtype = np.dtype(np.uint8)

    def add(self, pixels: np.ndarray) -> None:
        """One more [h, w, 3] of uint8 or uint16.

        Raises:
            OptionError: its shape or type is not the first one's.
        """
        if self.count == 0:
            self._dtype = pixels.dtype
            self._mean, self._squares = np.zeros(pixels.shape), np.zeros(pixels.shape)
        if (pixels.shape, pixels.dtype) != (self._mean.shape, self._dtype):
            raise OptionError(
                f"a sample is {pixels.dtype} {list(pixels.shape)} where the first is {self._dtype} "
                f"{list(self._mean.shape)}; give results of one photo"
            )
        self.count += 1
        difference = pixels - self._mean
        self._mean += difference / self.count
        self._squares += difference * (pixels - self._mean)

    def mean(self) -> np.ndarray:
        """[h, w, 3] of the samples' type, rounded."""
        self._require(1)
        return np.rint(self._mean).astype(self._dtype)

    def deviation(self) -> np.ndarray:
        """Standard deviation over the samples, root mean square over channels: [h, w], white is 1."""
        self._require(2)
        variance = self._squares.mean(axis=2) / (self.count - 1)
        return np.sqrt(variance) / np.iinfo(self._dtype).max

    def _require(self, count: int) -> None:
        if self.count < count:
            raise OptionError(f"{self.count} samples were added; this takes at least {count}")


def uncertainty_map(deviation: np.ndarray) -> Photo:
    """``Moments.deviation`` as a grey 8-bit photo: black where all agree, white from 8 levels on."""
    grey = np.rint(np.clip(deviation / FULL_DEVIATION, 0, 1) * 255).astype(np.uint8)
    return Photo(np.repeat(grey[..., None], 3, axis=2), grey=True)


@dataclass(frozen=True)
class Wanted:
    """What to make of one photo.

    Attributes:
        samples: how many results to draw.
        average: keep their mean in place of the single results.
        uncertainty: add a map of their spread.
        consistency: project each result, and the mean, so that shrinking it gives the photo back.

    Raises:
        OptionError: a mean or a spread was asked for of fewer than two samples.
    """

    samples: int = 1
    average: bool = False
    uncertainty: bool = False
    consistency: bool = False

    def __post_init__(self) -> None:
        keep_whole(self, "samples", 1)
        for name, wanted in (("average", self.average), ("uncertainty", self.uncertainty)):
            if wanted and self.samples < 2:
                raise OptionError(f"{name} is taken over several samples and 1 was asked for; add samples=8")
        for name in ("average", "uncertainty", "consistency"):
            object.__setattr__(self, name, bool(getattr(self, name)))

    def targets(self, target: Path | None) -> list[Path | None]:
        """The files to write, in the order of :meth:`make`; None is standard output.

        out.png stands for itself, or for out_1.png … where there are several samples; the map is
        out_uncertainty.png.
        """
        single = self.samples == 1 or self.average
        if target is None:
            if not single or self.uncertainty:
                raise OptionError("standard output takes one image and several were asked for; name a file with -o")
            return [None]
        names = [""] if single else [f"_{index + 1}" for index in range(self.samples)]
        names += ["_uncertainty"] if self.uncertainty else []
        return [target.with_name(target.stem + name + target.suffix) for name in names]

    def make(
        self,
        upscaler: Upscaler,
        photo: Photo,
        seed: int = 0,
        sampler: Sampler | None = None,
        watch: Watch | None = None,
    ) -> Iterator[Photo]:
        """The photos for :meth:`targets`, each as soon as it is there."""
        moments = Moments()
        for drawn in draw(upscaler, photo, self.samples, seed, sampler, watch):
            sample = project(drawn, photo) if self.consistency else drawn
            if not self.average:
                yield sample
            if self.average or self.uncertainty:
                moments.add(sample.pixels)
        if self.average:
            mean = sample.enlarged(moments.mean(), sample.alpha)
            yield project(mean, photo) if self.consistency else mean
        if self.uncertainty:
            yield uncertainty_map(moments.deviation())
