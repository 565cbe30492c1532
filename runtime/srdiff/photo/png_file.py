"""PNG: what Pillow does not check, and the 16 bits that it drops."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, Container

import numpy as np
from PIL import Image

from ..errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIECE = 1 << 20
_MAX_KEPT = 64 << 20  # bytes
_MAX_CHUNKS = 250_000  # 2 GB of pixels in the 8 KiB that most writers put into a chunk; read in seconds
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7
# By colour type: Pillow's mode, and its names for a picture of the high bytes and one of the low bytes of samples of
# 16 bits. Grey with alpha has the size and the filters of 8-bit RGBA.
_HALVES = {2: ("RGB", "RGB;16B", "RGB;16L"), 6: ("RGBA", "RGBA;16B", "RGBA;16L"), 4: ("RGBA", "RGBA", None)}


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
    give are larger, or all chunks more, than any that people make.
    """
    stream.seek(len(SIGNATURE))
    inflate = zlib.decompressobj()
    inflated, room, chunks = 0, _MAX_KEPT, 0
    found = []
    kind = b""
    while kind != b"IEND":
        head = stream.read(8)
        chunks += 1
        if chunks > _MAX_CHUNKS:
            raise ImageError(f"{name} has more than {_MAX_CHUNKS:,} chunks; save it anew with another program")
        if len(head) < 8:
            raise ImageError(f"{name} is damaged or cut short (no IEND at its end); give a complete file")
        left, kind = struct.unpack(">I4s", head)
        crc, kept = zlib.crc32(kind), []
        while left:
            data = stream.read(min(left, _PIECE))
            if not data:
                raise ImageError(f"{name} is cut short within its {_shown(kind)} chunk; give a complete file")
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
            raise ImageError(f"{name} is damaged (a wrong CRC in its {_shown(kind)} chunk); give a complete file")
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
    """[h, w, channels] uint16, of which Pillow gives the high bytes alone; of a file that ``check_png`` has passed."""
    mode, high, low = _HALVES[header.colour_type]
    data = _pixel_data(stream)
    samples = _unpacked(data, header, mode, high)
    if low is None:
        return samples.view(">u2").astype(np.uint16)
    result = samples.astype(np.uint16)
    result <<= 8
    result |= _unpacked(data, header, mode, low)
    return result


def _pixel_data(stream: BinaryIO) -> bytes:
    """What all IDAT chunks hold."""
    pieces, kind = [], b""
    stream.seek(len(SIGNATURE))
    while kind != b"IEND":
        size, kind = struct.unpack(">I4s", stream.read(8))
        if kind == b"IDAT":
            pieces.append(stream.read(size))
        else:
            stream.seek(size, io.SEEK_CUR)
        stream.seek(4, io.SEEK_CUR)
    return b"".join(pieces)


def _unpacked(data: bytes, header: PngHeader, mode: str, raw_mode: str) -> np.ndarray:
    size = (header.width, header.height)
    return np.asarray(Image.frombytes(mode, size, data, "zip", raw_mode, header.interlaced))


def _shown(kind: bytes) -> str:
    return kind.decode() if kind.isalpha() else f"0x{kind.hex()}"
