"""Shapes that the network takes."""

from __future__ import annotations

from srdiff.errors import OptionError
from srdiff.manifest import Manifest


def require_fitting(lr_shape: tuple[int, int], manifest: Manifest) -> None:
    """Raises OptionError for an LR shape that the network does not take."""
    hr_shape = [size * manifest.scale for size in lr_shape]
    if any(size < manifest.hr_minimum or size % manifest.hr_multiple for size in hr_shape):
        raise OptionError(
            f"an LR shape of {lr_shape[0]}x{lr_shape[1]} gives {hr_shape[0]}x{hr_shape[1]}; "
            f"both sides must be multiples of {manifest.hr_multiple} and at least {manifest.hr_minimum}"
        )
