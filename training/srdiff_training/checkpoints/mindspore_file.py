"""MindSpore's ``.ckpt``, read field by field: MindSpore's own reader trusts the shapes, past the end of the content."""

from __future__ import annotations

import mmap
import zlib
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy as np

from srdiff.errors import CheckpointError
from srdiff.wire_format import CutShort, Field, Message, fields

from .to_float32 import bfloat16_to_float32, to_float32

# Field numbers of MindSpore's checkpoint.proto.
_VALUE = 1
_TAG, _TENSOR, _MAP = 1, 2, 3
_DIMS, _TYPE, _CONTENT = 1, 2, 3

_NUMBERS = ("Float16", "Float32", "Float64", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
_DTYPES = {name: np.dtype(name.lower()) for name in _NUMBERS}
_DTYPES.update(Bool=np.dtype(np.bool_), BFloat16=np.dtype(np.uint16))
_WORD = "str"  # UTF-32, four bytes a letter
_CIPHERS = {b"\xd8\x5e\x3a\x7f": "AES-GCM", b"\xd9\x5e\x3a\x7f": "AES-CBC", b"\xda\x5e\x3a\x7f": "SM4-CBC"}
_CRC, _CRC_BYTES = b"crc_num", 10
MAX_VALUES = 100_000
MAX_AXES = 8


class FileContent(NamedTuple):
    """Of a checkpoint of any kind: float32 arrays, and the words that MindSpore puts beside them, by name."""

    tensors: dict[str, np.ndarray]
    words: dict[str, str]


class _Stored(NamedTuple):
    """One part of a parameter; those above 512 MB come in several."""

    name: str
    dims: tuple[int, ...]
    dtype: str
    content: Field


def is_mindspore_file(head: bytes) -> bool:
    """Whether the file begins with a parameter, or with the mark of an encrypted checkpoint."""
    return head[:1] == b"\n" or head[:4] in _CIPHERS


def read_mindspore_file(path: Path) -> FileContent:
    """All that a checkpoint holds, its sizes checked against one another before any is believed.

    Raises:
        CheckpointError: the file is encrypted, damaged, or no MindSpore checkpoint.
    """
    with path.open("rb") as file:
        cipher = _CIPHERS.get(file.read(4))
        if cipher is not None:
            raise CheckpointError(
                f"{path} is encrypted ({cipher}); load it with mindspore.load_checkpoint and its key as dec_key, and "
                "save it again without enc_key"
            )
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                return _read(content, _checked_end(content))
            except CutShort as error:
                raise CheckpointError(f"{path} is cut short: {error}; check that the file is complete") from error
            except ValueError as error:
                raise CheckpointError(
                    f"{path} is damaged or no MindSpore checkpoint: {error}; give another copy of it"
                ) from error


def _checked_end(content: Message) -> int:
    """Where the values end; behind them may be their checksum."""
    end = len(content)
    begin = end - _CRC_BYTES - len(_CRC)
    if begin < 0 or content[begin : begin + len(_CRC)] != _CRC:
        return end
    with memoryview(content) as view, view[:begin] as values:
        if zlib.crc32(values) != int.from_bytes(content[end - _CRC_BYTES : end], "big"):
            raise ValueError("its checksum is not that of its content")
    return begin


def _read(content: mmap.mmap, end: int) -> FileContent:
    found = FileContent({}, {})
    parts: list[_Stored] = []
    for stored in _values(content, end):
        if parts and stored.name != parts[0].name:
            _keep(content, parts, found)
            parts = []
        parts.append(stored)
    if parts:
        _keep(content, parts, found)
    return found


def _values(content: Message, end: int) -> Iterator[_Stored]:
    for number, field in enumerate(fields(content, 0, end)):
        if field.number != _VALUE or field.value is not None or number == MAX_VALUES:
            raise ValueError(f"byte {field.begin} is in no parameter, or it has more than {MAX_VALUES}")
        inner = {}
        for part in fields(content, field.begin, field.end):
            if part.value is not None or part.number in inner or part.number not in (_TAG, _TENSOR, _MAP):
                raise ValueError(f"the parameter at byte {field.begin} has other fields than name and tensor")
            inner[part.number] = part
        if set(inner) != {_TAG, _TENSOR}:
            raise ValueError(f"the parameter at byte {field.begin} has no name or no tensor, or is a table of keys")
        yield _stored(content, _text(content, inner[_TAG]), inner[_TENSOR])


def _stored(content: Message, name: str, tensor: Field) -> _Stored:
    dims: list[int] = []
    rest: dict[int, Field] = {}
    for field in fields(content, tensor.begin, tensor.end):
        if field.number == _DIMS and field.value is not None and len(dims) < MAX_AXES:
            dims.append(field.value)
        elif field.number in (_TYPE, _CONTENT) and field.value is None and field.number not in rest:
            rest[field.number] = field
        else:
            raise ValueError(f"parameter {name!r} has more than {MAX_AXES} axes, or a field that no tensor has")
    if set(rest) != {_TYPE, _CONTENT}:
        raise ValueError(f"parameter {name!r} has no type or no content")
    return _Stored(name, tuple(dims), _text(content, rest[_TYPE]), rest[_CONTENT])


def _text(content: Message, field: Field) -> str:
    return bytes(content[field.begin : min(field.end, field.begin + 1000)]).decode("utf-8")


def _keep(content: mmap.mmap, parts: list[_Stored], found: FileContent) -> None:
    name, dims, dtype, _ = parts[0]
    if any(part[:3] != parts[0][:3] for part in parts) or name in found.tensors or name in found.words:
        raise ValueError(f"parameter {name!r} is there twice")
    data = b"".join(content[part.content.begin : part.content.end] for part in parts)
    if dtype == _WORD:
        found.words[name] = data.decode("utf-32-le")
        return
    if dtype not in _DTYPES:
        raise ValueError(f"parameter {name!r} is of type {dtype}, whose numbers are not read")
    shape = () if dims == (0,) else dims  # as older versions write a single number
    size = _DTYPES[dtype].itemsize
    for side in shape:
        size *= side
    if len(data) != size or size == 0:
        raise ValueError(
            f"parameter {name!r} of shape {list(shape)} and type {dtype} takes {size} bytes and has {len(data)}"
        )
    array = np.frombuffer(data, _DTYPES[dtype].newbyteorder("<")).reshape(shape)
    found.tensors[name] = bfloat16_to_float32(array) if dtype == "BFloat16" else to_float32(array)
