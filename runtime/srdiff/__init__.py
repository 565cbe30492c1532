"""SRDiff super-resolution at run time: a bundle and an image in, an image four times as large out.

from ..srdiff import Upscaler

upscaler = Upscaler.from_bundle()
upscaler.upscale(Image.open("in.png"), seed=0).save("out.png")
"""

from __future__ import annotations

from .async_upscaler import AsyncUpscaler
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
