"""Times what an engine does, from outside."""

from __future__ import annotations

import time
from typing import Any, Callable

from srdiff.engines import Engine, Shapes


class Stopwatch:
    """Seconds within an engine's ``compile`` and its graphs' ``run``.

    All else that happens while an image is made, happens outside the engine. Only these two methods are replaced, on
    the objects themselves, so the runtime works as it does without it.

    Attributes:
        seconds: by ``compile``, ``encoder`` and ``step`` (the two graphs' runs), since the last :meth:`restart`.
        calls: likewise.
        shapes: of each graph's inputs, as last compiled.
    """

    def __init__(self, engine: Engine) -> None:
        self.shapes: dict[str, Shapes] = {}
        self.restart()
        compile = engine.compile

        def timed_compile(model: bytes, shapes: Shapes) -> Any:
            name = "step" if "x" in shapes else "encoder"
            self.shapes[name] = {key: tuple(shape) for key, shape in shapes.items()}
            graph = self._timed("compile", compile)(model, shapes)
            self._watch(graph, "run", name)
            return graph

        setattr(engine, "compile", timed_compile)  # noqa: B010  # mypy forbids it as an assignment

    def restart(self) -> None:
        self.seconds = dict.fromkeys(("compile", "encoder", "step"), 0.0)
        self.calls = dict.fromkeys(self.seconds, 0)

    def _watch(self, instance: Any, method: str, name: str) -> None:
        setattr(instance, method, self._timed(name, getattr(instance, method)))

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - begin
                self.calls[name] += 1

        return timed
