"""What a film says of its colours, and its frames as photographs and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ImageError
from ..photo.photo import Photo
from .library import av

BT601, BT709 = 6, 1
_UNSAID = (0, 2, 3)  # of matrices: RGB's, which some write for others, unspecified, reserved
LIMITED, FULL = 1, 2
# H.273's matrices by the numbers that swscale has for them.
_SWSCALE = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
# From this size on, players take a film that does not say its matrix for BT.709, and below for BT.601.
HD = (1280, 720)
# No shortcut in chroma: it would move colours by a level and half a pixel.
_EXACTLY = 4 | 0x2000 | 0x4000 | 0x40000  # bicubic, full chroma in and out, accurate rounding


def is_transparent(frame: Any) -> bool:
    """Whether a decoded frame shows something that is."""
    return bool(frame.to_ndarray(format="rgba")[..., 3].min() < 255)


@dataclass(frozen=True)
class Colours:
    """H.273's numbers, and what pixels hold.

    Attributes:
        matrix, primaries, transfer: as the film says. A matrix that it does not say is what players take it for; the
            larger result must say so, or they would take it for another.
        range: 1 limited, 2 full.
        deep: more than 8 bits.
        alpha: there is transparency.
    """

    matrix: int
    primaries: int
    transfer: int
    range: int
    deep: bool
    alpha: bool

    @classmethod
    def of(cls, stream: Any, name: str, palette_alpha: bool = True) -> Colours:
        """Of a video stream.

        Args:
            name: of the film, for messages.
            palette_alpha: whether one of its palettes, if it has them, is transparent.

        Raises:
            ImageError: it says a matrix that is not read here.
        """
        format, matrix = stream.format, stream.colorspace
        if matrix not in _SWSCALE and matrix not in _UNSAID and not format.is_rgb:
            raise ImageError(f"{name} has H.273's colour matrix {matrix}, which is not read here; convert it to BT.709")
        if matrix not in _SWSCALE:  # RGB, too: its result is written as BT.709
            hd = stream.width >= HD[0] or stream.height >= HD[1] or format.is_rgb or format.has_palette
            matrix = BT709 if hd else BT601
        full = stream.color_range == FULL or format.name.startswith("yuvj") or format.name == "gray"
        return cls(
            matrix,
            stream.color_primaries,
            stream.color_trc,
            FULL if full and not format.is_rgb else LIMITED,
            max(component.bits for component in format.components) > 8,
            any(component.is_alpha for component in format.components) or (format.has_palette and palette_alpha),
        )

    @property
    def _packed(self) -> str:
        """The pixel format of arrays."""
        return ("rgba" if self.alpha else "rgb") + (("64le" if self.alpha else "48le") if self.deep else self._eight)

    @property
    def _eight(self) -> str:
        return "" if self.alpha else "24"

    def photo(self, frame: Any) -> Photo:
        """A decoded frame as a photo."""
        rgb = frame.reformat(
            format=self._packed,
            src_colorspace=None if frame.format.is_rgb else _SWSCALE[self.matrix],
            src_color_range=None if frame.format.is_rgb else self.range,
            dst_color_range=FULL,
            interpolation=_EXACTLY,
        ).to_ndarray()
        alpha = np.ascontiguousarray(rgb[..., 3]) if self.alpha else None
        return Photo(np.ascontiguousarray(rgb[..., :3]), alpha)

    def frame(self, photo: Photo, format: str) -> Any:
        """A photo as a frame of a pixel format, tagged."""
        pixels = photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=self._packed)
        if av.VideoFormat(format, 16, 16).is_rgb:
            return frame.reformat(format=format)
        return frame.reformat(
            format=format,
            src_color_range=FULL,
            dst_colorspace=_SWSCALE[self.matrix],
            dst_color_range=self.range,
            interpolation=_EXACTLY,
        )
