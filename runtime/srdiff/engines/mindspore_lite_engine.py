"""MindSpore Lite on Ascend, CPU and GPU: runs MindIR graphs, each of one static shape."""

from __future__ import annotations

import configparser
import ctypes
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from ..errors import BundleError, DeviceError, OptionError, PackageError
from ..graph_io import OUTPUTS, Shapes, graph_of
from .ascend import require_ascend
from .base import Arrays, Engine, Graph, option_number, require_known
from .mindir_header import read_mindir_header

# What each device's code needs of the system, found by loading Lite's plug-in for it.
PLUGINS = {
    "ascend": (
        "libascend_kernel_plugin*.so",
        "install CANN and run: source /usr/local/Ascend/ascend-toolkit/set_env.sh",
    ),
    "gpu": ("libtensorrt_plugin*.so", "install the CUDA, cuDNN and TensorRT that this MindSpore Lite was built for"),
}
# Ascend's precision mode for fp32 and fp16. preferred_fp32 keeps float32 wherever the chip has it (the sampler's update
# included) and takes float16 where it does not: the convolutions of an Ascend 910.
PRECISION_MODES = {"auto": "preferred_fp32", "fp32": "enforce_fp32", "fp16": "preferred_optimal"}
ASCEND_MODES = ("enforce_fp32", "preferred_fp32", "enforce_fp16", "enforce_origin", "preferred_optimal")
PROVIDERS = ("", "ge")


@dataclass(frozen=True)
class LiteOptions:
    """What ``--engine-option`` sets.

    Attributes:
        device_id: of the Ascend or GPU.
        precision_mode: one of ASCEND_MODES; None follows the engine's precision.
        provider: of the Ascend's graph executor: empty for ACL, or ``ge``.
        config_file: an ini file in MindSpore Lite's own format.
        config: sections of such a file, as {section: {key: value}}; they win over the file's.
    """

    device_id: int = 0
    precision_mode: str | None = None
    provider: str = ""
    config_file: Path | None = None
    config: Mapping[str, Mapping[str, str]] | None = None

    def __post_init__(self) -> None:
        if self.precision_mode not in (None, *ASCEND_MODES):
            raise OptionError(f"precision_mode is {self.precision_mode!r}; choose one of {', '.join(ASCEND_MODES)}")
        if self.provider not in PROVIDERS:
            raise OptionError(f"provider is {self.provider!r}; choose ge, or leave it out for ACL")
        if self.config_file is not None and not self.config_file.is_file():
            raise OptionError(f"config_file {self.config_file} is not a file; give MindSpore Lite's ini file")

    @classmethod
    def parse(cls, device: str, options: Mapping[str, str]) -> LiteOptions:
        """From text; ``SECTION.KEY`` sets a key of Lite's configuration."""
        of_device = {"ascend": ("device_id", "precision_mode", "provider"), "gpu": ("device_id",), "cpu": ()}[device]
        config: dict[str, dict[str, str]] = {}
        plain: dict[str, str] = {}
        for name, value in options.items():
            section, dot, key = name.partition(".")
            if dot and section and key:
                config.setdefault(section, {})[key] = value
            else:
                plain[name] = value
        require_known(f"MindSpore Lite on {device}", plain, (*of_device, "config_file", "SECTION.KEY"))
        return cls(
            device_id=option_number("device_id", plain.get("device_id", "0")),
            precision_mode=plain.get("precision_mode"),
            provider=plain.get("provider", ""),
            config_file=Path(plain["config_file"]) if "config_file" in plain else None,
            config=config,
        )


class LiteGraph(Graph):
    """A model built for one shape. A model is not safe under threads, so calls wait for each other."""

    def __init__(self, model: Any, context: Any, shapes: Shapes) -> None:
        self._model = model
        self._context = context  # must outlive the model
        self._shapes = dict(shapes)
        self._tensors = model.get_inputs()
        self._outputs = OUTPUTS[graph_of(shapes)]  # the file names them after operators, so their order counts
        self._held: list[np.ndarray] = []
        self._lock = threading.Lock()

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        arrays = [_checked(name, inputs.get(name), shape) for name, shape in self._shapes.items()]
        with self._lock:
            # Lite reads the arrays where they are, and keeps their addresses after the run.
            self._held = arrays
            for tensor, array in zip(self._tensors, arrays):
                tensor.set_data_from_numpy(array)
            results = self._model.predict(self._tensors)
            # The next run writes to the same memory.
            return {name: np.array(result.get_data_to_numpy()) for name, result in zip(self._outputs, results)}


class LiteEngine(Engine):
    name = "mindspore_lite"
    graph_format = "mindir"

    def __init__(self, device: str, precision: str, threads: int | None, options: LiteOptions) -> None:
        self.precision = "fp16" if precision == "fp16" else "fp32"
        self._target = device
        self._threads = threads
        self._options = options
        self._mode = options.precision_mode or PRECISION_MODES[precision]
        self.device = {
            "cpu": "cpu",
            "gpu": f"gpu:{options.device_id}",
            "ascend": f"ascend:{options.device_id} ({self._mode})",
        }[device]

    def compile(self, model: bytes, shapes: Shapes) -> LiteGraph:
        import mindspore_lite as lite

        context = self._make_context(lite)
        built = lite.Model()
        # Lite 2.0 builds from files alone.
        with tempfile.TemporaryDirectory(prefix="srdiff-") as folder:
            file = Path(folder) / "graph.mindir"
            file.write_bytes(model)
            try:
                built.build_from_file(str(file), lite.ModelType.MINDIR, context, self._write_config(Path(folder)))
            except RuntimeError as error:
                raise self._refusal(model, lite.__version__) from error
        expected = [tuple(shape) for shape in shapes.values()]
        found = [tuple(tensor.shape) for tensor in built.get_inputs()]
        if found != expected:
            raise BundleError(
                f"the bundle's graph takes {_list(found)} where {_list(expected)} was asked for; MindIR graphs are "
                "static: export one of this size with --shape"
            )
        return LiteGraph(built, context, shapes)

    def _make_context(self, lite: Any) -> Any:
        context = lite.Context()
        context.target = [self._target]
        if self._threads is not None:
            context.cpu.thread_num = self._threads
            context.cpu.inter_op_parallel_num = 1
        if self._target == "gpu":
            context.gpu.device_id = self._options.device_id
            context.gpu.precision_mode = "preferred_fp16" if self.precision == "fp16" else "enforce_fp32"
        elif self._target == "ascend":
            context.ascend.device_id = self._options.device_id
            context.ascend.precision_mode = self._mode
            if self._options.provider:
                context.ascend.provider = self._options.provider
        return context

    def _write_config(self, folder: Path) -> str:
        """Path of the configuration file, empty where there is none."""
        parser = configparser.RawConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment, method-assign]  # keys keep their case
        if self._options.config_file is not None:
            try:
                parser.read_string(self._options.config_file.read_text(encoding="utf-8"))
            except (configparser.Error, OSError, ValueError) as error:
                cause = str(error).splitlines()[0]
                raise OptionError(
                    f"config_file {self._options.config_file} is not an ini file: {cause}; correct it"
                ) from error
        parser.read_dict(self._options.config or {})
        if not parser.sections():
            return ""
        file = folder / "lite.ini"
        with file.open("w", encoding="utf-8") as stream:
            parser.write(stream, space_around_delimiters=False)
        return str(file)

    def _refusal(self, model: bytes, version: str) -> BundleError | DeviceError:
        """Lite says "Common error code" and logs the rest, so the cause is told from the file."""
        try:
            header = read_mindir_header(model)
        except ValueError as error:
            return BundleError(f"the bundle's graph is not a whole MindIR file: {error}; export the model anew")
        if _generation(header.mindspore) > _generation(version):
            return BundleError(
                f"the bundle's graph is {header}, newer than MindSpore Lite {version} reads; "
                f"export it with MindSpore {version}, or install MindSpore Lite {header.mindspore}"
            )
        if self._target == "cpu":
            return BundleError(
                f"MindSpore Lite {version} refuses the bundle's graph ({header}); "
                "run again with GLOG_v=3 in the environment to see its reason, and export the model anew"
            )
        return DeviceError(
            f"MindSpore Lite {version} cannot build the bundle's graph ({header}) on {self.device}; run again with "
            "GLOG_v=3 in the environment to see its reason, and check the driver and library versions it names"
        )


def reads(model: bytes) -> bool:
    """Whether the installed MindSpore Lite is of the generation that wrote a MindIR file, or a later one."""
    import mindspore_lite as lite

    return _generation(read_mindir_header(model).mindspore) <= _generation(lite.__version__)


ENGINE = LiteEngine


def open_engine(device: str, precision: str, threads: int | None, options: Mapping[str, str]) -> LiteEngine:
    """Raises PackageError without MindSpore Lite, DeviceError without the device, its libraries or the precision."""
    parsed = LiteOptions.parse(device, options)
    os.environ.setdefault("GLOG_v", "4")  # each refusal has a sentence here; Lite's own log is for those who ask
    try:
        import mindspore_lite as lite
    except ImportError as error:
        cause = "is not installed" if isinstance(error, ModuleNotFoundError) else f"does not load: {error}"
        raise PackageError(
            f"MindSpore Lite {cause}; install the wheel for this Python and device (on x86-64 and Python 3.7: "
            "pip install 'srdiff[lite]')"
        ) from error
    if device == "ascend":
        require_ascend(parsed.device_id)
        if parsed.provider and not hasattr(type(lite.Context().ascend), "provider"):
            raise DeviceError(f"MindSpore Lite {lite.__version__} has no provider to choose; leave the option out")
    if device in PLUGINS:
        _require_plugin(device, lite)
    if precision == "bf16" or (device == "cpu" and precision == "fp16"):
        raise DeviceError(f"MindSpore Lite on {device} does not compute in {precision}; choose fp32 or another device")
    return LiteEngine(device, precision, threads, parsed)


def _require_plugin(device: str, lite: Any) -> None:
    """Load Lite's plug-in for a device: unlike Lite itself, this says which library is missing."""
    pattern, advice = PLUGINS[device]
    folder = Path(lite.__file__).parent / "lib"
    plugin = next(iter(sorted(folder.glob(pattern))), None)
    if plugin is None:
        raise DeviceError(
            f"this MindSpore Lite {lite.__version__} is built without {device}; install a wheel that has it"
        )
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        raise DeviceError(f"MindSpore Lite {lite.__version__} cannot use {device}: {error}; {advice}") from error


def _checked(name: str, array: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """The array as Lite needs it; Lite itself takes any shape of the same size, and old data for a strided array."""
    if array is None or array.dtype != np.float32 or array.shape != tuple(shape):
        found = "missing" if array is None else f"{array.dtype} {array.shape}"
        raise OptionError(f"input {name} is {found} where float32 {tuple(shape)} was expected; pass such an array")
    return np.ascontiguousarray(array)


def _generation(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2])


def _list(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)
