"""Reads the recorded PyTorch checkpoint without PyTorch, of which no small build for Python 3.7 exists."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

TYPES = {"FloatStorage": np.float32, "DoubleStorage": np.float64, "LongStorage": np.int64}


class _Storage:
    """The numbers that tensors are views of; filled after the pickle that refers to it."""

    def __init__(self, dtype: type, size: int) -> None:
        self.array = np.empty(size, dtype)


def _tensor(storage: _Storage, offset: int, size: tuple, stride: tuple, *_: Any) -> np.ndarray:
    strides = [step * storage.array.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage.array[offset:], size, strides)


class _Reader(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if name in TYPES:
            return TYPES[name]
        return {"_rebuild_tensor_v2": _tensor, "OrderedDict": OrderedDict}[name]

    def persistent_load(self, identifier: tuple) -> _Storage:
        _, dtype, key, _, size, *_ = identifier
        return self.storages.setdefault(key, _Storage(dtype, size))


def read_legacy_torch_file(path: Path) -> dict[str, np.ndarray]:
    """The model's tensors by name, of a file in the layout that ``torch.save`` wrote before version 1.6."""
    with path.open("rb") as file:
        for _ in range(3):  # magic number, protocol version, system
            pickle.load(file)
        reader = _Reader(file)
        content = reader.load()
        for key in pickle.load(file):
            storage = reader.storages[key]
            assert int.from_bytes(file.read(8), "little") == storage.array.size
            storage.array[:] = np.frombuffer(file.read(storage.array.nbytes), storage.array.dtype)
    state = content["state_dict"]
    state = state.get("model", state)
    return {name: np.array(tensor, np.float32) for name, tensor in state.items()}
