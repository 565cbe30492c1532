"""The one way in which a bundle gets its engine."""

from __future__ import annotations

from typing import Mapping

from .bundle import Bundle
from .engines import Engine, open_engine
from .errors import OptionError


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
            Of graphs that a converter compiled for a precision, ``auto`` is that one.

    Raises:
        DeviceError, PackageError, OptionError: as :func:`srdiff.engines.open_engine` does.
        OptionError: the engine would run graphs that were compiled for another precision.
    """
    usual = "fp32" if precision == "auto" and not bundle.manifest.clip_denoised else precision
    opened = open_engine(engine, device, usual, threads, options, bundle.formats)
    compiled = next((graph.precision for graph in bundle.graph_files(opened.graph_format) if graph.precision), None)
    if compiled in (None, opened.precision):
        return opened
    if precision == "auto":
        return open_engine(opened.name, device, compiled, threads, options, bundle.formats)
    raise OptionError(
        f"precision is {precision!r} and the {opened.graph_format} graphs of {bundle.path} were compiled for "
        f"{compiled}; leave the precision out, or convert the bundle anew with precision {precision}"
    )
