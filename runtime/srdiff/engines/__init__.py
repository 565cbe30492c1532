"""Engines by name. An engine's package is imported only when that engine is opened."""

from __future__ import annotations

from importlib import import_module
from typing import Callable

from ..errors import DeviceError, OptionError
from .base import PRECISIONS, Arrays, Engine, Graph, Shapes

# Best first: what ``auto`` tries, as (engine, device).
CANDIDATES: tuple[tuple[str, str], ...] = (
    ("onnxruntime", "gpu"),
    ("openvino", "cpu"),
    ("onnxruntime", "cpu"),
)
ENGINES = tuple(dict.fromkeys(engine for engine, _ in CANDIDATES))
DEVICES = tuple(dict.fromkeys(device for _, device in CANDIDATES))

__all__ = ["DEVICES", "ENGINES", "PRECISIONS", "Arrays", "Engine", "Graph", "Shapes", "open_engine"]


def open_engine(
    engine: str = "auto", device: str = "auto", precision: str = "auto", threads: int | None = None
) -> Engine:
    """Open the best engine that really initialises, or exactly the one that is named.

    Args:
        engine: ``openvino``, ``onnxruntime`` or ``auto``.
        device: ``cpu``, ``gpu`` or ``auto``. A named device is never replaced by another.
        precision: of the UNet's arithmetic: ``fp32``, ``bf16``, ``fp16``, or ``auto`` for the fastest that the
            device computes natively. The sampler's update is float32 in any case.
        threads: CPU threads per run; None leaves it to the engine.

    Raises:
        OptionError: a name that does not exist, or fewer than one thread.
        DeviceError: none of the candidates initialises; the message has each one's reason.
    """
    for what, value, known in (("engine", engine, ENGINES), ("device", device, DEVICES)):
        if value not in ("auto", *known):
            raise OptionError(f"{what} is {value!r}; choose one of auto, {', '.join(known)}")
    if precision not in ("auto", *PRECISIONS):
        raise OptionError(f"precision is {precision!r}; choose one of auto, {', '.join(PRECISIONS)}")
    if threads is not None and threads < 1:
        raise OptionError(f"threads is {threads}; it must be at least 1")

    candidates = [pair for pair in CANDIDATES if engine in ("auto", pair[0]) and device in ("auto", pair[1])]
    if not candidates:
        raise DeviceError(f"engine {engine} has no device {device}; choose another engine or leave it out")
    reasons: list[str] = []
    for name, where in candidates:
        opener: Callable[..., Engine] = import_module(f".{name}_engine", __name__).open_engine
        try:
            return opener(where, precision, threads)
        except DeviceError as error:
            reasons.append(str(error))
    raise DeviceError("; ".join(dict.fromkeys(reasons)))
