"""ONNX Runtime on CPU, NVIDIA GPUs and Ascend (CANN)."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from ..errors import BundleError, DeviceError, OptionError, PackageError, one_line
from ..graph_io import Shapes
from .ascend import require_ascend
from .base import SYMBOLIC_AXES, Arrays, Engine, Graph, Loop, option_number, require_known

PROVIDERS = {"cpu": "CPUExecutionProvider", "gpu": "CUDAExecutionProvider", "ascend": "CANNExecutionProvider"}
ADVICE = {
    "cpu": "pip install 'srdiff[cpu]'",
    "gpu": "pip install 'srdiff[gpu]'",
    "ascend": "pip install onnxruntime-cann",
}
# Of CANN, where its own default is force_fp16: float32 wherever the chip has it, the sampler's update included, and
# float16 where it does not (the convolutions of an Ascend 910).
CANN_PRECISION = {"auto": "allow_fp32_to_fp16", "fp32": "force_fp32", "fp16": "allow_mix_precision"}
CANN_PRECISION_MODES = (
    "force_fp32", "force_fp16", "allow_fp32_to_fp16", "must_keep_origin_dtype", "allow_mix_precision",
)  # fmt: skip
CANN_OPTIONS = (
    "device_id", "npu_mem_limit", "arena_extend_strategy", "enable_cann_graph", "dump_graphs", "dump_om_model",
    "precision_mode", "op_select_impl_mode", "optypelist_for_implmode",
)  # fmt: skip
CUDA_OPTIONS = ("device_id", "gpu_mem_limit", "cudnn_conv_algo_search", "prefer_nhwc", "use_tf32")
# This project's own: nodes that CANN does not take may run on the CPU.
ALLOW_CPU_NODES = "allow_cpu_nodes"


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

    def __init__(self, session: Any, feedback: Mapping[str, str], device: str, number: int) -> None:
        self._session = session
        self._feedback = feedback
        self._place = (device, number)
        self._binding = session.io_binding()
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}

    def put(self, name: str, array: np.ndarray) -> None:
        import onnxruntime as ort

        if name in self._inputs:
            self._inputs[name].update_inplace(array)
            return
        self._inputs[name] = ort.OrtValue.ortvalue_from_numpy(array, *self._place)
        self._binding.bind_ortvalue_input(name, self._inputs[name])
        for output, fed in self._feedback.items():
            if fed == name:  # what is put at first only gives the buffer its size
                self._outputs[output] = ort.OrtValue.ortvalue_from_numpy(array, *self._place)

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

    def __init__(
        self,
        device: str,
        precision: str,
        threads: int | None,
        provider_options: Mapping[str, str],
        allow_cpu_nodes: bool = True,
    ) -> None:
        self._target = device
        self.device = (
            device if device != "ascend" else "ascend:{device_id} ({precision_mode})".format(**provider_options)
        )
        self.precision = precision
        self.workspace = 90.0 if device == "cpu" else None  # measured
        self._threads = threads
        self._provider_options = dict(provider_options)
        self._allow_cpu_nodes = allow_cpu_nodes

    def compile(self, model: bytes, shapes: Shapes) -> OnnxRuntimeGraph:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # planned buffers doubled the memory of a step and saved no time
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
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
        on_gpu = self._target == "gpu"
        return OnnxRuntimeGraph(session, ("cuda", int(self._provider_options["device_id"])) if on_gpu else None)


ENGINE = OnnxRuntimeEngine


def open_engine(device: str, precision: str, threads: int | None, options: Mapping[str, str]) -> OnnxRuntimeEngine:
    """Raises PackageError without ONNX Runtime, DeviceError where it lacks the device's provider or the precision."""
    if device == "ascend":
        provider_options = _cann_options(precision, options)
    elif device == "gpu":
        precision = "fp16" if precision == "auto" else precision
        provider_options = _cuda_options(precision, options)
    else:
        provider_options = {}
        require_known("ONNX Runtime on cpu", options, ())
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise PackageError(f"ONNX Runtime is not installed; run: {ADVICE[device]}") from error
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
        "fp16" if precision == "fp16" else "fp32",
        threads,
        provider_options,
        allow_cpu_nodes=device != "ascend" or options.get(ALLOW_CPU_NODES, "0") == "1",
    )


def _cuda_options(precision: str, options: Mapping[str, str]) -> dict[str, str]:
    """The CUDA provider's options, checked. fp32 means float32: TensorFloat-32, its own default, has 10 bits."""
    require_known("ONNX Runtime on gpu", options, CUDA_OPTIONS)
    chosen = {"device_id": "0", "use_tf32": "1" if precision == "fp16" else "0", **options}
    for name in CUDA_OPTIONS:
        if name in chosen and name != "cudnn_conv_algo_search":
            option_number(name, chosen[name])
    return chosen


def _cann_options(precision: str, options: Mapping[str, str]) -> dict[str, str]:
    """The CANN provider's options, checked, with this project's defaults."""
    require_known("ONNX Runtime on ascend", options, (*CANN_OPTIONS, ALLOW_CPU_NODES))
    if options.get(ALLOW_CPU_NODES, "0") not in ("0", "1"):
        raise OptionError(f"{ALLOW_CPU_NODES} is {options[ALLOW_CPU_NODES]!r}; choose 0 or 1")
    chosen = {
        "device_id": "0",
        "precision_mode": CANN_PRECISION.get(precision, CANN_PRECISION["auto"]),
        "dump_om_model": "0",  # would drop a file into the working folder
        **{name: value for name, value in options.items() if name != ALLOW_CPU_NODES},
    }
    option_number("device_id", chosen["device_id"])
    if chosen["precision_mode"] not in CANN_PRECISION_MODES:
        raise OptionError(
            f"precision_mode is {chosen['precision_mode']!r}; choose one of {', '.join(CANN_PRECISION_MODES)}"
        )
    return chosen
