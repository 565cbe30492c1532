"""How near a result is to the true image: PSNR and SSIM, each with its usual definition. Needs scikit-image.

All images are uint8 RGB [h, w, 3] of one size.
"""

from __future__ import annotations

from typing import Dict, Optional

import numpy as np

from srdiff.errors import DeviceError, OptionError

try:
    from skimage.color import rgb2ycbcr
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity
except ImportError as error:
    raise DeviceError(f"PSNR and SSIM need scikit-image ({error}); run: pip install 'srdiff[train]'") from error

PEAK = 255
SSIM_WINDOW = 11
# Of two equal images, whose PSNR is infinite: JSON knows no infinity, and a mean must survive one perfect
# image.
MAX_PSNR = 100.0
# What the numbers mean, for whoever prints them.
DEFINITIONS = "Y is BT.601's as MATLAB's rgb2ycbcr has it, unrounded; SSIM with a Gaussian window of 11, sigma 1.5"

Measured = Dict[str, Optional[float]]


def luma(image: np.ndarray) -> np.ndarray:
    """Y of BT.601 in 16 … 235 as MATLAB's rgb2ycbcr defines it, unrounded: [h, w] float64."""
    return rgb2ycbcr(image)[..., 0]


def psnr(reference: np.ndarray, image: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 255, at most 100; any channels."""
    if np.array_equal(reference, image):
        return MAX_PSNR
    return min(float(peak_signal_noise_ratio(reference, image, data_range=PEAK)), MAX_PSNR)


def ssim(reference: np.ndarray, image: np.ndarray) -> float | None:
    """Structural similarity (Wang et al., IEEE TIP 13, 2004), -1 … 1, Gaussian window of 11, sigma 1.5, mean
    over channels.

    None for an image smaller than the window.
    """
    if min(reference.shape[:2]) < SSIM_WINDOW:
        return None
    return float(
        structural_similarity(
            reference.astype(np.float64),
            image.astype(np.float64),
            data_range=PEAK,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=2 if reference.ndim == 3 else None,
        )
    )


def fidelity(hr: np.ndarray, image: np.ndarray, crop: int) -> Measured:
    """``psnr_y``, ``ssim_y``, ``psnr_rgb`` and ``ssim_rgb`` of ``image``; None for SSIM of what is too small.

    Args:
        hr: the true image.
        image: the result.
        crop: border in pixels left out: 0 as in the model card, the scale as in most papers.

    Raises:
        OptionError: the border is negative or leaves nothing of the image.
    """
    if crop < 0:
        raise OptionError(f"a border of {crop} pixels was asked for; it is at least 0")
    if 2 * crop >= min(hr.shape[:2]):
        raise OptionError(f"a border of {crop} leaves nothing of {hr.shape[1]}x{hr.shape[0]}; choose a smaller --crop")
    inner = slice(crop, -crop or None)
    true, found = hr[inner, inner], image[inner, inner]
    true_y, found_y = luma(true), luma(found)
    return {
        "psnr_y": psnr(true_y, found_y),
        "ssim_y": ssim(true_y, found_y),
        "psnr_rgb": psnr(true, found),
        "ssim_rgb": ssim(true, found),
    }


def mean(values: list[float | None]) -> float | None:
    """Mean of what was measured; None where nothing was."""
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else None
