"""Opens PNG with Pillow, without what Pillow refuses for its size alone, and says how many frames a file really has."""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from typing import Any, BinaryIO, Iterable, Iterator

from PIL import Image, PngImagePlugin

from .decoding import open_image
from .png_file import SIGNATURE
from .png_metadata import PACKED, unpacked

_SIDE = 12  # bytes of a chunk beside its data


def open_png(stream: BinaryIO, chunks: Iterable[tuple[bytes, bytes]], name: str) -> Image.Image:
    """The image of a file that ``check_png`` has passed and whose chunks of the kinds in ``PACKED`` these are.

    Pillow refuses files with a text or a profile above a limit of its own: it gets them without these, and ``info``
    has them nevertheless.
    """
    info = unpacked(chunks, name)
    sizes = [len(value) for value in info.values()]
    if not sizes or (max(sizes) <= PngImagePlugin.MAX_TEXT_CHUNK and 2 * sum(sizes) <= PngImagePlugin.MAX_TEXT_MEMORY):
        return open_image(stream, ["PNG"], name)
    lean: Any = io.BufferedReader(_Without(stream, PACKED))
    image = open_image(lean, ["PNG"], name)
    image.info.update(info)
    return image


def png_frames(stream: BinaryIO) -> int:
    """As many as acTL says and have a fcTL, and the picture before them for readers that know no animation."""
    claims, frames, still = [], 0, True
    pixels = False
    for kind, start, size in _chunks(stream):
        pixels = pixels or kind == b"IDAT"
        if kind == b"acTL" and not pixels and size >= 4:
            stream.seek(start + 8)
            claims.append(struct.unpack(">I", stream.read(4))[0])
        elif kind == b"fcTL":
            frames += 1
            still = still and pixels
    if len(claims) != 1 or not 0 < claims[0] <= 1 << 31:
        return 1
    return max(min(claims[0], frames) + still, 1)


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and size of each; the stream may be moved meanwhile."""
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        stream.seek(position)
        head = stream.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        yield kind, position, size
        position += size + _SIDE


class _Without(io.RawIOBase):
    """A PNG's bytes without its chunks of some kinds."""

    def __init__(self, stream: BinaryIO, kinds: Iterable[bytes]) -> None:
        self._stream = stream
        self._parts = [(0, len(SIGNATURE))]  # start and size of what stays
        left_out = frozenset(kinds)
        for kind, start, size in _chunks(stream):
            if kind in left_out:
                continue
            before, length = self._parts[-1]
            if before + length == start:
                self._parts[-1] = (before, length + size + _SIDE)
            else:
                self._parts.append((start, size + _SIDE))
        self._firsts = [0]  # where each part begins here
        for _, length in self._parts:
            self._firsts.append(self._firsts[-1] + length)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._firsts[-1]}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: Any) -> int:
        number = bisect_right(self._firsts, self._position) - 1
        if number >= len(self._parts):
            return 0
        within = self._position - self._firsts[number]
        start, length = self._parts[number]
        self._stream.seek(start + within)
        data = self._stream.read(min(len(buffer), length - within))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
