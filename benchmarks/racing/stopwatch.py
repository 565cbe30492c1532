"""Times what an engine does, from outside."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator

from srdiff.engines import Engine, Shapes

# Where each library computes, as (class, methods): what an engine does around it, such as copying results, is not
# the library's time. OpenVINO's are those below its Python layer, which may copy as well.
COMPUTES = {
    "openvino": ("openvino._pyopenvino", "InferRequest", ("infer", "start_async", "wait")),
    "onnxruntime": ("onnxruntime", "InferenceSession", ("run", "run_with_iobinding")),
    "mindspore_lite": ("mindspore_lite", "Model", ("predict",)),
}


class Stopwatch:
    """Seconds within an engine's ``compile``, and within the library's own call of each graph's runs.

    All else that happens while an image is made, happens outside the engine: noise, blending, and the copies that
    stand around the library's call. Only methods are replaced, so the runtime works as it does without it. An engine
    whose library has no such call here, as PyTorch's, counts whole.

    Args:
        engine: whose graphs are watched from their compilation on; the only one of its library in this process.
        library: that computes, by the name of its package.

    Attributes:
        seconds: by ``compile``, ``encoder`` and ``step`` (the graphs' runs; of more than the step as one, ``step``),
            since the last :meth:`restart`.
        calls: likewise, of the graphs' runs.
        shapes: of each graph's inputs, as last compiled.
    """

    def __init__(self, engine: Engine, library: str) -> None:
        self.shapes: dict[str, Shapes] = {}
        self.restart()
        self._running: str | None = None
        self._lock, self._compiling, self._since = threading.Lock(), 0, 0.0
        self._inside = False
        self._within_library = self._watch_library(library)
        compile = engine.compile

        def timed_compile(model: bytes, shapes: Shapes) -> Any:
            name = "step" if "x" in shapes else "encoder"
            self.shapes[name] = {key: tuple(shape) for key, shape in shapes.items()}
            with self._compile_time():
                graph = compile(model, shapes)
            self.calls["compile"] += 1
            self._watch_graph(graph, name)
            return graph

        def timed_both(compile_both: Callable[..., Any]) -> Callable[..., Any]:
            def timed(encoder: bytes, step: bytes, shapes: Shapes) -> Any:
                self.shapes["encoder"] = {key: tuple(shape) for key, shape in shapes.items() if key == "lr"}
                self.shapes["step"] = {key: tuple(shape) for key, shape in shapes.items() if key != "lr"}
                with self._compile_time():
                    graph = compile_both(encoder, step, shapes)
                self.calls["compile"] += 1
                self._watch_graph(graph, "step")
                return graph

            return timed

        compile_head = engine.compile_head

        def timed_head(encoder: bytes, shapes: Shapes) -> Any:
            with self._compile_time():
                graph = compile_head(encoder, shapes)
            self.calls["compile"] += 1
            self._watch_graph(graph, "encoder")
            return graph

        setattr(engine, "compile", timed_compile)  # noqa: B010  # mypy forbids it as an assignment
        setattr(engine, "compile_joined", timed_both(engine.compile_joined))  # noqa: B010
        setattr(engine, "compile_head", timed_head)  # noqa: B010
        setattr(engine, "compile_rest", timed_both(engine.compile_rest))  # noqa: B010

    def restart(self) -> None:
        self.seconds = dict.fromkeys(("compile", "encoder", "step"), 0.0)
        self.calls = dict.fromkeys(self.seconds, 0)

    def _watch_graph(self, graph: Any, name: str) -> None:
        graph.run = self._named(name, graph.run)
        make_loop = graph.loop

        def loop(*args: Any, **kwargs: Any) -> Any:
            made = make_loop(*args, **kwargs)
            made.run = self._named(name, made.run)
            return made

        graph.loop = loop

    def _named(self, name: str, run: Callable[..., Any]) -> Callable[..., Any]:
        """A graph's run: what the library computes meanwhile is this graph's. A loop's may call its graph's."""

        def named(*args: Any, **kwargs: Any) -> Any:
            if self._running is not None:
                return run(*args, **kwargs)
            self._running = name
            self.calls[name] += 1
            try:
                if self._within_library:
                    return run(*args, **kwargs)
                with self._adding(name):
                    return run(*args, **kwargs)
            finally:
                self._running = None

        return named

    def _watch_library(self, library: str) -> bool:
        """Whether the library's own calls can be timed."""
        module, owner, methods = COMPUTES.get(library, ("", "", ()))
        found = getattr(sys.modules.get(module), owner, None) if owner else None
        for method in methods if found is not None else ():
            if hasattr(found, method):
                setattr(found, method, self._timed(getattr(found, method)))
        return found is not None

    def _timed(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._running is None or self._inside:
                return compute(*args, **kwargs)
            self._inside = True
            try:
                with self._adding(self._running):
                    return compute(*args, **kwargs)
            finally:
                self._inside = False

        return timed

    @contextmanager
    def _compile_time(self) -> Iterator[None]:
        """Graphs that compile side by side take the time of both together once."""
        with self._lock:
            self._compiling += 1
            if self._compiling == 1:
                self._since = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._compiling -= 1
                if self._compiling == 0:
                    self.seconds["compile"] += time.perf_counter() - self._since

    @contextmanager
    def _adding(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - begin
