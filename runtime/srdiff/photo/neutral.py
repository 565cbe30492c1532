"""Pictures without colour that are stored as RGB: the model must not give them any."""

from __future__ import annotations

import numpy as np

from .photo import Photo

# Levels of 255 between the channels of one pixel: what a level of each chroma makes (B + 1.77, R + 1.40, G - 1.06,
# rounded), as encoders round them. Equal channels come back equal from libjpeg at every quality, with one level
# between them from WebP and through Lab.
MAX_SPREAD = 3
# Between the channels' means: rounding goes both ways, a tone does not. Through Lab it is 0.3.
MAX_LEAN = 1
# Pillow's own luma: BT.601 in 16 binary digits, so equal channels come back as they are.
_LUMA = (19595, 38470, 7471)
_BAND = 256  # rows at a time, so that no further picture of wide integers is made


def is_neutral(photo: Photo) -> bool:
    """Whether the channels agree wherever the photo can be seen, to what rounding leaves between them.

    Stops at the first rows that have colour.
    """
    level = np.iinfo(photo.pixels.dtype).max // 255
    total, count = np.zeros(3), 0
    for top in range(0, photo.pixels.shape[0], _BAND):
        band = photo.pixels[top : top + _BAND]
        if photo.alpha is not None:
            band = band[photo.alpha[top : top + _BAND] > 0]
        if band.size:
            red, green, blue = np.moveaxis(band, -1, 0)
            spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
            if spread.max() > MAX_SPREAD * level:
                return False
            total += [channel.sum(dtype=np.float64) for channel in (red, green, blue)]
            count += red.size
    return bool(np.ptp(total) <= MAX_LEAN * level * count)


def neutralise(pixels: np.ndarray) -> None:
    """Sets all channels of [h, w, 3] to their luma, in place."""
    for top in range(0, pixels.shape[0], _BAND):
        band = pixels[top : top + _BAND]
        band[...] = luma(band)[..., None]


def luma(pixels: np.ndarray) -> np.ndarray:
    """[h, w, 3] to [h, w] of the same dtype, rounded; 65535 is the most that fits the 32 bits."""
    total = np.full(pixels.shape[:2], 1 << 15, np.uint32)
    for channel, weight in enumerate(_LUMA):
        total += np.multiply(pixels[..., channel], weight, dtype=np.uint32)
    return (total >> 16).astype(pixels.dtype)
