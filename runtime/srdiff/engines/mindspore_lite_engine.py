"""MindSpore Lite on Ascend, CPU and GPU: runs MindIR graphs of one static shape each, or of a few."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from ..errors import BundleError, DeviceError, OptionError, PackageError
from ..graph_io import OUTPUTS, STEP, Shapes, graph_of
from ..telemetry import import_quietly
from .ascend import require_ascend
from .base import GRAPH_FORMATS, Arrays, Engine, Graph, Loop
from .host_update import HostUpdate
from .lite_library import Features, generation, require_plugin
from .lite_loop import ResidentLoop
from .lite_options import LiteOptions, Sections, write_sections
from .mindir_header import read_mindir_header


class LiteModel:
    """A built model, of one static shape at a time. It is not safe under threads, so calls wait for each other."""

    def __init__(self, model: Any, context: Any) -> None:
        self._model = model
        self._context = context  # must outlive the model
        self._lock = threading.RLock()
        self._held: list[np.ndarray] = []
        self._shape = self.shapes()

    def shapes(self) -> list[tuple[int, ...]]:
        """Of the inputs, in order; a free axis is -1."""
        return [tuple(tensor.shape) for tensor in self._model.get_inputs()]

    def fit(self, shapes: list[tuple[int, ...]]) -> None:
        """RuntimeError for a shape that a graph of several has no profile of."""
        with self._lock:
            if shapes != self._shape:
                self._model.resize(self._model.get_inputs(), [list(shape) for shape in shapes])
                self._shape = shapes

    def run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """One array per input, C-contiguous float32, in order -> the results, the caller's own."""
        with self._lock:
            self.fit([array.shape for array in arrays])
            tensors = self._model.get_inputs()
            # Lite reads the arrays where they are, and keeps their addresses after the run.
            self._held = arrays
            for tensor, array in zip(tensors, arrays):
                tensor.set_data_from_numpy(array)
            results = self._model.predict(tensors)
            # The next run writes to the same memory.
            return [np.array(result.get_data_to_numpy()) for result in results]

    def predict(self, inputs: list[Any], outputs: list[Any]) -> None:
        """Into given tensors, on those of the device."""
        with self._lock:
            self.fit([tuple(tensor.shape) for tensor in inputs])
            self._model.predict(inputs, outputs)


class LiteGraph(Graph):
    """A model with the names of its inputs and results; ``device`` is where a loop's tensors stay, None on the host."""

    def __init__(self, lite: Any, model: LiteModel, shapes: Shapes, device: str | None) -> None:
        self._lite = lite
        self._model = model
        self._shapes = dict(shapes)
        self._outputs = OUTPUTS[graph_of(shapes)]  # the file names them after operators, so their order counts
        self._device = device

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        arrays = [_checked(name, inputs.get(name), shape) for name, shape in self._shapes.items()]
        return dict(zip(self._outputs, self._model.run(arrays)))

    def loop(self, feedback: Mapping[str, str]) -> Loop:
        if self._device is None or set(feedback) != set(self._outputs):
            return super().loop(feedback)
        names = tuple(self._shapes)
        return ResidentLoop(self._lite, self._model.predict, names, self._outputs, feedback, self._device)


class LiteEngine(Engine):
    name = "mindspore_lite"
    graph_format = GRAPH_FORMATS[name]

    def __init__(self, device: str, precision: str, threads: int | None, options: LiteOptions) -> None:
        mode = options.mode
        self.precision = mode.precision if mode else ("fp16" if precision == "fp16" else "fp32")
        self._target = device
        self.threads = threads
        self._options = options
        self._of_several_shapes: dict[bytes, LiteModel] = {}
        self._groups: dict[str, Any] = {}
        self.device = "cpu" if device == "cpu" else f"{device}:{options.device_id}"
        if mode:
            self.device += f" ({mode.lite}{'' if mode.keeps_vectors else ', update on the host'})"

    def reads(self, model: bytes) -> bool:
        import mindspore_lite as lite

        return generation(read_mindir_header(model).mindspore) <= generation(lite.__version__)

    def compile(self, model: bytes, shapes: Shapes) -> Graph:
        import mindspore_lite as lite

        key = hashlib.sha256(model).digest()
        built = self._of_several_shapes.get(key) or self._build(lite, model, graph_of(shapes))
        found, expected = built.shapes(), [tuple(shape) for shape in shapes.values()]
        if any(-1 in shape for shape in found):
            self._of_several_shapes[key] = built
        try:
            if key in self._of_several_shapes:
                built.fit(expected)
                found = expected
        except RuntimeError:
            found = []
        if found != expected:
            raise BundleError(
                f"the bundle's graph takes {_list(found) or 'other sizes'} where {_list(expected)} was asked for; "
                "MindIR graphs are static: export one of this size with --shape"
            )
        mode = self._options.mode
        resident = mode is not None and mode.keeps_vectors and Features.of(lite).resident
        graph = LiteGraph(lite, built, shapes, f"ascend:{self._options.device_id}" if resident else None)
        if mode is None or mode.keeps_vectors or graph_of(shapes) != STEP:
            return graph
        return HostUpdate(graph, shapes)

    def _build(self, lite: Any, model: bytes, graph: str) -> LiteModel:
        features, sections = Features.of(lite), self._options.sections()
        context = self._make_context(lite)
        built = lite.Model()
        if self._options.provider == "ge" and features.groups:  # which alone shares weights between models
            if graph not in self._groups:
                self._groups[graph] = lite.ModelGroup(lite.ModelGroupFlag.SHARE_WEIGHT)
            self._groups[graph].add_model([built])
        try:
            if features.from_buffer:
                kind = lite.ModelType.MINDIR
                built.build_from_buffer(model, model_type=kind, context=context, config_dict=sections or None)
            else:
                _build_from_file(lite, built, model, context, sections, features.config_dict)
        except RuntimeError as error:
            raise self._refusal(model, lite.__version__) from error
        return LiteModel(built, context)

    def _make_context(self, lite: Any) -> Any:
        options = self._options
        context = lite.Context()
        context.target = [self._target]
        if self.threads is not None:
            context.cpu.thread_num = self.threads
            context.cpu.inter_op_parallel_num = 1
        if self._target == "gpu":
            context.gpu.device_id = options.device_id
            context.gpu.precision_mode = "preferred_fp16" if self.precision == "fp16" else "enforce_fp32"
        elif options.mode is not None:
            context.ascend.device_id = options.device_id
            context.ascend.precision_mode = options.mode.lite
            if options.provider:
                context.ascend.provider = options.provider
        return context

    def _refusal(self, model: bytes, version: str) -> BundleError | DeviceError:
        """Lite says "Common error code" and logs the rest, so the cause is told from the file."""
        try:
            header = read_mindir_header(model)
        except ValueError as error:
            return BundleError(f"the bundle's graph is not a whole MindIR file: {error}; export the model anew")
        if generation(header.mindspore) > generation(version):
            return BundleError(
                f"the bundle's graph is {header}, newer than MindSpore Lite {version} reads; "
                f"export it with MindSpore {version}, or install MindSpore Lite {header.mindspore}"
            )
        if self._target == "cpu":
            return BundleError(
                f"MindSpore Lite {version} refuses the bundle's graph ({header}); "
                "run again with GLOG_v=3 in the environment to see its reason, and export the model anew"
            )
        kept = (
            f"; {self._options.mode.lite} needs every operator in float32, which some chips lack: try precision fp16"
            if self._options.mode is not None and self._options.mode.precision == "fp32"
            else ", and check the driver and library versions it names"
        )
        return DeviceError(
            f"MindSpore Lite {version} cannot build the bundle's graph ({header}) on {self.device}; run again with "
            f"GLOG_v=3 in the environment to see its reason{kept}"
        )


def open_engine(device: str, precision: str, threads: int | None, options: Mapping[str, str]) -> LiteEngine:
    """Raises PackageError without MindSpore Lite, DeviceError without the device, its libraries or the precision."""
    parsed = LiteOptions.parse(device, precision, options)
    try:
        lite = import_quietly("mindspore_lite")
    except ImportError as error:
        cause = "is not installed" if isinstance(error, ModuleNotFoundError) else f"does not load: {error}"
        raise PackageError(
            f"MindSpore Lite {cause}; install the wheel for this Python and device (on x86-64 and Python 3.7: "
            "pip install 'srdiff[lite]')"
        ) from error
    if precision == "bf16" or (device == "cpu" and precision == "fp16"):
        known = "fp32" if device == "cpu" else "fp32 or fp16"
        raise DeviceError(f"MindSpore Lite on {device} does not compute in {precision}; choose {known}")
    if device == "ascend":
        require_ascend(parsed.device_id)
        if parsed.provider and not Features.of(lite).provider:
            raise DeviceError(f"MindSpore Lite {lite.__version__} has no provider to choose; leave the option out")
    if device != "cpu":
        require_plugin(device, parsed.provider, lite)
    return LiteEngine(device, precision, threads, parsed)


def _build_from_file(
    lite: Any, built: Any, model: bytes, context: Any, sections: Sections, as_dictionary: bool
) -> None:
    """For versions that build from files alone; 2.0 takes the configuration as a file, too."""
    with tempfile.TemporaryDirectory(prefix="srdiff-") as folder:
        file, config = Path(folder) / "graph.mindir", Path(folder) / "lite.ini"
        file.write_bytes(model)
        if as_dictionary:
            built.build_from_file(str(file), lite.ModelType.MINDIR, context, config_dict=sections or None)
            return
        if sections:
            write_sections(sections, config)
        built.build_from_file(str(file), lite.ModelType.MINDIR, context, str(config) if sections else "")


def _checked(name: str, array: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """The array as Lite needs it; Lite itself takes any shape of the same size, and old data for a strided array."""
    if array is None or array.dtype != np.float32 or array.shape != tuple(shape):
        found = "missing" if array is None else f"{array.dtype} {array.shape}"
        raise OptionError(f"input {name} is {found} where float32 {tuple(shape)} was expected; pass such an array")
    return np.ascontiguousarray(array)


def _list(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)
