"""SRDiff super-resolution at run time: a bundle and an image in, an image four times as large out.

from PIL import Image
from srdiff import Upscaler

upscaler = Upscaler.from_bundle()
upscaler.upscale(Image.open("in.png"), seed=0).save("out.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import starting  # noqa: F401 (acts when imported, before what takes long)
from .bundle import Bundle
from .errors import (
    BundleError,
    CheckpointError,
    DeviceError,
    ImageError,
    OptionError,
    OutputError,
    PackageError,
    ParityError,
    SRDiffError,
)
from .upscaler import Upscaler

if TYPE_CHECKING:
    from .async_upscaler import AsyncUpscaler

__version__ = "0.1.0"

__all__ = [
    "AsyncUpscaler",
    "Bundle",
    "BundleError",
    "CheckpointError",
    "DeviceError",
    "ImageError",
    "OptionError",
    "OutputError",
    "PackageError",
    "ParityError",
    "SRDiffError",
    "Upscaler",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """asyncio takes a quarter of the time that all else here takes to import, so it waits for its user."""
    if name == "AsyncUpscaler":
        from .async_upscaler import AsyncUpscaler

        return AsyncUpscaler
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
