"""What every engine offers: compile a graph for one static shape, run it from any thread."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import Dict, Iterable, Iterator, Mapping

import numpy as np

from ..errors import BundleError, OptionError, SRDiffError, one_line
from ..graph_io import Shapes

Arrays = Dict[str, np.ndarray]

# What the free axes of an exported graph's images are called.
SYMBOLIC_AXES = ("height", "width")

PRECISIONS = ("fp32", "bf16", "fp16")
# Of the graphs that each engine loads; here, so that to choose one imports none of the others.
GRAPH_FORMATS = {"mindspore_lite": "mindir", "onnxruntime": "onnx", "openvino": "onnx"}


class Graph(ABC):
    """A graph compiled for one static shape."""

    @abstractmethod
    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """C-contiguous float32 arrays by input name -> float32 arrays by output name, the caller's own.

        Safe to call from several threads at once. The inputs must not change while it runs.
        """

    def loop(self, feedback: Mapping[str, str]) -> Loop:
        """A loop around this graph, for one thread; ``feedback`` names the input that each output becomes."""
        return HostLoop(self, feedback)


class Loop(ABC):
    """A graph run again and again on its own results.

    Attributes:
        resident: those results stay in a device's memory, which is not main memory.
    """

    resident: bool = False

    @abstractmethod
    def put(self, name: str, array: np.ndarray) -> None:
        """Set an input, C-contiguous float32; it stays for all runs that follow and must not be changed meanwhile."""

    @abstractmethod
    def run(self) -> None:
        """Run once; every output of the feedback is then the next run's input."""

    @abstractmethod
    def get(self, output: str) -> np.ndarray:
        """An output of the last run, valid until the next."""


class HostLoop(Loop):
    """For engines whose arrays are in main memory anyway: passes references on, copies nothing."""

    def __init__(self, graph: Graph, feedback: Mapping[str, str]) -> None:
        self._graph = graph
        self._feedback = feedback
        self._inputs: Arrays = {}
        self._outputs: Arrays = {}

    def put(self, name: str, array: np.ndarray) -> None:
        self._inputs[name] = array

    def run(self) -> None:
        self._outputs = self._graph.run(self._inputs)
        for output, name in self._feedback.items():
            self._inputs[name] = self._outputs[output]

    def get(self, output: str) -> np.ndarray:
        return self._outputs[output]


@contextmanager
def computing(graph: str) -> Iterator[None]:
    """Turns what a library raises while it runs a graph, each its own classes, into a BundleError of one sentence."""
    try:
        yield
    except (SRDiffError, MemoryError):
        raise
    except Exception as error:
        raise BundleError(
            f"the {graph} graph fails while it runs ({one_line(error)}); take another engine, or export the model anew"
        ) from error


class Engine(ABC):
    """An inference library, opened on one device at one precision.

    Attributes:
        name: of the library, as ``--engine`` takes it.
        device: where it really runs, for the reader.
        precision: of the UNet's arithmetic: ``fp32``, ``bf16`` or ``fp16``.
        graph_format: of the bundle's graphs that it loads: ``onnx`` or ``mindir``.
        workspace: bytes of main memory that a window takes while both graphs run, per pixel of the result and
            channel of cond; None where that is not main memory or not known.
        threads: of the CPU per run; None where the library chooses.
        compiles_at_once: two graphs may be compiled at the same time, from two threads.
        joins: has :meth:`compile_joined`.
        parts: has :meth:`compile_head` and :meth:`compile_rest`.
    """

    name: str
    device: str
    precision: str
    graph_format: str = "onnx"
    workspace: float | None = None
    threads: int | None = None
    compiles_at_once: bool = False
    joins: bool = False
    parts: bool = False

    @abstractmethod
    def compile(self, model: bytes, shapes: Shapes) -> Graph:
        """Load a graph and fix the shape of every input; the first input is the image that the free axes belong to."""

    def compile_joined(self, encoder: bytes, step: bytes, shapes: Shapes) -> Graph:
        """Both as one graph of lr and the step's other inputs, within which cond stays; ``shapes`` has both graphs'."""
        raise NotImplementedError

    def compile_head(self, encoder: bytes, shapes: Shapes) -> Graph:
        """Of the encoder what works at the size of lr: lr -> features."""
        raise NotImplementedError

    def compile_rest(self, encoder: bytes, step: bytes, shapes: Shapes) -> Graph:
        """The rest of the encoder and the step as one: features and the step's inputs but cond; same bits as apart."""
        raise NotImplementedError

    def reads(self, model: bytes) -> bool:
        """Whether this version of the library is new enough for the one that wrote a graph."""
        return True


class UnknownOptionError(OptionError):
    """An engine option that another engine may have."""


def require_known(engine: str, options: Mapping[str, str], known: Iterable[str]) -> None:
    """Raises UnknownOptionError for an engine option that this engine does not have."""
    known = tuple(known)
    for name in options:
        if name not in known:
            choice = f"choose from {', '.join(known)}" if known else "leave it out, or name another engine"
            raise UnknownOptionError(f"{engine} has no option {name!r}; {choice}")


def option_number(name: str, text: str) -> int:
    """An engine option's value as a whole number from 0."""
    if not text.isdecimal():
        raise OptionError(f"{name} is {text!r}; it must be a whole number from 0")
    return int(text)
