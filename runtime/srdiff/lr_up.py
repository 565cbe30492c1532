"""How the enlarged input that a model adds its residual to is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import OptionError
from .resize import BORDERS, ROUNDINGS, bicubic

# LR pixels around a rectangle that its bicubic enlargement depends on.
CONTEXT = 2


@dataclass(frozen=True)
class LrUpRecipe:
    """How the enlarged input that the residual is added to was made in training.

    Attributes:
        border: see :func:`srdiff.resize.bicubic`.
        rounding: to 8 bits, ``half_up`` or ``half_even``; ``none`` keeps fractions.
        divisor: what stands for white: 255, or 256 in the authors' PyTorch code.
    """

    border: str = "symmetric"
    rounding: str = "half_even"
    divisor: int = 255

    def __post_init__(self) -> None:
        if self.border not in BORDERS or self.rounding not in (*ROUNDINGS, "none") or self.divisor not in (255, 256):
            raise OptionError(f"the lr_up recipe {self} is unknown; export the model anew")

    def apply(self, pixels: np.ndarray, height: int, width: int) -> np.ndarray:
        """Integer pixels [h, w, 3] -> lr_up [3, height, width] float32 in about [-1, 1].

        8-bit input is rounded as in training; deeper input never is.
        """
        white = np.iinfo(pixels.dtype).max
        if self.rounding == "none" or white > 255:
            enlarged = bicubic(pixels.astype(np.float64) * (255 / white), height, width, self.border)
            return np.ascontiguousarray(self._signed(enlarged).transpose(2, 0, 1))
        enlarged = bicubic(pixels, height, width, self.border, self.rounding)
        return np.take(self._signed(np.arange(256, dtype=np.float64)), enlarged.transpose(2, 0, 1))

    def _signed(self, values: np.ndarray) -> np.ndarray:
        """0 … 255 -> about [-1, 1]."""
        return (values * (2 / self.divisor) - 1).astype(np.float32)

    def crop(self, pixels: np.ndarray, top: int, left: int, height: int, width: int, scale: int) -> np.ndarray:
        """A rectangle of the whole image's lr_up, [3, scale * height, scale * width], equal to the last bit.

        Args:
            pixels: the whole input, integers [h, w, 3].
            top, left, height, width: of the rectangle in LR pixels.
            scale: of the enlargement.
        """
        above, before = min(top, CONTEXT), min(left, CONTEXT)
        window = pixels[top - above : top + height + CONTEXT, left - before : left + width + CONTEXT]
        enlarged = self.apply(window, window.shape[0] * scale, window.shape[1] * scale)
        return enlarged[:, above * scale :, before * scale :][:, : height * scale, : width * scale]
