"""The stopwatch around an engine: what is inside, what is not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Mapping

import numpy as np
import pytest
from racing.stopwatch import Stopwatch

from srdiff import condition_cache
from srdiff.bundle import Bundle
from srdiff.engines import Arrays, Engine, Graph, Shapes, open_engine
from srdiff.engines.base import Loop
from srdiff.upscaler import Upscaler

from .golden_bundle import GOLDEN

LR = (12, 16)


def test_the_stopwatch_sees_every_run_and_changes_nothing() -> None:
    engine = open_engine("auto", "cpu", "fp32", 1, formats=("onnx",))
    watch = Stopwatch(engine, engine.name)
    upscaler = Upscaler(Bundle(GOLDEN), engine)
    pixels = np.zeros((*LR, 3), np.uint8)
    upscaler.upscale(pixels, steps=3)
    assert watch.calls == {"compile": 2, "encoder": 1, "step": 3}
    assert watch.shapes["step"]["x"] == (1, 3, 48, 64) and watch.shapes["encoder"] == {"lr": (1, 3, *LR)}
    watch.restart()
    plain = Upscaler(Bundle(GOLDEN), open_engine("auto", "cpu", "fp32", 1, formats=("onnx",)))
    assert (upscaler.upscale(pixels, steps=3) == plain.upscale(pixels, steps=3)).all()
    assert watch.calls == {"compile": 0, "encoder": 1, "step": 3} and watch.seconds["compile"] == 0
    assert min(watch.seconds["encoder"], watch.seconds["step"]) > 0


def test_graphs_parted_elsewhere_are_seen_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(condition_cache, "MEMORY_BYTES", 0)
    engine = open_engine("openvino", "cpu", "fp32", 1)
    watch = Stopwatch(engine, engine.name)
    Upscaler(Bundle(GOLDEN), engine, tile=24, overlap=8).upscale(np.zeros((20, 36, 3), np.uint8), steps=3)
    assert watch.calls == {"compile": 2, "encoder": 2, "step": 6}
    assert watch.shapes["encoder"] == {"lr": watch.shapes["encoder"]["lr"]} and "cond" in watch.shapes["step"]


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_copies_around_the_librarys_call_are_outside_the_engine(name: str) -> None:
    """A result that is copied for long after ``infer``: the library did not compute meanwhile."""
    pytest.importorskip(name)
    engine = open_engine(name, "cpu", "fp32", 1)
    compile = engine.compile

    def slowly_copied(model: bytes, shapes: Shapes) -> Graph:
        graph = compile(model, shapes)
        run = graph.run

        def copied(inputs: Mapping[str, np.ndarray]) -> Arrays:
            outputs = run(inputs)
            time.sleep(0.2)
            return outputs

        graph.run = copied  # type: ignore[method-assign]
        return graph

    engine.compile = slowly_copied  # type: ignore[method-assign]
    watch = Stopwatch(engine, name)
    upscaler = Upscaler(Bundle(GOLDEN), engine, tile=24, overlap=8)
    for size, calls in (((8, 8), 3), ((20, 36), 6)):  # a loop over one window, and windows
        pixels = np.zeros((*size, 3), np.uint8)
        upscaler.upscale(pixels, steps=2)
        watch.restart()
        begin = time.perf_counter()
        upscaler.upscale(pixels, steps=2)
        seconds = time.perf_counter() - begin
        assert watch.calls["encoder"] + watch.calls["step"] == calls
        inside = watch.seconds["encoder"] + watch.seconds["step"]
        assert 0 < inside < seconds - 0.2 * calls


def test_both_graphs_as_one_are_the_step() -> None:
    pytest.importorskip("openvino")
    engine = open_engine("openvino", "cpu", "fp32", 1)
    watch = Stopwatch(engine, "openvino")
    Upscaler(Bundle(GOLDEN), engine).upscale(np.zeros((*LR, 3), np.uint8), steps=1)
    assert watch.calls == {"compile": 1, "encoder": 0, "step": 1} and watch.seconds["step"] > 0
    assert watch.shapes["encoder"] == {"lr": (1, 3, *LR)} and "cond" in watch.shapes["step"]


def test_graphs_that_compile_side_by_side_are_timed_once() -> None:
    class Slow(Engine):
        name, device, precision = "slow", "cpu", "fp32"

        def compile(self, model: bytes, shapes: Shapes) -> Graph:
            time.sleep(0.2)
            return open_engine("auto", "cpu", "fp32", 1, formats=("onnx",)).compile(model, shapes)

    engine = Slow()
    watch = Stopwatch(engine, "no library")
    upscaler = Upscaler(Bundle(GOLDEN), engine)
    begin = time.perf_counter()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda name: engine.compile(*upscaler_graph(upscaler, name)), ("encoder", "step")))
    assert 0.2 < watch.seconds["compile"] < time.perf_counter() - begin < 2 * watch.seconds["compile"]


def upscaler_graph(upscaler: Upscaler, name: str) -> tuple[bytes, Shapes]:
    return upscaler.bundle.read(f"{name}.onnx"), upscaler.bundle.manifest.input_shapes(name, *LR)


def test_a_loop_that_does_not_call_its_graph_is_timed() -> None:
    """As on a GPU, where the arrays stay on the device."""

    class Owning(Loop):
        def put(self, name: str, array: np.ndarray) -> None: ...

        def run(self) -> None:
            time.sleep(0.01)

        def get(self, output: str) -> np.ndarray:
            return np.zeros(1)

    class OwningGraph(Graph):
        def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
            return {}

        def loop(self, feedback: Mapping[str, str]) -> Loop:
            return Owning()

    class OwningEngine(Engine):
        name, device, precision = "owning", "gpu:0", "fp32"

        def compile(self, model: bytes, shapes: Shapes) -> Graph:
            return OwningGraph()

    engine = OwningEngine()
    watch = Stopwatch(engine, "no library")
    loop = engine.compile(b"", {"x": (1, 3, 8, 8)}).loop({})
    for _ in range(3):
        loop.run()
    assert watch.calls["step"] == 3 and watch.seconds["step"] >= 0.03
