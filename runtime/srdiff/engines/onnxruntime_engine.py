"""ONNX Runtime on CPU, NVIDIA GPUs and Ascend (CANN)."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from ..errors import BundleError, DeviceError, PackageError, one_line
from ..graph_io import STEP, Shapes, graph_of
from ..telemetry import import_quietly
from .ascend import require_ascend
from .ascend_precision import Mode
from .base import GRAPH_FORMATS, SYMBOLIC_AXES, Arrays, Engine, Graph, Loop, require_known
from .host_update import HostUpdate
from .onnxruntime_options import ALLOW_CPU_NODES, cann_options, cuda_options

PROVIDERS = {"cpu": "CPUExecutionProvider", "gpu": "CUDAExecutionProvider", "ascend": "CANNExecutionProvider"}
ADVICE = {
    "cpu": "pip install 'srdiff[cpu]'",
    "gpu": "pip install 'srdiff[gpu]'",
    "ascend": "pip install onnxruntime-cann",
}
# Of the libraries that these providers are, one each beside ONNX Runtime's own.
LIBRARIES = {"gpu": "*onnxruntime_providers_cuda*", "ascend": "*onnxruntime_providers_cann*"}
# As ONNX Runtime calls the memory of each device that has its own.
MEMORY = {"gpu": "cuda", "ascend": "cann"}


class OnnxRuntimeGraph(Graph):
    """A session; ONNX Runtime allows concurrent runs of one session.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        memory: where a loop keeps its tensors, as ONNX Runtime's (device, number), like ``("cuda", 0)``; None where
            that is main memory and nothing needs to be carried.
    """

    def __init__(self, session: Any, memory: tuple[str, int] | None = None) -> None:
        self._session = session
        self._memory = memory
        self._names = [output.name for output in session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return dict(zip(self._names, self._session.run(self._names, dict(inputs))))

    def loop(self, feedback: Mapping[str, str]) -> Loop:
        if self._memory is None:
            return super().loop(feedback)
        return BoundLoop(self._session, feedback, *self._memory)


class BoundLoop(Loop):
    """Inputs and results stay on the device; each fed back pair is two buffers, allocated once, that change places.

    cond is uploaded once and x_t never; per step only what ``put`` brings goes over the bus.
    """

    resident = True

    def __init__(self, session: Any, feedback: Mapping[str, str], device: str, number: int) -> None:
        self._session = session
        self._feedback = feedback
        self._place = (device, number)
        self._binding = session.io_binding()
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}

    def put(self, name: str, array: np.ndarray) -> None:
        import onnxruntime as ort

        if name in self._inputs and self._place[0] != MEMORY["ascend"]:
            self._inputs[name].update_inplace(array)
            return
        # A value in CANN's memory cannot be updated (onnxruntime_pybind_ortvalue.cc, "Unsupported device"), so it is
        # replaced there.
        # Main memory is taken as it is and written to, by later values and by results that are fed back.
        own = array.copy() if self._place[0] == "cpu" else array
        self._inputs[name] = ort.OrtValue.ortvalue_from_numpy(own, *self._place)
        self._binding.bind_ortvalue_input(name, self._inputs[name])
        for output, fed in self._feedback.items():
            if fed == name and output not in self._outputs:  # what is put at first only gives the buffer its size
                self._outputs[output] = ort.OrtValue.ortvalue_from_numpy(np.empty_like(array), *self._place)

    def run(self) -> None:
        for output, name in self._feedback.items():
            self._binding.bind_ortvalue_input(name, self._inputs[name])
            self._binding.bind_ortvalue_output(output, self._outputs[output])
        self._session.run_with_iobinding(self._binding)
        for output, name in self._feedback.items():
            self._inputs[name], self._outputs[output] = self._outputs[output], self._inputs[name]

    def get(self, output: str) -> np.ndarray:
        array: np.ndarray = self._inputs[self._feedback[output]].numpy()
        return array


class OnnxRuntimeEngine(Engine):
    name = "onnxruntime"
    graph_format = GRAPH_FORMATS[name]
    compiles_at_once = True

    def __init__(
        self,
        device: str,
        precision: str,
        threads: int | None,
        provider_options: Mapping[str, str],
        allow_cpu_nodes: bool = True,
        mode: Mode | None = None,
    ) -> None:
        self._target = device
        self._mode = mode
        self.device = device if device == "cpu" else f"{device}:{provider_options.get('device_id', '0')}"
        if mode is not None:
            self.device += f" ({mode.cann}{'' if mode.keeps_vectors else ', update on the host'})"
        self.precision = precision
        self.workspace = 90.0 if device == "cpu" else None  # measured
        self.threads = threads
        self._provider_options = dict(provider_options)
        self._allow_cpu_nodes = allow_cpu_nodes

    def compile(self, model: bytes, shapes: Shapes) -> Graph:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # planned buffers doubled the memory of a step and saved no time
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        if self.threads is not None:
            options.intra_op_num_threads = self.threads
        for name, size in zip(SYMBOLIC_AXES, next(iter(shapes.values()))[2:]):
            options.add_free_dimension_override_by_name(name, size)
        if not self._allow_cpu_nodes:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        provider = PROVIDERS[self._target]
        if self.precision == "fp16" and self._target != "ascend":  # there the provider does it
            from .onnx_float16 import half_network

            model = half_network(model)
        try:
            session = ort.InferenceSession(model, options, providers=[(provider, self._provider_options)])
        except Exception as error:  # pybind turns each of its causes into an exception class of its own
            if "fallback to CPU EP has been explicitly disabled" in str(error):
                raise DeviceError(
                    f"{provider} does not take every node of the bundle's graph; allow the others to run on the CPU "
                    f"with --engine-option {ALLOW_CPU_NODES}=1"
                ) from error
            raise BundleError(
                f"ONNX Runtime refuses the bundle's graph: {one_line(error)}; export the model anew"
            ) from error
        if session.get_providers()[0] != provider:
            raise DeviceError(
                f"ONNX Runtime fell back to {session.get_providers()[0]} where {provider} was asked for; "
                "check the driver and library versions that this build is made for"
            )
        memory = MEMORY.get(self._target)
        graph = OnnxRuntimeGraph(session, (memory, int(self._provider_options["device_id"])) if memory else None)
        if self._mode is None or self._mode.keeps_vectors or graph_of(shapes) != STEP:
            return graph
        return HostUpdate(graph, shapes)


def _load_cuda(ort: Any) -> None:
    """CUDA and cuDNN from the packages that the extra brings, or as the system finds them; without them some builds
    have no provider. What is missing would be said on standard output, which is for pictures; the caller finds out."""
    if hasattr(ort, "preload_dlls"):  # from 1.21 on
        with redirect_stdout(io.StringIO()):
            ort.preload_dlls()


def _lacks_library(device: str) -> bool:
    """Whether ONNX Runtime is installed and its files already tell that it has no provider for the device: looking for
    the best engine loads nothing that cannot be it."""
    if device not in LIBRARIES or "onnxruntime" in sys.modules:
        return False
    found = find_spec("onnxruntime")
    places = [] if found is None else found.submodule_search_locations or []
    return bool(places) and not any(any(Path(place, "capi").glob(LIBRARIES[device])) for place in places)


def open_engine(device: str, precision: str, threads: int | None, options: Mapping[str, str]) -> OnnxRuntimeEngine:
    """Raises PackageError without ONNX Runtime, DeviceError where it lacks the device's provider or the precision."""
    mode = None
    if device == "ascend":
        provider_options, mode = cann_options(precision, options)
    elif device == "gpu":
        precision = "fp16" if precision == "auto" else precision
        provider_options = cuda_options(precision, options)
    else:
        provider_options = {}
        require_known("ONNX Runtime on cpu", options, ())
    if _lacks_library(device):
        raise DeviceError(
            f"this ONNX Runtime has no {PROVIDERS[device]}; run: pip uninstall onnxruntime && {ADVICE[device]}"
        )
    try:
        ort = import_quietly("onnxruntime")
    except ImportError as error:
        raise PackageError(f"ONNX Runtime is not installed; run: {ADVICE[device]}") from error
    if device == "gpu":
        _load_cuda(ort)
    available: list[str] = ort.get_available_providers()
    if PROVIDERS[device] not in available:
        raise DeviceError(
            f"this ONNX Runtime {ort.__version__} has no {PROVIDERS[device]} (it has {', '.join(available)}); "
            f"run: pip uninstall onnxruntime && {ADVICE[device]}"
        )
    if precision == "bf16" or (precision == "fp16" and device == "cpu"):
        known = "fp32" if device == "cpu" else "fp32 or fp16"
        raise DeviceError(
            f"ONNX Runtime on {device} runs this bundle in {known}, not {precision}; choose {known}, or another engine"
        )
    if precision == "fp16" and device == "gpu":
        try:
            import onnx  # noqa: F401
        except ImportError as error:
            raise PackageError(f"fp16 needs the package onnx; run: {ADVICE[device]}, or choose fp32") from error
    if device == "ascend":
        require_ascend(int(provider_options["device_id"]))
    return OnnxRuntimeEngine(
        device,
        mode.precision if mode else "fp16" if precision == "fp16" else "fp32",
        threads,
        provider_options,
        allow_cpu_nodes=device != "ascend" or options.get(ALLOW_CPU_NODES, "0") == "1",
        mode=mode,
    )
