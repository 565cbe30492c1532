"""How good a result is: the field's measures, each with its usual definition.

All images are uint8 RGB [h, w, 3] of one size. Of a measure that is a distance, less is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import flip_evaluator
import numpy as np

from grading.lpips_alex import Lpips
from srdiff.errors import SRDiffError
from srdiff.resize import bicubic
from srdiff_training.measure.fidelity import PEAK, fidelity, psnr


@dataclass(frozen=True)
class Metric:
    """A measure for reports.

    Attributes:
        key: its name in JSON.
        title: its name for a reader, with the unit.
        better: ``higher`` or ``lower``.
        digits: worth showing after the point.
    """

    key: str
    title: str
    better: str
    digits: int

    def text(self, value: float | None) -> str:
        return "n/a" if value is None else f"{value:.{self.digits}f}"


METRICS = (
    Metric("psnr_y", "PSNR-Y dB", "higher", 2),
    Metric("ssim_y", "SSIM-Y", "higher", 3),
    Metric("psnr_rgb", "PSNR-RGB dB", "higher", 2),
    Metric("ssim_rgb", "SSIM-RGB", "higher", 3),
    Metric("lpips", "LPIPS", "lower", 4),
    Metric("flip", "FLIP", "lower", 3),
    Metric("lr_psnr", "LR-PSNR dB", "higher", 2),
)


def lr_psnr(lr: np.ndarray, image: np.ndarray) -> float:
    """PSNR in dB, on RGB, of the result shrunk by MATLAB bicubic against the input that it was made from."""
    return psnr(lr, bicubic(image, lr.shape[0], lr.shape[1]))


def flip(reference: np.ndarray, image: np.ndarray) -> float:
    """Mean FLIP (Andersson et al., HPG 2020), 0 … 1: seen when flipping between both, 67 pixels a degree."""
    first, second = (np.ascontiguousarray(array, np.float32) / PEAK for array in (reference, image))
    return float(flip_evaluator.evaluate(first, second, "LDR", applyMagma=False)[1])


class Meter:
    """Takes every measure of a result.

    Args:
        crop: border in HR pixels left out of PSNR and SSIM: 0 as in the model card, 4 as in most papers. The
            others see the whole image.

    Attributes:
        missing: why LPIPS is not measured; empty where it is.
    """

    def __init__(self, crop: int = 0) -> None:
        self.crop = crop
        self.missing = ""
        self._lpips: Callable[[np.ndarray, np.ndarray], float] | None = None
        try:
            self._lpips = Lpips()
        except SRDiffError as error:
            self.missing = str(error)

    def __call__(self, hr: np.ndarray, lr: np.ndarray, image: np.ndarray) -> dict[str, float | None]:
        """Every measure of ``image``, by key of ``METRICS``; None where one cannot be taken.

        Args:
            hr: the true image.
            lr: what ``image`` was made from.

        Raises:
            OptionError: the border is negative or leaves nothing of the image.
        """
        return {
            **fidelity(hr, image, self.crop),
            "lpips": self.lpips(hr, image),
            "flip": flip(hr, image),
            "lr_psnr": lr_psnr(lr, image),
        }

    def lpips(self, hr: np.ndarray, image: np.ndarray) -> float | None:
        """LPIPS, or None where the weights are missing or the image is too small."""
        try:
            return None if self._lpips is None else self._lpips(hr, image)
        except SRDiffError:
            return None


def spread(values: list[float | None]) -> float | None:
    """Sample standard deviation; None for fewer than two values."""
    found = [value for value in values if value is not None]
    return float(np.std(found, ddof=1)) if len(found) > 1 else None
