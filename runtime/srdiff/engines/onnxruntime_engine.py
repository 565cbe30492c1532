"""ONNX Runtime on CPU and NVIDIA GPUs."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from ..errors import BundleError, DeviceError, one_line
from .base import SYMBOLIC_AXES, Arrays, Engine, Graph, Shapes

PROVIDERS = {"cpu": "CPUExecutionProvider", "gpu": "CUDAExecutionProvider"}


class OnnxRuntimeGraph(Graph):
    """A session; ONNX Runtime allows concurrent runs of one session."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._names = [output.name for output in session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return dict(zip(self._names, self._session.run(self._names, dict(inputs))))


class OnnxRuntimeEngine(Engine):
    name = "onnxruntime"
    precision = "fp32"

    def __init__(self, device: str, threads: int | None) -> None:
        self.device = device
        self._threads = threads

    def compile(self, model: bytes, shapes: Shapes) -> OnnxRuntimeGraph:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        for name, size in zip(SYMBOLIC_AXES, next(iter(shapes.values()))[2:]):
            options.add_free_dimension_override_by_name(name, size)
        provider = PROVIDERS[self.device]
        try:
            session = ort.InferenceSession(model, options, providers=[provider])
        except Exception as error:  # pybind turns each of its causes into an exception class of its own
            raise BundleError(
                f"ONNX Runtime refuses the bundle's graph: {one_line(error)}; export the model anew"
            ) from error
        if session.get_providers()[0] != provider:
            raise DeviceError(
                f"ONNX Runtime fell back to {session.get_providers()[0]} where {provider} was asked for; "
                "check the CUDA and cuDNN versions that this onnxruntime-gpu was built for"
            )
        return OnnxRuntimeGraph(session)


def open_engine(device: str, precision: str, threads: int | None) -> OnnxRuntimeEngine:
    """Raises DeviceError where ONNX Runtime is missing, lacks the device's provider or the precision."""
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise DeviceError("ONNX Runtime is not installed; run: pip install 'srdiff[cpu]' or 'srdiff[gpu]'") from error
    available: list[str] = ort.get_available_providers()
    if PROVIDERS[device] not in available:
        raise DeviceError(
            f"this ONNX Runtime {ort.__version__} has no {PROVIDERS[device]} (it has {', '.join(available)}); "
            "for a GPU run: pip uninstall onnxruntime && pip install 'srdiff[gpu]'"
        )
    if precision not in ("auto", "fp32"):
        raise DeviceError(f"ONNX Runtime runs this bundle in fp32, not {precision}; choose fp32 or another engine")
    return OnnxRuntimeEngine(device, threads)
