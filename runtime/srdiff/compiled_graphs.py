"""A bundle's graphs, compiled by an engine for the shapes that were asked for last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from contextlib import nullcontext

from .bundle import GraphSource
from .engines import Engine, Graph
from .errors import BundleError
from .graph_io import ENCODER, HEAD, JOINED, REST, STEP

# Compiled shapes kept per graph: a service that sees every size must not grow without bound.
CACHED_SHAPES = 4


class CompiledGraphs:
    """Gives each graph for each window, compiled once; several threads may ask, and wait for the one that compiles.

    Args:
        bundle: whose graphs they are.
        engine: that compiles them.

    Attributes:
        static: (height, width) of lr of the graphs that have one; empty where they take any size.

    Raises:
        BundleError: the bundle has no graphs of the engine's format.
    """

    def __init__(self, bundle: GraphSource, engine: Engine) -> None:
        self._engine = engine
        self._input_shapes = bundle.manifest.input_shapes
        pairs = bundle.graph_files(engine.graph_format)
        if not pairs:
            raise BundleError(
                f"{bundle.path} has no {engine.graph_format} graphs, which engine {engine.name} needs; "
                f"export with --format {engine.graph_format}"
            )
        # Graphs of several sizes may lie in one file.
        files = {name: bundle.read(name) for name in {name for pair in pairs for name in (pair.encoder, pair.step)}}
        # By static shape; the only key is None where the graphs take any size.
        self._models = {pair.lr_shape: {ENCODER: files[pair.encoder], STEP: files[pair.step]} for pair in pairs}
        self.static = [shape for shape in self._models if shape is not None]
        self._compiled: OrderedDict[tuple[str, int, int], Future[Graph]] = OrderedDict()
        self._begin()

    def get(self, name: str, height: int, width: int) -> Graph:
        """``encoder``, ``step``, ``joined``, ``head`` or ``rest``, for windows of height x width LR pixels."""
        key = (name, height, width)
        with self._lock:
            graph = self._compiled.get(key)
            missing = graph is None
            if graph is None:
                graph = self._compiled[key] = Future()
                while len(self._compiled) > 2 * CACHED_SHAPES:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(key)
        if missing:
            try:
                with nullcontext() if self._engine.compiles_at_once else self._one_at_a_time:
                    graph.set_result(self._compile(name, height, width))
            except BaseException as error:
                with self._lock:
                    self._compiled.pop(key, None)
                graph.set_exception(error)
        return graph.result()

    def inherited(self) -> list[object]:
        """What a forked child must not free; a compilation that was under way when it began never ends there."""
        self._begin()
        self._compiled = OrderedDict((key, graph) for key, graph in self._compiled.items() if graph.done())
        return [self._engine, self, *self._compiled.values()]

    def _begin(self) -> None:
        self._lock, self._one_at_a_time = threading.Lock(), threading.Lock()

    def _compile(self, name: str, height: int, width: int) -> Graph:
        models = self._models[(height, width) if self.static else None]
        shapes, engine = self._input_shapes, self._engine
        if name in models:
            return engine.compile(models[name], shapes(name, height, width))
        if name == HEAD:
            return engine.compile_head(models[ENCODER], shapes(ENCODER, height, width))
        both = {**shapes(ENCODER, height, width), **shapes(STEP, height, width)}
        compile = {JOINED: engine.compile_joined, REST: engine.compile_rest}[name]
        return compile(models[ENCODER], models[STEP], both)
