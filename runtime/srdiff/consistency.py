"""Makes a result agree with its input: shrunk again, it gives the input back."""

from __future__ import annotations

import numpy as np

from .errors import ImageError
from .photo.bleed import bled
from .photo.neutral import is_neutral, neutralise
from .photo.photo import Photo
from .resize import bicubic

# LR-PSNR of a photo at x4: 38 dB before, 45 after one pass, 58 after five, 66 after twenty, 67 after forty.
PASSES = 20


def project(result: Photo, source: Photo, passes: int = PASSES) -> Photo:
    """Iterative back-projection (Irani & Peleg, CVGIP 53, 1991) with MATLAB's bicubic both ways.

    Each pass shrinks the result, enlarges what the input has more, and adds it. What is finer than the
    input's pixels stays; brightness and colour that drifted come back.

    Args:
        result: the photo enlarged, by any whole factor.
        source: the photo that it was made from.
        passes: more of them, less error.

    Raises:
        ImageError: the sizes or types of the two do not fit.
    """
    height, width = source.pixels.shape[:2]
    rows, columns = result.pixels.shape[:2]
    scale = rows // height
    if scale < 1 or (rows, columns) != (scale * height, scale * width) or result.pixels.dtype != source.pixels.dtype:
        raise ImageError(
            f"a {result.pixels.dtype} result of {columns}x{rows} does not come from a "
            f"{source.pixels.dtype} input of {width}x{height}; give the photo that was enlarged"
        )
    white = np.iinfo(source.pixels.dtype).max
    target = bled(source).pixels.astype(np.float64)
    estimate = result.pixels.astype(np.float64)
    for _ in range(passes):
        missing = target - bicubic(estimate, height, width)
        estimate = np.clip(estimate + bicubic(missing, rows, columns), 0, white)
    pixels = np.rint(estimate).astype(result.pixels.dtype)
    if is_neutral(source):
        neutralise(pixels)
    return result.enlarged(pixels, result.alpha)
