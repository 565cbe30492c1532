"""PNG: what Pillow does not check, and the 16 bits that it drops."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, Container

import numpy as np
import png

from ..errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIECE = 1 << 20
_MAX_KEPT = 64 << 20  # bytes
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7


@dataclass(frozen=True)
class PngHeader:
    """What IHDR says."""

    width: int
    height: int
    depth: int
    colour_type: int
    interlaced: bool

    @property
    def cut_by_pillow(self) -> bool:
        """Whether Pillow reads 8 of its 16 bits."""
        return self.depth == 16 and self.colour_type in (2, 4, 6)

    @property
    def inflated(self) -> int:
        """Bytes that its pixels take, filters included."""
        bits = self.depth * _CHANNELS.get(self.colour_type, 4)
        total = 0
        for x, y, across, down in _PASSES if self.interlaced else ((0, 0, 1, 1),):
            columns, rows = -(-(self.width - x) // across), -(-(self.height - y) // down)
            total += rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0
        return total


def png_header(head: bytes) -> PngHeader | None:
    """Of a file's first 29 bytes; None for other files."""
    if len(head) < 29 or not head.startswith(SIGNATURE) or head[12:16] != b"IHDR":
        return None
    width, height, depth, colour_type, _, _, interlace = struct.unpack(">IIBBBBB", head[16:29])
    return PngHeader(width, height, depth, colour_type, interlace == 1)


def check_png(stream: BinaryIO, header: PngHeader, name: str, kinds: Container[bytes]) -> list[tuple[bytes, bytes]]:
    """Every chunk's CRC, and the size of what a 16-bit picture inflates to; gives the chunks of some kinds.

    Raises ImageError where a CRC is wrong, the file ends early, there is more than IHDR announces, or the chunks to
    give are larger than any that people make.
    """
    stream.seek(len(SIGNATURE))
    inflate = zlib.decompressobj()
    inflated, room = 0, _MAX_KEPT
    found = []
    kind = b""
    while kind != b"IEND":
        head = stream.read(8)
        if len(head) < 8:
            raise ImageError(f"{name} is damaged or cut short (no IEND at its end); give a complete file")
        left, kind = struct.unpack(">I4s", head)
        crc, kept = zlib.crc32(kind), []
        while left:
            data = stream.read(min(left, _PIECE))
            if not data:
                raise ImageError(f"{name} is cut short within its {kind.decode('latin-1')}; give a complete file")
            left -= len(data)
            crc = zlib.crc32(data, crc)
            if kind in kinds:
                kept.append(data)
                room -= len(data)
                if room < 0:
                    raise ImageError(f"{name} holds more than {_MAX_KEPT >> 20} MB of text; remove some")
            if kind == b"IDAT" and header.cut_by_pillow:
                inflated += _inflated(inflate, data, header.inflated - inflated)
                if inflated > header.inflated:
                    raise ImageError(
                        f"{name} is damaged (more pixels than its {header.width}x{header.height}); give another"
                    )
        if stream.read(4) != struct.pack(">I", crc):
            raise ImageError(f"{name} is damaged (a wrong CRC in its {kind!r} chunk); give a complete file")
        if kept:
            found.append((kind, b"".join(kept)))
    return found


def _inflated(inflate: Any, data: bytes, most: int) -> int:
    """Bytes that data adds, counted until they are more than ``most``."""
    count = 0
    while data and count <= most and not inflate.eof:
        count += len(inflate.decompress(data, _PIECE))
        data = inflate.unconsumed_tail
    return count


def deep_png(stream: BinaryIO, header: PngHeader) -> np.ndarray:
    """[h, w, channels] uint16, where Pillow would drop the low bytes; of a file that ``check_png`` has passed."""
    stream.seek(0)
    _, _, rows, _ = png.Reader(file=stream).read()
    result = np.empty((header.height, header.width * _CHANNELS[header.colour_type]), np.uint16)
    for target, row in zip(result, rows):
        target[:] = row
    return result.reshape(header.height, header.width, -1)
