"""Engines by name. An engine's package is imported only when that engine is opened."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Mapping

from ..errors import DeviceError, OptionError, PackageError, SRDiffError
from ..graph_io import Shapes
from ..machine import usable_cpus
from ..whole import whole
from .base import GRAPH_FORMATS, PRECISIONS, Arrays, Engine, Graph, UnknownOptionError
from .device_names import with_number

# Best first: what ``auto`` tries, as (engine, device).
CANDIDATES: tuple[tuple[str, str], ...] = (
    ("mindspore_lite", "ascend"),
    ("onnxruntime", "ascend"),
    ("onnxruntime", "gpu"),
    ("openvino", "cpu"),
    ("onnxruntime", "cpu"),
    ("mindspore_lite", "gpu"),
    ("mindspore_lite", "cpu"),
)
MAX_THREADS = 1024  # engines start as many as they are told, and hang or fail at tens of thousands
ENGINES = tuple(dict.fromkeys(engine for engine, _ in CANDIDATES))
DEVICES = tuple(dict.fromkeys(device for _, device in CANDIDATES))

__all__ = [
    "CANDIDATES",
    "DEVICES",
    "ENGINES",
    "GRAPH_FORMATS",
    "PRECISIONS",
    "Arrays",
    "Engine",
    "Graph",
    "Shapes",
    "open_engine",
    "try_devices",
]


def open_engine(
    engine: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    options: Mapping[str, str] | None = None,
    formats: tuple[str, ...] = ("onnx", "mindir"),
) -> Engine:
    """Open the best engine that really initialises, or exactly the one that is named.

    Args:
        engine: ``openvino``, ``onnxruntime``, ``mindspore_lite`` or ``auto``.
        device: ``cpu``, ``gpu``, ``ascend`` or ``auto``; ``gpu:1`` and ``ascend:1`` take that number of it. A named
            device is never replaced by another.
        precision: of the UNet's arithmetic: ``fp32``, ``bf16``, ``fp16``, or ``auto`` for the fastest that the
            device computes natively. The sampler's update is float32 in any case.
        threads: CPU threads per run; None leaves it to the engine, or takes the container's share of the machine's
            CPUs where that is less.
        options: what only this engine and device have, like ``{"device_id": "1"}``; see each engine's module. ``auto``
            takes no engine that has not all of them.
        formats: of the bundle's graphs; ``auto`` takes no engine that loads none of them.

    Raises:
        OptionError: a name that does not exist, a number of threads that cannot be, or an option that no candidate
            has.
        PackageError: the one candidate there is needs a package that is not installed.
        DeviceError: none of the candidates initialises; the message has each one's reason.
    """
    options = options or {}
    if not isinstance(options, Mapping) or not all(isinstance(text, str) for pair in options.items() for text in pair):
        raise OptionError(f"engine options are {options!r}; give text by name, like {{'device_id': '1'}}")
    device, options = with_number(device, options)
    for what, value, known in (("engine", engine, ENGINES), ("device", device, DEVICES)):
        if value not in ("auto", *known):
            raise OptionError(f"{what} is {value!r}; choose one of auto, {', '.join(known)}")
    if precision not in ("auto", *PRECISIONS):
        raise OptionError(f"precision is {precision!r}; choose one of auto, {', '.join(PRECISIONS)}")
    if threads is not None:
        threads = whole("threads", threads, 1, MAX_THREADS)
    if threads is None and usable_cpus() < (os.cpu_count() or 1):
        threads = usable_cpus()

    candidates = [
        (name, where)
        for name, where in CANDIDATES
        if (engine == name or (engine == "auto" and GRAPH_FORMATS[name] in formats)) and device in ("auto", where)
    ]
    if not candidates:
        which = f"engine {engine}" if engine != "auto" else f"no engine for {' or '.join(formats)} graphs"
        raise DeviceError(
            f"{which} has {'no' if engine != 'auto' else 'a'} device {device}; choose another device or engine"
        )
    refusals: list[SRDiffError] = []
    for name, where in candidates:
        try:
            return _module(name).open_engine(where, precision, threads, options)
        except (DeviceError, PackageError, UnknownOptionError) as error:
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    unknown = all(isinstance(refusal, UnknownOptionError) for refusal in refusals)
    raise (OptionError if unknown else DeviceError)("; ".join(dict.fromkeys(map(str, refusals))))


def try_devices() -> list[tuple[str, str, str]]:
    """(engine, device, what came of it) for every pair that could be asked for, each one opened."""
    found = []
    for name, where in CANDIDATES:
        try:
            engine = _module(name).open_engine(where, "auto", None, {})
        except (DeviceError, PackageError) as error:
            found.append((name, where, f"no: {error}"))
        else:
            found.append((name, where, f"yes: {engine.device}, {engine.precision}, {engine.graph_format} graphs"))
    return found


def _module(name: str) -> Any:
    """The engine's file, which has ``open_engine``."""
    return import_module(f".{name}_engine", __name__)
