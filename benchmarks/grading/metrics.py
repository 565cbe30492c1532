"""How good a result is: the field's measures, each with its usual definition.

All images are uint8 RGB [h, w, 3] of one size. Of a measure that is a distance, less is better.

A new measure is a function of a :class:`Sample` and a line in ``METRICS``; every report, table, page and JSON file
follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Callable, Dict, Optional

import flip_evaluator
import numpy as np
from skimage.measure import blur_effect

from grading.lpips_alex import Lpips
from srdiff.errors import SRDiffError
from srdiff.resize import bicubic
from srdiff_training.measure.fidelity import PEAK, fidelity, luma, psnr

Scores = Dict[str, Optional[float]]


@dataclass(frozen=True)
class Sample:
    """One result and what it is measured against.

    Attributes:
        hr: the true image; None of a photo that has none.
        lr: the input.
        image: the result.
        crop: border in HR pixels left out of PSNR and SSIM; the other measures see the whole image.
    """

    hr: np.ndarray | None
    lr: np.ndarray
    image: np.ndarray
    crop: int

    @cached_property
    def fidelity(self) -> Scores:
        return {} if self.hr is None else fidelity(self.hr, self.image, self.crop)


Take = Callable[[Sample], Optional[float]]


@dataclass(frozen=True)
class Metric:
    """A measure for reports.

    Attributes:
        key: its name in JSON.
        title: its name for a reader, with the unit.
        better: ``higher`` or ``lower``.
        digits: worth showing after the point.
        open: gives the function that takes it; raises SRDiffError where what it needs cannot be had.
    """

    key: str
    title: str
    better: str
    digits: int
    open: Callable[[], Take]

    def text(self, value: float | None) -> str:
        return "n/a" if value is None else f"{value:.{self.digits}f}"


def fidelity_of(key: str) -> Callable[[], Take]:
    """One of :func:`srdiff_training.measure.fidelity.fidelity`'s."""
    return lambda: lambda sample: sample.fidelity.get(key)


def open_lpips() -> Take:
    """LPIPS with AlexNet; None for an image that is too small for it."""
    lpips = Lpips()

    def take(sample: Sample) -> float | None:
        try:
            return None if sample.hr is None else lpips(sample.hr, sample.image)
        except SRDiffError:
            return None

    return take


def flip(sample: Sample) -> float | None:
    """Mean FLIP (Andersson et al., HPG 2020), 0 … 1: seen when flipping between both, 67 pixels a degree."""
    if sample.hr is None:
        return None
    first, second = (np.ascontiguousarray(array, np.float32) / PEAK for array in (sample.hr, sample.image))
    return float(flip_evaluator.evaluate(first, second, "LDR", applyMagma=False)[1])


def lr_psnr(sample: Sample) -> float:
    """PSNR in dB, on RGB, of the result shrunk by MATLAB bicubic against the input that it was made from."""
    return psnr(sample.lr, bicubic(sample.image, sample.lr.shape[0], sample.lr.shape[1]))


def blur(sample: Sample) -> float:
    """No-reference blur of Y (Crété-Roffet et al., SPIE 6492, 2007), 0 sharp … 1 blurred, in windows of 11 pixels.

    It knows nothing of truth: noise and invented edges count as sharp.
    """
    return float(blur_effect(luma(sample.image), h_size=11))


METRICS = (
    Metric("psnr_y", "PSNR-Y dB", "higher", 2, fidelity_of("psnr_y")),
    Metric("ssim_y", "SSIM-Y", "higher", 3, fidelity_of("ssim_y")),
    Metric("psnr_rgb", "PSNR-RGB dB", "higher", 2, fidelity_of("psnr_rgb")),
    Metric("ssim_rgb", "SSIM-RGB", "higher", 3, fidelity_of("ssim_rgb")),
    Metric("lpips", "LPIPS", "lower", 4, open_lpips),
    Metric("flip", "FLIP", "lower", 3, lambda: flip),
    Metric("lr_psnr", "LR-PSNR dB", "higher", 2, lambda: lr_psnr),
    Metric("blur", "Blur", "lower", 3, lambda: blur),
)


class MetricSuite:
    """Takes every measure of a result.

    Args:
        crop: border in HR pixels left out of PSNR and SSIM: 0 as in the model card, 4 as in most papers.

    Attributes:
        missing: why a measure is not taken, by its title.
    """

    def __init__(self, crop: int = 0) -> None:
        self.crop = crop
        self.missing: dict[str, str] = {}
        self._takes: dict[str, Take] = {}
        for metric in METRICS:
            try:
                self._takes[metric.key] = metric.open()
            except SRDiffError as error:
                self.missing[metric.title] = str(error)

    @property
    def identity(self) -> dict[str, object]:
        """What a measured result depends on, for the cache."""
        return {"crop": self.crop, "metrics": sorted(self._takes)}

    def __call__(self, hr: np.ndarray | None, lr: np.ndarray, image: np.ndarray) -> Scores:
        """Every measure of ``image``, by key of ``METRICS``; None where one cannot be taken.

        Args:
            hr: the true image, where there is one.
            lr: what ``image`` was made from.

        Raises:
            OptionError: the border is negative or leaves nothing of the image.
        """
        sample = Sample(hr, lr, image, self.crop)
        return {metric.key: self._takes.get(metric.key, _nothing)(sample) for metric in METRICS}


def _nothing(sample: Sample) -> None:
    return None


def spread(values: list[float | None]) -> float | None:
    """Sample standard deviation; None for fewer than two values."""
    found = [value for value in values if value is not None]
    return float(np.std(found, ddof=1)) if len(found) > 1 else None
