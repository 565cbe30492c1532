"""Who wrote a MindIR file and in which version of the format: the few fields that a refusal must name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

# Field numbers of ModelProto in MindSpore's mind_ir.proto; a file of MindSpore 2.0 or later has both.
_MODEL_VERSION = 5
_MIND_IR_VERSION = 13


@dataclass(frozen=True)
class MindIRHeader:
    """Versions in a MindIR file.

    Attributes:
        mindspore: version of the MindSpore that wrote it, like ``2.0.0``.
        mindir: version of the format, like 1.
    """

    mindspore: str
    mindir: int

    def __str__(self) -> str:
        return f"MindIR version {self.mindir} by MindSpore {self.mindspore}"


def read_mindir_header(model: bytes) -> MindIRHeader:
    """The versions in a MindIR file's bytes.

    Raises:
        ValueError: these are not the bytes of a whole MindIR file.
    """
    found = {number: value for number, value in _fields(model) if number in (_MODEL_VERSION, _MIND_IR_VERSION)}
    mindspore, mindir = found.get(_MODEL_VERSION), found.get(_MIND_IR_VERSION)
    if not isinstance(mindspore, bytes) or not isinstance(mindir, int):
        raise ValueError("it has no MindIR version")
    return MindIRHeader(mindspore.decode("utf-8"), mindir)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of the top level of a protocol buffer message."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if kind == 2:
            size, position = _varint(message, position)
        elif kind in (1, 5):
            size = {1: 8, 5: 4}[kind]
        else:
            raise ValueError(f"byte {position} begins no field")
        if position + size > len(message):
            raise ValueError("it ends within a field")
        yield key >> 3, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """A variable-length integer and the position behind it."""
    value = shift = 0
    while position < len(message) and shift < 64:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
    raise ValueError("it ends within a number")
