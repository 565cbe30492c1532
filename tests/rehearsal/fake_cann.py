"""A stand-in for ``onnxruntime`` with the CANN provider; it computes with the real one's CPU provider.

From "CANN Execution Provider" (onnxruntime.ai, for 1.20 to 1.22), and where it is silent from the public source at
microsoft/onnxruntime: core/providers/cann/cann_execution_provider_info.cc (options) and
python/onnxruntime_pybind_ortvalue.cc (values in a device's memory).
"""

from __future__ import annotations

import sys
import types

import numpy as np
import onnx
import onnxruntime as real

from .arithmetic import Computation
from .fake_lite import Bus

PROVIDER = "CANNExecutionProvider"
MODES = ("force_fp32", "force_fp16", "allow_fp32_to_fp16", "must_keep_origin_dtype", "allow_mix_precision")
OPTIONS = {
    "device_id", "npu_mem_limit", "arena_extend_strategy", "enable_cann_graph", "dump_graphs", "dump_om_model",
    "precision_mode", "op_select_impl_mode", "optypelist_for_implmode",
}  # fmt: skip


def install(monkeypatch, refused: tuple[str, ...]) -> types.ModuleType:
    """Put the stand-in in the place of ``onnxruntime``; nodes of the types in ``refused`` go to the CPU."""
    module = types.ModuleType("onnxruntime")
    module.__version__ = "1.22.1"
    module.bus = Bus()
    module.sessions = []
    module.GraphOptimizationLevel = real.GraphOptimizationLevel
    module.get_available_providers = lambda: [PROVIDER, "CPUExecutionProvider"]
    module.SessionOptions = SessionOptions
    module.OrtValue = _value_class(module)
    module.InferenceSession = _session_class(module, refused)
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    return module


class SessionOptions:
    """What is set on it, kept; "SessionOptions", onnxruntime.ai API."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.entries: dict[str, str] = {}

    def add_free_dimension_override_by_name(self, name, size):
        self.sizes[name] = size

    def add_session_config_entry(self, key, value):
        self.entries[key] = value


def _value_class(module):
    class OrtValue:
        """ "OrtValue", onnxruntime.ai API; python/onnxruntime_pybind_ortvalue.cc for device "cann"."""

        def __init__(self, array: np.ndarray, device_id: int) -> None:
            self._store, self.device_id = array, device_id

        @staticmethod
        def ortvalue_from_numpy(numpy_obj, device_type="cpu", device_id=0):
            if device_type != "cann":
                raise RuntimeError(f"Can't allocate memory on the {device_type.upper()} device using this package")
            if device_id not in (0, 1):
                raise RuntimeError("The provided device id doesn't match any available NPUs on the machine.")
            if not numpy_obj.flags.c_contiguous:
                raise RuntimeError("input must be contiguous")
            module.bus.traffic.append(("h2d", numpy_obj.nbytes))
            return OrtValue(np.array(numpy_obj), device_id)

        def update_inplace(self, np_arr):
            raise RuntimeError("Unsupported device: Cannot update the OrtValue on this device")

        def numpy(self):
            module.bus.traffic.append(("d2h", self._store.nbytes))
            return np.array(self._store)

        def __array__(self, *_args, **_options):
            raise TypeError("an OrtValue of CANN is no array: call numpy()")

    return OrtValue


def _session_class(module, refused: tuple[str, ...]):  # long: one class with what it closes over
    class InferenceSession:
        """ "InferenceSession", onnxruntime.ai API."""

        def __init__(self, path_or_bytes, sess_options, providers):
            ((provider, options),) = providers
            if provider != PROVIDER:
                raise ValueError(f"{provider} is not in available provider names")
            unknown = set(options) - OPTIONS
            if unknown or not all(isinstance(value, str) for value in options.values()):
                raise RuntimeError(f"Unknown provider option: {unknown}")
            mode = options.get("precision_mode", "force_fp16")  # the page's default
            if mode not in MODES:
                raise RuntimeError(f"Invalid precision_mode {mode}")
            graph = onnx.load_model_from_string(path_or_bytes).graph
            strict = sess_options.entries.get("session.disable_cpu_ep_fallback") == "1"
            if strict and any(node.op_type in refused for node in graph.node):
                raise RuntimeError(
                    "This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP "
                    "has been explicitly disabled by the user."
                )
            self.options, self.bytes = options, path_or_bytes
            shapes = {value.name: _shape(value, sess_options.sizes) for value in graph.input}
            self._computation = Computation(path_or_bytes, shapes, mode)
            module.sessions.append(self)

        def get_providers(self):
            return [PROVIDER, "CPUExecutionProvider"]

        def get_outputs(self):
            return [types.SimpleNamespace(name=name) for name in self._computation.outputs]

        def run(self, output_names, input_feed):
            for array in input_feed.values():
                module.bus.traffic.append(("h2d", array.nbytes))
            results = self._computation.run(input_feed)
            for result in results:
                module.bus.traffic.append(("d2h", result.nbytes))
            return results

        def io_binding(self):
            return IOBinding(self)

        def run_with_iobinding(self, binding):
            results = self._computation.run({name: value._store for name, value in binding.inputs.items()})
            for name, result in zip(self._computation.outputs, results):
                binding.outputs[name]._store[...] = result

    class IOBinding:
        """ "IOBinding", onnxruntime.ai API; with CANN by microsoft/onnxruntime#15802."""

        def __init__(self, session):
            self.device_id = int(session.options["device_id"])
            self.inputs, self.outputs = {}, {}

        def bind_ortvalue_input(self, name, value):
            if value.device_id != self.device_id:
                raise RuntimeError("a value of another device was bound")
            self.inputs[name] = value

        def bind_ortvalue_output(self, name, value):
            self.outputs[name] = value

    return InferenceSession


def _shape(value, sizes: dict[str, int]) -> tuple[int, ...]:
    axes = value.type.tensor_type.shape.dim
    return tuple(sizes[axis.dim_param] if axis.dim_param else axis.dim_value for axis in axes)
