"""A stand-in for ``mindspore_lite`` on an Ascend, one per documented generation; it computes with ONNX Runtime.

Every method of this and its ``fake_lite_*`` neighbours names the document that it was written from: a page of
"mindspore_lite API" (mindspore.cn/lite/api), of the cloud-side documents (mindspore.cn/lite/docs and cloud_docs), or
a file of the public source at mindspore-ai/mindspore-lite where the page is silent. They enforce what those say, keep
the memory of the device apart from that of the host, and count what crosses between them.

What no document says is marked *rehearsed only*.
"""

from __future__ import annotations

import shutil
import sys
import types
from enum import Enum
from pathlib import Path

from .fake_lite_context import context_class
from .fake_lite_converter import FakeConverter, FmkType
from .fake_lite_model import FakeGroup, ModelGroupFlag, ModelType, model_class
from .fake_lite_tensor import DataType, tensor_class

GENERATIONS = ("2.0.0", "2.1.0", "2.3.1", "2.7.0", "2.9.0", "2.11.0")


class Bus:
    """What crossed between host and device: ("h2d" or "d2h", bytes) in order."""

    def __init__(self) -> None:
        self.traffic: list[tuple[str, int]] = []

    def count(self, way: str) -> int:
        return sum(1 for direction, _ in self.traffic if direction == way)


def install(monkeypatch, folder: Path, version: str, chip: str = "910B") -> types.ModuleType:
    """Put a generation in the place of ``mindspore_lite``, with its plug-in's file beside it.

    Args:
        chip: ``without-fp32`` has no float32 convolutions, neither in its AI core nor in its AI CPU.
    """
    generation = tuple(int(part) for part in version.split(".")[:2])
    module = types.ModuleType("mindspore_lite")
    module.__version__, module.__file__ = version, str(folder / "__init__.py")
    module.generation, module.chip, module.bus, module.calls = generation, chip, Bus(), []
    kinds: tuple[type[Enum], ...] = (DataType, ModelType, FmkType)
    if generation >= (2, 1):
        kinds = (*kinds, ModelGroupFlag)
        module.ModelGroup = type("ModelGroup", (FakeGroup,), {"library": module})
    for kind in kinds:
        setattr(module, kind.__name__, kind)
    module.Tensor = tensor_class(module)
    module.Context = context_class(module)
    module.Model = model_class(module)
    module.Converter = type("Converter", (FakeConverter,), {"library": module})
    _place_plugin(folder / "lib", generation)
    monkeypatch.setitem(sys.modules, "mindspore_lite", module)
    return module


def _place_plugin(lib: Path, generation: tuple[int, ...]) -> None:
    """ "Building Cloud-side MindSpore Lite", until 2.8: libascend_kernel_plugin.so and libascend_ge_plugin.so.

    From 2.9 on: ``kAscendAclPluginSoName`` in ascend_acl_executor_plugin.cc of mindspore-lite.
    """
    lib.mkdir(parents=True, exist_ok=True)
    name = "libascend_acl_plugin" if generation >= (2, 9) else "libascend_kernel_plugin"
    for each in (name, "libascend_ge_plugin"):
        shutil.copyfile(_any_library(), str(lib / f"{each}.so"))


def _any_library() -> str:
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return next(path for path in (line.split()[-1] for line in maps) if "/libm.so" in path or "/libm-" in path)
