"""What the installed MindSpore Lite can do, and whether its plug-in for a device loads."""

from __future__ import annotations

import ctypes
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DeviceError
from .ascend import cann_advice

# By device, what Lite's plug-ins for it are called: up to 2.8 and from 2.9 on; the Python wheels of some versions add
# "_python" ("Building Cloud-side MindSpore Lite"; ascend_acl_executor_plugin.cc).
PLUGINS = {
    "ascend": ("libascend_kernel_plugin*.so", "libascend_acl_plugin*.so"),
    "gpu": ("libtensorrt_plugin*.so",),
}
GE_PLUGINS = ("libascend_ge_plugin*.so", "libmsplugin-ge-litert*.so")
# The last documents that list a wheel for GPUs are those of 2.7.0 ("Downloading MindSpore Lite", 2.7.0 and 2.7.1).
LAST_WITH_GPU = (2, 7, 0)


@dataclass(frozen=True)
class Features:
    """What differs between versions, asked of the module itself.

    Attributes:
        config_dict: a model takes its configuration as a dictionary (2.1 and later).
        from_buffer: a model is built from bytes in memory (2.8 and later).
        resident: tensors stay on the device from run to run (tensors of a device from 2.1, results into given ones
            from 2.3 on).
        provider: the Ascend's executor can be chosen (2.1 and later).
        groups: models can share weights (2.1 and later).
    """

    config_dict: bool
    from_buffer: bool
    resident: bool
    provider: bool
    groups: bool

    @classmethod
    def of(cls, lite: Any) -> Features:
        def takes(call: Any, name: str) -> bool:
            return name in inspect.signature(call).parameters

        return cls(
            config_dict=takes(lite.Model.build_from_file, "config_dict"),
            from_buffer=hasattr(lite.Model, "build_from_buffer"),
            resident=takes(lite.Tensor.__init__, "device") and takes(lite.Model.predict, "outputs"),
            provider=hasattr(type(lite.Context().ascend), "provider"),
            groups=hasattr(lite, "ModelGroup"),
        )


def require_plugin(device: str, provider: str, lite: Any) -> None:
    """Load Lite's plug-in for a device: unlike Lite itself, this says which library is missing.

    Raises:
        DeviceError: this Lite has no plug-in for it, or the system lacks a library that it needs.
    """
    folder = Path(lite.__file__).parent / "lib"
    if device == "gpu" and generation(lite.__version__, 3) > LAST_WITH_GPU:
        raise DeviceError(
            f"MindSpore Lite {lite.__version__} has no GPU: 2.7.0 was the last that had; use ONNX Runtime's gpu"
        )
    plugin = _first(folder, (*(GE_PLUGINS if provider == "ge" else ()), *PLUGINS[device]))
    if plugin is None:
        raise DeviceError(
            f"this MindSpore Lite {lite.__version__} is built without {device}; install a wheel that has it"
        )
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        advice = (
            cann_advice()
            if device == "ascend"
            else "install the CUDA, cuDNN and TensorRT that this MindSpore Lite was built for"
        )
        raise DeviceError(f"MindSpore Lite {lite.__version__} cannot use {device}: {error}; {advice}") from error


def generation(version: str, parts: int = 2) -> tuple[int, ...]:
    """The first numbers of a version: ``2.0.0`` -> (2, 0)."""
    numbers = (version.split(".") + ["0"] * parts)[:parts]
    return tuple(int(part) if part.isdigit() else 0 for part in numbers)


def _first(folder: Path, patterns: tuple[str, ...]) -> Path | None:
    return next((file for pattern in patterns for file in sorted(folder.glob(pattern))), None)
