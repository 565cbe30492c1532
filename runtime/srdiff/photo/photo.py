"""A photograph in memory: RGB pixels, and with them what a photographer expects to survive."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..errors import ImageError

MAX_DPI = 65535  # the most that JPEG can say


@dataclass(frozen=True, eq=False)
class Photo:
    """One upright photograph; its arrays may be shared and read-only. Raises ImageError if they disagree."""

    pixels: np.ndarray  # [h, w, 3] RGB, uint8 or uint16
    alpha: np.ndarray | None = None  # [h, w], straight, of the same dtype
    grey: bool = False  # came from one channel and is saved as one again, the luma of the RGB
    icc_profile: bytes | None = None
    exif: bytes | None = None  # begins with "Exif"; orientation 1, no thumbnail, nothing about the old pixels
    dpi: tuple[float, float] | None = None  # across and down
    xmp: bytes | None = None  # an XML packet
    iptc: bytes | None = None  # IPTC-IIM records
    text: tuple[tuple[str, str], ...] = ()  # keyword and words, as PNG has them
    gamma: float | None = None  # of PNG's gAMA, where no profile overrides it: samples are light to this power
    chromaticity: tuple[float, ...] | None = None  # of PNG's cHRM: x and y of white, red, green and blue
    cicp: bytes | None = None  # the four bytes of PNG's cICP: primaries, transfer, matrix, range
    lost: tuple[str, ...] = ()  # what the file has that could not be read, in words
    frames: int = 1  # frames or pages in the file that this photo is one of

    def __post_init__(self) -> None:
        pixels, alpha = self.pixels, self.alpha
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
            raise ImageError(f"a photo has pixels of shape {list(pixels.shape)}; give [height, width, 3]")
        if pixels.dtype not in (np.uint8, np.uint16):
            raise ImageError(f"a photo has pixels of type {pixels.dtype}; give uint8 or uint16")
        if alpha is not None and (alpha.shape, alpha.dtype) != (pixels.shape[:2], pixels.dtype):
            raise ImageError(
                f"a photo's alpha is {alpha.dtype} {list(alpha.shape)}; "
                f"give {pixels.dtype} {list(pixels.shape[:2])} as its pixels are"
            )
        if self.dpi is not None and not all(0 < value <= MAX_DPI for value in self.dpi):
            raise ImageError(f"a photo's resolution is {self.dpi}; give dots per inch up to {MAX_DPI}, or None")
        if self.gamma is not None and not (math.isfinite(self.gamma) and 0 < self.gamma < 1000):
            raise ImageError(f"a photo's gamma is {self.gamma}; give a number between 0 and 1000, or None")
        if self.chromaticity is not None and len(self.chromaticity) != 8:
            raise ImageError(f"a photo's chromaticity has {len(self.chromaticity)} numbers; give eight, or None")
        if self.cicp is not None and len(self.cicp) != 4:
            raise ImageError(f"a photo's cicp has {len(self.cicp)} bytes; give four, or None")

    def enlarged(self, pixels: np.ndarray, alpha: np.ndarray | None) -> Photo:
        """The same photo with other pixels, of any size, and its metadata."""
        return replace(self, pixels=pixels, alpha=alpha)
