"""The one way in which a bundle gets its engine."""

from __future__ import annotations

from typing import Mapping

from .bundle import Bundle
from .engines import Engine, open_engine


def open_for(
    bundle: Bundle,
    engine: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    options: Mapping[str, str] | None = None,
) -> Engine:
    """Open an engine for the graphs that a bundle has.

    Args:
        engine, device, precision, threads, options: see :func:`srdiff.engines.open_engine`. ``auto`` as the precision
            of a model that is sampled without the clamp is fp32: its x grows to thousands, where bf16's 8 bits show.

    Raises:
        DeviceError, PackageError, OptionError: as :func:`srdiff.engines.open_engine` does.
    """
    if precision == "auto" and not bundle.manifest.clip_denoised:
        precision = "fp32"
    return open_engine(engine, device, precision, threads, options, bundle.formats)
