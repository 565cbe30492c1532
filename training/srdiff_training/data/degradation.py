"""Inputs as photos come: blurred, resized, noisy and compressed, in random order and strength (BSRGAN, Zhang et al.,
arXiv 2103.14006; Real-ESRGAN, Wang et al., arXiv 2107.10833).

Every step keeps the picture in place: kernels are symmetric, and sizes change about the common outline.
"""

from __future__ import annotations

import io
from typing import Any, Callable

import numpy as np
from PIL import Image

from srdiff.resize import bicubic

# Input pixels around a crop that are made with it and cut off: blur and the codec's blocks reach across the edge.
CONTEXT = 8
BLOCK = 8  # of JPEG

# Of all crops, so many are shrunk by MATLAB's bicubic and left alone: clean inputs must stay clean.
CLEAN_SHARE = 0.1
# Chance of each step to be there at all.
BLUR_CHANCE, RESIZE_CHANCE, NOISE_CHANCE, JPEG_CHANCE, LAST_JPEG_CHANCE = 0.6, 0.5, 0.4, 0.3, 0.8
BLUR_SIGMA = (0.2, 2.4)  # pixels of the true photo, along each axis of the ellipse
NOISE_SIGMA = (0.5, 20.0)  # levels of 255
PHOTONS = (100.0, 5000.0)  # that white stands for
QUALITY = (20, 90)
KERNELS = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
LUMA = np.array([0.299, 0.587, 0.114])

Operation = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def degrade(hr: np.ndarray, scale: int, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """A photo's input, once more damaged than shrunk.

    Args:
        hr: uint8 [height, width, 3], both multiples of ``scale``; about 3 * 2.4 of its outer pixels see the opposite
            edge, so give it some context.
        scale: side of the photo over side of the input.
        rng: the result depends on it and ``hr`` alone.

    Returns:
        uint8 [height / scale, width / scale, 3], and whether it came out of the codec, so that its blocks lie in it.
    """
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    if rng.random() < CLEAN_SHARE:
        return bicubic(hr, height, width), False
    steps: list[tuple[float, Operation]] = [
        (BLUR_CHANCE, _blurred(hr.shape[0])),
        (RESIZE_CHANCE, _resized_between(scale)),
        (NOISE_CHANCE, add_noise),
        (JPEG_CHANCE, jpeg),
    ]
    pixels = hr.astype(np.float64)
    for number in rng.permutation(len(steps)):
        chance, operation = steps[number]
        if rng.random() < chance:
            pixels = operation(pixels, rng)
    pixels = _shrunk(pixels, height, width, rng)
    if rng.random() < NOISE_CHANCE:
        pixels = add_noise(pixels, rng)
    coded = rng.random() < LAST_JPEG_CHANCE
    if coded:
        pixels = jpeg(pixels, rng)
    return _levels(pixels), coded


def degraded_window(
    hr: np.ndarray, top: int, left: int, side: int, scale: int, rng: np.random.Generator
) -> tuple[np.ndarray, int, int, np.ndarray]:
    """The input of a crop of a whole photo, with context; what lies beyond the photo is mirrored.

    Args:
        hr: the photo, uint8 [h, w, 3].
        top, left, side: of the crop, in input pixels.
        scale: side of the photo over side of the input.
        rng: decides on the damage, and on where the codec's blocks lie.

    Returns:
        uint8 [n, n, 3], the crop's first row and column in it, and where the codec's blocks begin: [2, side] float32, 1
        at such a row (column) of the crop, 0 at others and where there are no blocks.
    """
    row, column = (int(CONTEXT + offset) for offset in rng.integers(BLOCK, size=2))
    extent = side + CONTEXT + max(row, column)
    indices = []
    for start, size in ((top - row, hr.shape[0]), (left - column, hr.shape[1])):
        index = np.arange(start * scale, (start + extent) * scale) % (2 * size)
        indices.append(np.minimum(index, 2 * size - 1 - index))
    lr, coded = degrade(np.ascontiguousarray(hr[np.ix_(*indices)]), scale, rng)
    borders = [coded & (np.arange(first, first + side) % BLOCK == 0) for first in (row, column)]
    return lr, row, column, np.stack(borders).astype(np.float32)


def gaussian_blur(pixels: np.ndarray, sigma: tuple[float, float], angle: float) -> np.ndarray:
    """Blur [h, w, c] by an elliptic Gaussian; opposite edges meet.

    Args:
        sigma: standard deviations in pixels, along and across ``angle``.
        angle: of the ellipse, in radians from the columns' direction.
    """
    rows, columns = pixels.shape[:2]
    v, u = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None]
    along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    transfer = np.exp(-2 * np.pi**2 * ((along * sigma[0]) ** 2 + (across * sigma[1]) ** 2))
    spectrum = np.fft.rfft2(pixels, axes=(0, 1)) * transfer[..., None]
    return np.fft.irfft2(spectrum, s=(rows, columns), axes=(0, 1))


def add_noise(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian or Poisson noise, of each channel its own or grey, on [h, w, 3] in 0 … 255."""
    grey = rng.random() < 0.4
    if rng.random() < 0.5:
        sigma = _between(rng, *NOISE_SIGMA)
        return pixels + sigma * rng.standard_normal((*pixels.shape[:2], 1 if grey else 3))
    photons = _between(rng, *PHOTONS)
    signal = np.clip(pixels, 0, 255)
    if grey:
        signal = (signal @ LUMA)[..., None]
    counted = rng.poisson(signal * (photons / 255)) * (255 / photons)
    return pixels + (counted - signal)


def jpeg(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Through the codec and back, at a random quality, with colour at full or half size."""
    file = io.BytesIO()
    subsampling = int(rng.choice((0, 2, 2)))
    quality = int(rng.integers(*QUALITY))
    Image.fromarray(_levels(pixels)).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file), np.float64)


def _blurred(whole: int) -> Operation:
    def blur(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        shrunk = pixels.shape[0] / whole  # what was resized before is blurred as much, seen from the photo
        first = _between(rng, *BLUR_SIGMA)
        second = first if rng.random() < 0.5 else _between(rng, *BLUR_SIGMA)
        return gaussian_blur(pixels, (first * shrunk, second * shrunk), rng.uniform(0, np.pi))

    return blur


def _resized_between(scale: int) -> Operation:
    def resize(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """To a random size between the input's and a little more than the photo's."""
        factor = _between(rng, 1 / scale, 1.2)
        height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
        return _resample(pixels, height, width, KERNELS[rng.integers(len(KERNELS))])

    return resize


def _shrunk(pixels: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    choice = rng.integers(len(KERNELS) + 1)
    if choice == len(KERNELS):
        return bicubic(pixels, height, width)
    return _resample(pixels, height, width, KERNELS[choice])


def _resample(pixels: np.ndarray, height: int, width: int, kernel: Any) -> np.ndarray:
    channels = [Image.fromarray(channel.astype(np.float32)) for channel in pixels.transpose(2, 0, 1)]
    return np.stack([np.asarray(channel.resize((width, height), kernel), np.float64) for channel in channels], axis=-1)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Evenly by logarithm: small strengths are as likely as large ones."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _levels(pixels: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)
