"""The wire format of protocol buffers: where the fields of a message lie, found without making objects of them."""

from __future__ import annotations

import mmap
from typing import Iterator, NamedTuple, Union

Message = Union[bytes, memoryview, mmap.mmap]

_FIXED = {1: 8, 5: 4}


class CutShort(ValueError):
    """The bytes end before the message does."""


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: of the field.
        value: of a varint; None for every other kind.
        begin, end: where its content lies in the message's bytes.
    """

    number: int
    value: int | None
    begin: int
    end: int


def fields(message: Message, begin: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message that lies at ``begin`` … ``end``; one level, nothing nested is looked into.

    Raises:
        CutShort: they end within a field.
        ValueError: these are not the bytes of a message.
    """
    end = len(message) if end is None else end
    position = begin
    while position < end:
        start = position
        key, position = varint(message, position, end)
        kind = key & 7
        if kind == 0:
            first = position
            value, position = varint(message, position, end)
            yield Field(key >> 3, value, first, position)
            continue
        if kind == 2:
            size, position = varint(message, position, end)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError(f"byte {start} begins no field")
        if position + size > end:
            raise CutShort(f"it ends within the field that begins at byte {start}")
        yield Field(key >> 3, None, position, position + size)
        position += size


def varint(message: Message, position: int, end: int) -> tuple[int, int]:
    """A variable-length integer and the position behind it.

    Raises:
        CutShort: it does not end before ``end``.
        ValueError: it is longer than 64 bits.
    """
    value = shift = 0
    while position < end and shift < 64:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
    if shift < 64:
        raise CutShort(f"it ends within a number at byte {position}")
    raise ValueError(f"the number before byte {position} is longer than 64 bits")
