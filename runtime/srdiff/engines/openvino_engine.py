"""OpenVINO on CPU: reads the ONNX file, puts its own Mish in, computes in bf16 where that is faster."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

import numpy as np

from ..cpu import this_cpu
from ..errors import BundleError, DeviceError, PackageError, one_line
from ..graph_io import COND, LR, Shapes, X
from ..telemetry import import_quietly
from .base import GRAPH_FORMATS, Arrays, Engine, Graph, require_known
from .host_update import HostUpdate
from .openvino_cache import CompiledModels
from .openvino_mish import fuse_mish
from .openvino_parts import head, joined, tail

CACHE_DIR = "cache_dir"


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
    graph_format = GRAPH_FORMATS[name]
    device = "cpu"
    compiles_at_once = True
    joins = True
    parts = True
    workspace = 40.0  # measured: 27 to 39 with windows of 256 to 512, bf16 and fp32

    def __init__(self, core: Any, precision: str, threads: int | None, cache_dir: str | None = None) -> None:
        self._core = core
        self.precision = precision
        self.threads = threads
        self._config = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}[precision],
        }
        if threads is not None:
            self._config["INFERENCE_NUM_THREADS"] = str(threads)
        self._kept = None if cache_dir is None else CompiledModels(Path(cache_dir), core, self._config)

    def compile(self, model: bytes, shapes: Shapes) -> Graph:
        return self._compiled("alone", (model,), shapes, lambda read: read(model))

    def compile_joined(self, encoder: bytes, step: bytes, shapes: Shapes) -> Graph:
        outer = {name: shape for name, shape in shapes.items() if name != COND}
        return self._compiled("joined", (encoder, step), outer, lambda read: joined(read(encoder), read(step)))

    def compile_head(self, encoder: bytes, shapes: Shapes) -> Graph:
        return self._compiled("head", (encoder,), shapes, lambda read: head(read(encoder), shapes))

    def compile_rest(self, encoder: bytes, step: bytes, shapes: Shapes) -> Graph:
        outer = {name: shape for name, shape in shapes.items() if name not in (COND, LR)}
        return self._compiled(
            "rest", (encoder, step), outer, lambda read: joined(tail(read(encoder), shapes), read(step))
        )

    def _compiled(
        self, how: str, models: tuple[bytes, ...], shapes: Shapes, put_together: Callable[[Any], Any]
    ) -> Graph:
        from openvino import Tensor

        def compiled() -> Any:
            network = put_together(self._core.read_model)
            fuse_mish(network)
            network.reshape({name: list(shape) for name, shape in shapes.items()})
            return self._core.compile_model(network, "CPU", self._config)

        with _refusals():
            if self._kept is None:
                graph = OpenVinoGraph(compiled(), Tensor)
            else:
                hashes = [hashlib.sha256(model).hexdigest() for model in models]
                made_of = (how, hashes, sorted((name, tuple(shape)) for name, shape in shapes.items()))
                graph = OpenVinoGraph(self._kept.get(made_of, compiled), Tensor)
        # In bf16 OpenVINO leaves the end of a graph in float32; float16 goes through all of it, the update included.
        return HostUpdate(graph, shapes) if self.precision == "fp16" and X in shapes else graph


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise BundleError(f"OpenVINO refuses the bundle's graph: {one_line(error)}; export the model anew") from error


def open_engine(device: str, precision: str, threads: int | None, options: Mapping[str, str]) -> OpenVinoEngine:
    """Opens it; the one option is ``cache_dir``, a folder of one's own where compiled graphs are kept for later runs.

    Raises PackageError without OpenVINO, DeviceError where it cannot compute at the precision.
    """
    require_known("OpenVINO", options, (CACHE_DIR,))
    try:
        openvino = import_quietly("openvino")
    except ImportError as error:
        raise PackageError(
            "OpenVINO is not installed; on Python 3.8 or newer run: pip install 'srdiff[cpu]'"
        ) from error
    core = _core(openvino, os.getpid())
    native = {"fp32", *_native_half_types(core)}
    if precision == "auto":
        precision = "bf16" if "bf16" in native and not this_cpu().is_slower_in_bf16 else "fp32"
    if precision not in native:
        raise DeviceError(
            f"OpenVINO on this CPU computes in {', '.join(sorted(native))}, not {precision}; "
            "choose another precision or device"
        )
    return OpenVinoEngine(core, precision, threads, options.get(CACHE_DIR))


@lru_cache(maxsize=None)
def _core(openvino: Any, process: int) -> Any:
    """One for all engines of a process, and for good: each gives its thread a stack for signals, and takes it away with
    itself where a later one has put it back. The next signal ends the process then.
    """
    return openvino.Core()


def _native_half_types(core: Any) -> list[str]:
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return [name.lower() for name in ("BF16", "FP16") if name in capabilities]
