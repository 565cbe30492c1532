"""Bounds on what decoders do for a file: its bytes are bounded elsewhere, these are parts and passes."""

from __future__ import annotations

import io
import re
import struct
from typing import Any, BinaryIO

from ..errors import ImageError

# Pillow reads a part of a file, or what lies between parts, in a call or more. Pictures of a megabyte that people
# make take a few hundred, animations up to one for each 128 bytes; a million take about a second.
_READS, _BYTES_PER_READ = 1_000_000, 16
# Each scan of a JPEG is a pass over all of its picture. Progressive ones have ten; libtiff allows as many.
_SCANS, _SEGMENTS = 100, 100_000
# A marker with a length, or the end: none of the bytes that stand for themselves, that pad, or that mark alone.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_END, _SCAN = b"\xd9", b"\xda"


class Patient:
    """A stream whose reader gives up where it is in far more parts than anybody makes.

    Raises ImageError for more calls of ``read`` than that.
    """

    def __init__(self, stream: BinaryIO, size: int, name: str) -> None:
        self._stream, self._name = stream, name
        self._left = _READS + size // _BYTES_PER_READ

    def read(self, size: int = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise _too_many(self._name)
        return self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def check_scans(stream: BinaryIO, name: str) -> None:
    """Raises ImageError for a JPEG of more scans than anybody makes; the stream is where it was."""
    here = stream.seek(0, io.SEEK_CUR)
    stream.seek(0)
    data = stream.read()
    stream.seek(here)
    position, scans = 0, 0
    for _ in range(_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None or found.group(1) == _END:
            return
        scans += found.group(1) == _SCAN
        if scans > _SCANS:
            raise ImageError(f"{name} has more than {_SCANS} scans; save it anew with another program")
        position = found.end()
        if len(data) < position + 2:
            return
        position += struct.unpack_from(">H", data, position)[0]
    raise _too_many(name)


def _too_many(name: str) -> ImageError:
    return ImageError(f"{name} is in more parts than are read; save it anew with another program")
