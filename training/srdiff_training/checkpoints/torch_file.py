"""PyTorch's checkpoints, zip archives and the layout before them, read without PyTorch and without running anything."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Iterator

import numpy as np

from srdiff.bundle import MANIFEST_NAME
from srdiff.errors import CheckpointError

from .pickled import LIMIT, PickleError, Storage, Unreadable, View, load_pickle
from .to_float32 import bfloat16_to_float32, to_float32

_ZIP_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "Float": "f4", "Double": "f8", "Half": "f2", "BFloat16": "u2", "Long": "i8", "Int": "i4", "Short": "i2",
    "Char": "i1", "Byte": "u1", "Bool": "?",
}  # fmt: skip
_SIZES = {
    "Untyped": 1,
    "ComplexFloat": 8,
    "ComplexDouble": 16,
    "QInt8": 1,
    "QUInt8": 1,
    "QInt32": 4,
    "QUInt4x2": 1,
    "QUInt2x4": 1,
}
# What a trainer keeps beside the networks.
_TRAINER = re.compile(
    r"optim|(lr_)?sched|callback|loop|hyper_param|hparam|arg|config|cfg|opt$|amp|scaler|rng|random|averaging_"
)
MAX_DEPTH = 8
MAX_AXES = 8
MAX_NAME = 4096
MAX_ENTRIES = 1_000_000  # of all dictionaries, each counted wherever it is met
_FAILURES = (
    zipfile.BadZipFile, struct.error, OSError, EOFError, KeyError, ValueError, TypeError, NotImplementedError,
    RuntimeError, OverflowError,
)  # fmt: skip


def is_torch_file(head: bytes) -> bool:
    """Whether the file begins like ``torch.save``'s: a zip archive, or a pickle in the legacy layout."""
    return head[:4] == _ZIP_MAGIC or head[:1] == _PICKLE_MAGIC


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """The tensors, float32, by name; within dictionaries the name is the path of keys, joined by dots. Optimizer state
    and step count are left aside.

    Raises:
        CheckpointError: the file is damaged, or holds what is not read.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == _ZIP_MAGIC
            file.seek(0)
            numbers: _ZipNumbers | _LegacyNumbers = _ZipNumbers(file, size) if is_zip else _LegacyNumbers(file, size)
            return _arrays(numbers, size)
    except PickleError as error:
        raise CheckpointError(f"{path} {error}") from error
    except _FAILURES as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}: {error}); give another copy of it"
        ) from error


class _ZipNumbers:
    """The layout since torch 1.6: a pickle and a file for each storage, uncompressed."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        try:
            self._archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise PickleError(
                "is damaged: the list of its parts, which ends it, is not there; check that the file is complete"
            ) from error
        names = self._archive.namelist()
        tops = [name[: -len("data.pkl")] for name in names if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if not tops:
            raise PickleError(_what_zip(names))
        if f"{tops[0]}constants.pkl" in names:
            raise PickleError("is a TorchScript program, which is code and not read; save the model's state_dict")
        self._top, self._left = tops[0], size
        self.content = load_pickle(io.BytesIO(self._part("data.pkl", LIMIT)))
        swapped = f"{self._top}byteorder" in names and self._part("byteorder", 10) == b"big"
        self.order = ">" if swapped else "<"

    def read(self, storage: Storage) -> bytes:
        data = self._part(f"data/{storage.key}", self._left)
        self._left -= len(data)  # parts may share their bytes, and none is read twice
        return data

    def _part(self, name: str, most: int) -> bytes:
        part = self._archive.getinfo(self._top + name)
        if part.compress_type != zipfile.ZIP_STORED or part.file_size != part.compress_size:
            raise PickleError("is compressed inside, as torch does not write it; save it again with torch.save")
        if part.file_size > most:
            raise PickleError(f"has a part {name} of {part.file_size} bytes, and {most} are the most that it may have")
        return self._archive.read(part)


def _what_zip(names: list[str]) -> str:
    if any(name.endswith(MANIFEST_NAME) for name in names):
        return "is a bundle in a zip archive; give the checkpoint that it was made from"
    if names and all(name.endswith(".npy") for name in names):
        return "is an archive of NumPy arrays; give the checkpoint that training wrote"
    return "is a zip archive without a PyTorch checkpoint; if one was packed in it, unpack it first"


class _LegacyNumbers:
    """The layout before torch 1.6: pickles, then the storages one after the other."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        if load_pickle(file) != _LEGACY_MAGIC:
            raise PickleError("is a pickle of something else than torch.save writes; save the model's state_dict by it")
        load_pickle(file)  # version
        system = load_pickle(file)
        self.order = ">" if isinstance(system, dict) and system.get("little_endian") is False else "<"
        storages: dict[str, Storage] = {}
        self.content = load_pickle(file, storages)
        self._file, self._places = file, {}
        keys = load_pickle(file)
        # Anything else than words may take forever to hash.
        if not isinstance(keys, list) or not all(isinstance(key, str) and key in storages for key in keys):
            raise PickleError("is damaged: its list of storages names what no tensor has; give another copy")
        for key in keys:
            storage = storages[key]
            (count,) = struct.unpack("<q", file.read(8))
            length = count * (_SIZES.get(storage.kind) or np.dtype(_DTYPES[storage.kind]).itemsize)
            self._places[key] = (file.tell(), length)
            if not 0 <= length <= size - file.tell():
                raise PickleError("is cut short: its numbers are not all there; check that the file is complete")
            file.seek(length, io.SEEK_CUR)

    def read(self, storage: Storage) -> bytes:
        place, length = self._places[storage.key]
        self._file.seek(place)
        return self._file.read(length)


def _arrays(numbers: _ZipNumbers | _LegacyNumbers, size: int) -> dict[str, np.ndarray]:
    stored: dict[str, np.ndarray] = {}
    found: dict[str, np.ndarray] = {}
    left = size
    for name, tensor in _tensors(numbers.content):
        if isinstance(tensor, Unreadable):
            raise PickleError(f"has a tensor {name} that is {tensor.kind}; save it as a dense one of numbers")
        storage = tensor.storage
        if storage.kind not in _DTYPES:
            raise PickleError(
                f"has a tensor {name} of type {storage.kind}, whose numbers are not read; save it as float32"
            )
        _check_view(name, tensor)
        # Tensors may share numbers, but not so that a small file fills the memory.
        left -= int(np.prod(tensor.shape, dtype=np.int64))
        if left < 0:
            raise PickleError("has tensors of more numbers than it has bytes, which share them; save each for itself")
        if storage.key not in stored:
            stored[storage.key] = _numbers(numbers, storage)
        found[name] = _viewed(stored[storage.key], tensor, storage.kind)
    return found


def _tensors(content: Any) -> Iterator[tuple[str, View | Unreadable]]:
    """Name and tensor, through dictionaries within dictionaries."""
    for number, (name, tensor) in enumerate(_entries(content)):
        if number == MAX_ENTRIES:
            raise PickleError(f"has more than {MAX_ENTRIES} entries; save the state_dict alone")
        if tensor is not None:
            yield name, tensor


def _entries(content: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, View | Unreadable | None]]:
    """The same with None for all that is no tensor."""
    for key, value in content.items() if isinstance(content, dict) else ():
        name = f"{prefix}{key}"
        if len(name) > MAX_NAME:
            raise PickleError(f"has a name of more than {MAX_NAME} letters, as no network has")
        if isinstance(value, (View, Unreadable)):
            yield name, value
        elif isinstance(value, dict) and not _TRAINER.match(key):
            yield name, None
            if depth == MAX_DEPTH:
                raise PickleError(
                    f"has more than {MAX_DEPTH} dictionaries within one another; save the state_dict alone"
                )
            yield from _entries(value, f"{name}.", depth + 1)
        else:
            yield name, None


def _check_view(name: str, view: View) -> None:
    if not isinstance(view.shape, tuple) or not isinstance(view.strides, tuple):
        raise PickleError(f"is damaged: tensor {name} has no shape")
    sides = [*view.shape, *view.strides, view.offset, view.storage.size]
    if any(type(side) is not int or not 0 <= side < 1 << 40 for side in sides) or len(view.shape) != len(view.strides):
        raise PickleError(f"is damaged: tensor {name} has an impossible shape")
    if len(view.shape) > MAX_AXES:
        raise PickleError(f"has a tensor {name} of {len(view.shape)} axes where no network has more than {MAX_AXES}")
    if any(side > 1 and stride == 0 for side, stride in zip(view.shape, view.strides)):
        raise PickleError(f"has a tensor {name} of repeated numbers (an expanded one); save it after .contiguous()")
    last = view.offset + sum((side - 1) * stride for side, stride in zip(view.shape, view.strides))
    if 0 not in view.shape and last >= view.storage.size:
        raise PickleError(f"is damaged: tensor {name} of shape {list(view.shape)} is larger than its numbers")


def _numbers(numbers: _ZipNumbers | _LegacyNumbers, storage: Storage) -> np.ndarray:
    dtype = np.dtype(numbers.order + _DTYPES[storage.kind])
    data = numbers.read(storage)
    if len(data) != storage.size * dtype.itemsize:
        raise PickleError(f"is damaged: {storage.size} numbers of type {storage.kind} are {len(data)} bytes")
    return np.frombuffer(data, dtype)


def _viewed(stored: np.ndarray, view: View, kind: str) -> np.ndarray:
    if 0 in view.shape:
        return np.zeros(view.shape, np.float32)
    strides = [stride * stored.itemsize for stride in view.strides]
    array = np.lib.stride_tricks.as_strided(stored[view.offset :], view.shape, strides, writeable=False)
    return bfloat16_to_float32(array) if kind == "BFloat16" else to_float32(array)
