"""What a Pillow image stores, as arrays of 8 or 16 bits."""

from __future__ import annotations

import io
from typing import Any, Iterator

import numpy as np
from PIL import Image, ImageCms

from ..errors import ImageError

MANAGED = ("CMYK", "LAB")  # modes whose pixels mean nothing without a profile
_BLACK_POINT_COMPENSATION: Any = 0x2000  # its number in lcms, as Pillow's name for it has changed
_STRAIGHT = {"1": "L", "L": "L", "LA": "LA", "La": "LA", "PA": "RGBA", "RGBA": "RGBA", "RGBa": "RGBA"}
# What arithmetic adds to white, and what sharpening and highlights do in a file of floats.
_ROUNDING, _OVERSHOOT = 1e-4, 0.25
_BAND = 128  # rows
# Steps along rows and columns by EXIF orientation, 1 to 4; 5 to 8 repeat them on the transposed picture.
_FLIPS = ((1, 1), (1, -1), (-1, -1), (-1, 1))


def stored_samples(image: Image.Image) -> np.ndarray:
    """What the image stores, uint8 or uint16, in one of ``srdiff.photo.convert.photo_from``'s shapes."""
    mode = image.mode
    if mode == "F":  # 0 to 255 as Pillow has it, 0 to 1 as most float TIFF files do
        return from_floats(np.asarray(image))
    if mode.startswith("I"):
        return from_integers(np.asarray(image))
    if mode in MANAGED:
        image = _to_srgb(image)
    elif mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return np.asarray(image.convert(_STRAIGHT.get(image.mode, "RGB")))


def _to_srgb(image: Image.Image) -> Image.Image:
    """CMYK and Lab in sRGB; CMYK without a profile, or with a broken one, by Pillow's plain formula."""
    try:
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
            flags=_BLACK_POINT_COMPENSATION,
        )
        return converted or image.convert("RGB")
    except (KeyError, TypeError, OSError, ImageCms.PyCMSError):
        return image.convert("RGB")


def from_unit_range(floats: np.ndarray, slack: float = _ROUNDING, white: float = 1) -> np.ndarray:
    """0 to white as uint16, clipped where it goes beyond by at most ``slack`` of it. Raises ImageError for the rest."""
    low, high = floats.min(), floats.max()
    if not (low >= -slack * white and high <= (1 + slack) * white):  # written so that NaN fails
        raise ImageError(f"an image has float values from {low:.9g} to {high:.9g}; scale them to [0, 1]")
    result = np.empty(floats.shape, np.uint16)
    for source, target in _bands(floats, result):
        target[...] = np.rint(np.multiply(np.clip(source, 0, white), 65535 / white, dtype=np.float64))
    return result


def from_floats(floats: np.ndarray) -> np.ndarray:
    """A file's floats as uint16: 0 to 1 with a little overshoot, or 0 to 255. Raises ImageError for the rest."""
    if 16 <= floats.max() <= 255.5:
        return from_unit_range(floats, 0.002, 255)
    return from_unit_range(floats, _OVERSHOOT)


def from_integers(values: np.ndarray) -> np.ndarray:
    """Whole numbers of any type as uint16. Raises ImageError for what lies outside."""
    low, high = values.min(), values.max()  # a 16-bit file may arrive in 32 bits
    if low < 0 or high > 65535:
        raise ImageError(f"an image has values from {low} to {high}; scale them to 16 bits, 0 to 65535")
    return values.astype(np.uint16)


def with_key_colour(samples: np.ndarray, key: int | tuple[int, ...]) -> np.ndarray:
    """Appends the alpha that one fully transparent colour stands for."""
    transparent = (np.atleast_3d(samples) == key).all(axis=2)
    alpha = np.where(transparent, 0, np.iinfo(samples.dtype).max).astype(samples.dtype)
    return np.dstack([samples, alpha])


def upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Samples [h, w, ...] turned as EXIF's orientation says."""
    if not 1 <= orientation <= 8:
        return samples
    rows, columns = _FLIPS[(orientation - 1) % 4]
    return (samples.swapaxes(0, 1) if orientation > 4 else samples)[::rows, ::columns]


def split(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """Pixels, alpha and grey of an array in one of ``srdiff.photo.convert.photo_from``'s shapes."""
    samples = np.atleast_3d(samples).astype(samples.dtype.newbyteorder("="), copy=False)
    channels = samples.shape[2]
    grey = channels < 3
    pixels = np.repeat(samples[..., :1], 3, axis=2) if grey else np.ascontiguousarray(samples[..., :3])
    alpha = np.ascontiguousarray(samples[..., -1]) if channels in (2, 4) else None
    return pixels, alpha, grey


def with_straight_alpha(samples: np.ndarray) -> np.ndarray:
    """uint16 [h, w, channels], the last of them an alpha that the others were multiplied with, undone."""
    result = samples.copy()
    for source, target in _bands(samples, result):
        alpha = source[..., -1:].astype(np.uint32)
        colour = (source[..., :-1].astype(np.uint32) * 65535 + alpha // 2) // np.maximum(alpha, 1)
        target[..., :-1] = np.minimum(colour, 65535)
    return result


def _bands(source: np.ndarray, target: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same rows of two arrays, some at a time: what is computed between them takes several times their memory."""
    for top in range(0, len(source), _BAND):
        yield source[top : top + _BAND], target[top : top + _BAND]
