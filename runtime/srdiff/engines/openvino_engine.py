"""OpenVINO on CPU: reads the ONNX file, puts its own Mish in, computes in bf16 where the CPU does."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Iterator, Mapping

import numpy as np

from ..errors import BundleError, DeviceError, PackageError, one_line
from ..graph_io import COND, LR, Shapes
from ..telemetry import import_quietly
from .base import Arrays, Engine, Graph, require_known
from .openvino_mish import fuse_mish
from .openvino_parts import head, joined, tail


class OpenVinoGraph(Graph):
    """A compiled model and a pool of infer requests, one per call under way.

    Args:
        compiled: an ``openvino.CompiledModel``.
        tensor: the class ``openvino.Tensor``.
    """

    def __init__(self, compiled: Any, tensor: Any) -> None:
        self._compiled = compiled
        self._tensor = tensor
        self._shapes = {output.get_any_name(): tuple(output.get_shape()) for output in compiled.outputs}
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        with self._lock:
            request = self._idle.pop() if self._idle else None
        request = request or self._compiled.create_infer_request()
        outputs = {name: np.empty(shape, np.float32) for name, shape in self._shapes.items()}
        for name, array in outputs.items():  # written to where they are, and so never copied
            request.set_tensor(name, self._tensor(array, shared_memory=True))
        request.infer(dict(inputs), share_inputs=True, share_outputs=True)
        with self._lock:
            self._idle.append(request)
        return outputs


class OpenVinoEngine(Engine):
    name = "openvino"
    device = "cpu"
    compiles_at_once = True
    joins = True
    parts = True
    workspace = 40.0  # measured: 27 to 39 with windows of 256 to 512, bf16 and fp32

    def __init__(self, core: Any, precision: str, threads: int | None) -> None:
        self._core = core
        self.precision = precision
        self.threads = threads
        self._config = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}[precision],
        }
        if threads is not None:
            self._config["INFERENCE_NUM_THREADS"] = str(threads)

    def compile(self, model: bytes, shapes: Shapes) -> OpenVinoGraph:
        with _refusals():
            return self._compiled(self._core.read_model(model), shapes)

    def compile_joined(self, encoder: bytes, step: bytes, shapes: Shapes) -> OpenVinoGraph:
        with _refusals():
            outer = {name: shape for name, shape in shapes.items() if name != COND}
            return self._compiled(joined(self._core.read_model(encoder), self._core.read_model(step)), outer)

    def compile_head(self, encoder: bytes, shapes: Shapes) -> OpenVinoGraph:
        with _refusals():
            return self._compiled(head(self._core.read_model(encoder), shapes), shapes)

    def compile_rest(self, encoder: bytes, step: bytes, shapes: Shapes) -> OpenVinoGraph:
        with _refusals():
            outer = {name: shape for name, shape in shapes.items() if name not in (COND, LR)}
            late = tail(self._core.read_model(encoder), shapes)
            return self._compiled(joined(late, self._core.read_model(step)), outer)

    def _compiled(self, network: Any, shapes: Shapes) -> OpenVinoGraph:
        fuse_mish(network)
        network.reshape({name: list(shape) for name, shape in shapes.items()})
        from openvino import Tensor

        return OpenVinoGraph(self._core.compile_model(network, "CPU", self._config), Tensor)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise BundleError(f"OpenVINO refuses the bundle's graph: {one_line(error)}; export the model anew") from error


ENGINE = OpenVinoEngine


def open_engine(device: str, precision: str, threads: int | None, options: Mapping[str, str]) -> OpenVinoEngine:
    """Raises PackageError without OpenVINO, DeviceError where it cannot compute at the precision."""
    require_known("OpenVINO", options, ())
    try:
        openvino = import_quietly("openvino")
    except ImportError as error:
        raise PackageError(
            "OpenVINO is not installed; on Python 3.8 or newer run: pip install 'srdiff[cpu]'"
        ) from error
    core = openvino.Core()
    native = {"fp32", *_native_half_types(core)}
    if precision == "auto":
        precision = "bf16" if "bf16" in native else "fp32"
    if precision not in native:
        raise DeviceError(
            f"OpenVINO on this CPU computes in {', '.join(sorted(native))}, not {precision}; "
            "choose another precision or device"
        )
    return OpenVinoEngine(core, precision, threads)


def _native_half_types(core: Any) -> list[str]:
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return [name.lower() for name in ("BF16", "FP16") if name in capabilities]
