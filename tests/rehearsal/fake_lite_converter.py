"""``mindspore_lite.Converter``: "Converter", mindspore_lite API 2.0 to 2.11."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

from .fake_lite_model import ModelType
from .fake_tools import write_converted


class FmkType(Enum):
    """ "FmkType", mindspore_lite API 2.0 to 2.11."""

    ONNX = 2
    MINDIR = 3


class FakeConverter:
    library: Any

    def __init__(self) -> None:
        self.save_type, self.input_shape, self._optimize = ModelType.MINDIR, {}, "general"

    @property
    def optimize(self) -> str:
        return self._optimize

    @optimize.setter
    def optimize(self, optimize) -> None:
        """python/api/converter.py: chip "default" or "910b"; that of 2.0 takes none."""
        target, colon, chip = optimize.partition(":")
        if target not in ("none", "general", "ascend_oriented") or (colon and self.library.generation < (2, 1)):
            raise ValueError("optimize must be 'none', 'general' or 'ascend_oriented'.")
        if colon and (target != "ascend_oriented" or chip not in ("default", "910b")):
            raise ValueError(f"chip_name must be in [default, 910b], but got {chip}.")
        self._optimize = target

    def convert(self, fmk_type, model_file, output_file, weight_file="", config_file="") -> None:
        """ "Converter.convert"; it adds the suffix."""
        if fmk_type is not FmkType.ONNX or not Path(model_file).is_file():
            raise RuntimeError("Convert model failed! Error is Common error code.")
        shape = {name: tuple(sizes) for name, sizes in self.input_shape.items()}
        write_converted(Path(model_file), output_file + ".mindir", shape, config_file, self._optimize)
