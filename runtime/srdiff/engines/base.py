"""What every engine offers: compile a graph for one static shape, run it from any thread."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Dict, Iterable, Mapping, Tuple

import numpy as np

from ..errors import OptionError

Arrays = Dict[str, np.ndarray]
Shapes = Mapping[str, Tuple[int, ...]]

# What the free axes of an exported graph's images are called.
SYMBOLIC_AXES = ("height", "width")

PRECISIONS = ("fp32", "bf16", "fp16")


class Graph(ABC):
    """A graph compiled for one static shape."""

    @abstractmethod
    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """C-contiguous float32 arrays by input name -> float32 arrays by output name, the caller's own.

        Safe to call from several threads at once. The inputs must not change while it runs.
        """


class Engine(ABC):
    """An inference library, opened on one device at one precision.

    Attributes:
        name: of the library, as ``--engine`` takes it.
        device: where it really runs, for the reader.
        precision: of the UNet's arithmetic: ``fp32``, ``bf16`` or ``fp16``.
        graph_format: of the bundle's graphs that it loads: ``onnx`` or ``mindir``.
    """

    name: str
    device: str
    precision: str
    graph_format: str = "onnx"

    @abstractmethod
    def compile(self, model: bytes, shapes: Shapes) -> Graph:
        """Load a graph and fix the shape of every input; the first input is the image that the free axes belong to."""


def require_known(engine: str, options: Mapping[str, str], known: Iterable[str]) -> None:
    """Raises OptionError for an engine option that this engine does not have."""
    known = tuple(known)
    for name in options:
        if name not in known:
            choice = f"choose from {', '.join(known)}" if known else "leave it out, or name another engine"
            raise OptionError(f"{engine} has no option {name!r}; {choice}")


def option_number(name: str, text: str) -> int:
    """An engine option's value as a whole number from 0."""
    if not text.isdecimal():
        raise OptionError(f"{name} is {text!r}; it must be a whole number from 0")
    return int(text)
