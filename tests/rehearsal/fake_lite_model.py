"""``mindspore_lite.Model`` and ``ModelGroup``: the pages of that name, mindspore_lite API 2.0 to 2.11."""

from __future__ import annotations

import configparser
import threading
import types
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from srdiff.engines.mindir_header import read_mindir_header

from .arithmetic import Computation, graph_inputs
from .fake_lite_context import ACL_MODES
from .fake_lite_tensor import DataType
from .fake_mindir import read_fake_mindir

# The newest version of MindIR that a generation reads. 2.0.0 was run: "can only support the maximum mind ir version:
# 1". 2.7 writes 3, so reads it; where between them it changed is rehearsed only.
MAX_MINDIR = {(2, 0): 1, (2, 1): 1, (2, 3): 2, (2, 7): 3, (2, 9): 3, (2, 11): 3}
FAILED = "build_from_file failed! Error is Common error code."


class ModelType(Enum):
    """ "ModelType", mindspore_lite API 2.0 to 2.11."""

    MINDIR = 0
    MINDIR_LITE = 4


class ModelGroupFlag(Enum):
    """ "ModelGroupFlag", mindspore_lite API 2.1 to 2.11."""

    SHARE_WEIGHT = 1
    SHARE_WORKSPACE = 2


class FakeModel:
    library: Any

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._computations: dict[tuple, Computation] = {}
        self.model: bytes | None = None

    def _load(self, content: bytes, model_type, context, config: dict[str, dict[str, str]]) -> None:
        if not isinstance(model_type, ModelType):
            raise TypeError(f"model_type must be ModelType, but got {type(model_type)}.")
        if not isinstance(context, self.library.Context):
            raise TypeError(f"context must be Context, but got {type(context)}.")
        try:
            header = read_mindir_header(content)
            facts, model = read_fake_mindir(content)
        except (ValueError, KeyError) as error:
            raise RuntimeError(FAILED) from error
        if header.mindir > MAX_MINDIR[self.library.generation]:
            raise RuntimeError(FAILED)
        mode = facts["precision_mode"] or ACL_MODES[context.ascend.precision_mode]
        if mode == "must_keep_origin_dtype" and self.library.chip == "without-fp32":
            raise RuntimeError(FAILED)  # "--precision_mode" of ATC: an error where the AI CPU has no such operator
        self.acl_mode, self.model, self.config, self.context = mode, model, config, context
        self._names = graph_inputs(model)
        self._profiles = [{name: tuple(shape) for name, shape in each.items()} for each in facts["shapes"]]
        self._fit(self._profiles[0])
        self._inputs = [self._host_tensor(self._free_shape(name)) for name in self._names]
        self.library.calls.append(("build", self))

    def _free_shape(self, name: str) -> list[int]:
        """ "Model.resize": "a dimension of the shape of the model input contains -1" until it is resized."""
        sizes = [profile[name] for profile in self._profiles]
        return [axis[0] if len(set(axis)) == 1 else -1 for axis in zip(*sizes)]

    def _host_tensor(self, shape) -> Any:
        tensor = self.library.Tensor()
        tensor.shape = list(shape)
        if -1 not in shape:
            tensor.mirror = np.full(shape, np.nan, np.float32)
        return tensor

    def _fit(self, shapes: dict[str, tuple[int, ...]]) -> None:
        key = tuple(shapes.values())
        if key not in self._computations:
            assert self.model is not None
            self._computations[key] = Computation(self.model, shapes, self.acl_mode)
        self._now, self._results = self._computations[key], None

    def get_inputs(self) -> list[Any]:
        """ "Model.get_inputs": tensors of the host, whose data predict carries to the device."""
        return list(self._inputs)

    def resize(self, inputs, dims) -> None:
        """ "Model.resize"; "Dynamic Resolution" and "Dynamic dimension" of "Ascend Conversion Tool Description": only a
        profile that the converter was given."""
        if not isinstance(inputs, list) or not isinstance(dims, list):
            raise TypeError(f"inputs must be list, but got {type(inputs)}.")
        if not all(isinstance(dim, list) and all(isinstance(size, int) for size in dim) for dim in dims):
            raise TypeError("dims element must be list of int.")
        if len(inputs) != len(dims):
            raise ValueError(f"inputs' size does not match dims' size: {len(inputs)} and {len(dims)}.")
        asked = {name: tuple(dim) for name, dim in zip(self._names, dims)}
        if asked not in self._profiles:
            raise RuntimeError("resize failed! Error is Common error code.")
        self.library.calls.append(("resize", asked))
        self._fit(asked)
        self._inputs = [self._host_tensor(dim) for dim in dims]

    def _predict(self, inputs, outputs) -> list[Any]:
        if not isinstance(inputs, list):
            raise TypeError(f"inputs must be list, but got {type(inputs)}.")
        for index, element in enumerate([*inputs, *(outputs or [])]):
            if not isinstance(element, self.library.Tensor):
                raise TypeError(f"inputs element must be Tensor, but got {type(element)} at index {index}.")
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("predict failed! a Model is not safe under threads")  # rehearsed only
        try:
            found = [(tuple(tensor.shape), tensor.dtype) for tensor in inputs]
            if found != [(self._now.shapes[name], DataType.FLOAT32) for name in self._names]:
                raise RuntimeError("predict failed!")
            return self._put(self._now.run({n: tensor.read() for n, tensor in zip(self._names, inputs)}), outputs)
        finally:
            self._busy.release()

    def _put(self, results: list[np.ndarray], outputs) -> list[Any]:
        if not outputs:
            if self._results is None:
                self._results = [self._host_tensor(result.shape) for result in results]
            outputs = self._results
        for tensor, result in zip(outputs, results):
            if tensor.data_size != result.nbytes:
                raise RuntimeError("predict failed!")
            if tensor.on_device:
                tensor.store[...] = result
            else:
                self.library.bus.traffic.append(("d2h", result.nbytes))
                tensor.mirror[...] = result  # the same memory in every run
        return outputs


class FakeModel20(FakeModel):
    def build_from_file(self, model_path, model_type, context=None, config_path="") -> None:
        """ "Model", mindspore_lite API 2.0."""
        self._load(_read(model_path), model_type, context or self.library.Context(), _configuration(config_path))

    def predict(self, inputs):
        """ "Model", mindspore_lite API 2.0."""
        return self._predict(inputs, None)


class FakeModel21(FakeModel20):
    """That 2.1 takes no outputs in predict is rehearsed only."""

    def build_from_file(self, model_path, model_type, context=None, config_path="", config_dict=None) -> None:
        """ "Model", mindspore_lite API 2.1 to 2.11 (2.7 adds keys to decrypt with, 2.10 drops them)."""
        config = {**_configuration(config_path), **_strings(config_dict)}
        self._load(_read(model_path), model_type, context or self.library.Context(), config)


class FakeModel23(FakeModel21):
    def predict(self, inputs, outputs=None):
        """ "Model.predict", and base_model.py of mindspore: results into tensors that are given."""
        return self._predict(inputs, outputs)


class FakeModel28(FakeModel23):
    def build_from_buffer(
        self, model_bytes, weight_bytes=None, model_type=None, context=None, config_path="", config_dict=None
    ) -> None:
        """ "Model", mindspore_lite API 2.10 and 2.11; new by the release notes of 2.8.0."""
        if not isinstance(model_bytes, bytes) or not model_bytes:
            raise TypeError("model_bytes must be Bytes.")
        self._load(model_bytes, model_type, context or self.library.Context(), _strings(config_dict))


class FakeGroup:
    """ "ModelGroup", mindspore_lite API 2.1 to 2.11: models that are not built yet."""

    library: Any

    def __init__(self, flags=ModelGroupFlag.SHARE_WORKSPACE) -> None:
        self.flags, self.models = flags, []

    def add_model(self, models) -> None:
        if not isinstance(models, (list, tuple)) or not all(isinstance(each, FakeModel) for each in models):
            raise TypeError("models must be a list of Model.")
        if any(model.model is not None for model in models):
            raise RuntimeError("add model to group failed: it is built")  # rehearsed only
        self.models += models
        self.library.calls.append(("group", len(self.models)))


def model_class(library: types.ModuleType) -> type:
    classes = (((2, 8), FakeModel28), ((2, 3), FakeModel23), ((2, 1), FakeModel21), ((2, 0), FakeModel20))
    base = next(kind for since, kind in classes if library.generation >= since)
    return type("Model", (base,), {"library": library})


def _read(model_path) -> bytes:
    if not isinstance(model_path, str):
        raise TypeError("model_path must be str.")
    if not Path(model_path).exists():
        raise RuntimeError("build_from_file failed, model_path does not exist!")
    if not model_path.endswith(".mindir"):  # "Model should use .mindir as suffix."
        raise RuntimeError(FAILED)
    return Path(model_path).read_bytes()


def _configuration(config_path) -> dict[str, dict[str, str]]:
    if not isinstance(config_path, str):
        raise TypeError("config_path must be str.")
    if not config_path:
        return {}
    if not Path(config_path).exists():
        raise RuntimeError("build_from_file failed, config_path does not exist!")
    parser = configparser.RawConfigParser()
    parser.read(config_path)
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _strings(config_dict) -> dict[str, dict[str, str]]:
    """python/api/model.py: a dictionary of dictionaries of strings."""
    for section, entries in (config_dict or {}).items():
        if not isinstance(section, str) or not isinstance(entries, dict):
            raise TypeError("config_dict must be a dict of str and dict.")
        if not all(isinstance(text, str) for pair in entries.items() for text in pair):
            raise TypeError("config_dict_value_value must be str.")
    return config_dict or {}
