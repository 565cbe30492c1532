"""Writes PNG: pixels by Pillow, or here where they have 16 bits, and everything that belongs to them."""

from __future__ import annotations

import struct
import zlib
from typing import Any, BinaryIO, Iterator

import numpy as np
import png
from PIL import Image

from .convert import to_array
from .packets import wrapped
from .photo import Photo
from .png_file import SIGNATURE
from .png_metadata import RAW_PROFILE, XMP_KEYWORD

MAX_PACKED = 1 << 20  # bytes that Pillow inflates a profile or a text to; it refuses a file with a larger one
MAX_TEXTS = 60 << 20  # bytes; it refuses files with more than 64 MiB of texts, and so does this project
_HEADER = len(SIGNATURE) + 25  # with IHDR


def write_png(photo: Photo, stream: BinaryIO) -> None:
    """To a stream that need not seek."""
    if photo.pixels.dtype == np.uint16:
        png.write_chunks(stream, _deep_chunks(photo))
        return
    image = Image.fromarray(np.ascontiguousarray(to_array(photo)))
    spliced: Any = _Inserting(stream, list(_ancillary(photo)))
    image.save(spliced, "PNG")


class _Inserting:
    """A stream that puts chunks between IHDR and what follows it."""

    def __init__(self, stream: BinaryIO, chunks: list[tuple[bytes, bytes]]) -> None:
        self._stream = stream
        self._chunks = chunks
        self._left = _HEADER  # bytes of signature and header to come

    def write(self, data: Any) -> int:
        head, rest = data[: self._left], data[self._left :]
        self._stream.write(head)
        if self._left and len(head) == self._left:
            for kind, content in self._chunks:
                png.write_chunk(self._stream, kind, content)
        self._left -= len(head)
        self._stream.write(rest)
        return len(data)

    def flush(self) -> None:
        self._stream.flush()


def _ancillary(photo: Photo) -> Iterator[tuple[bytes, bytes]]:
    """Chunks that come before the pixels."""
    if photo.cicp:
        yield b"cICP", photo.cicp
    if photo.icc_profile:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(photo.icc_profile)
    if photo.gamma:
        yield b"gAMA", struct.pack(">I", round(photo.gamma * 100_000))
    if photo.chromaticity:
        yield b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in photo.chromaticity))
    if photo.dpi:
        yield b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in photo.dpi), 1)
    if photo.exif:
        yield b"eXIf", photo.exif[len(b"Exif\0\0") :]
    if photo.xmp:
        yield b"iTXt", XMP_KEYWORD.encode() + bytes(5) + photo.xmp
    if photo.iptc:
        profile = wrapped(photo.iptc)
        hexadecimal = profile.hex()
        lines = [hexadecimal[start : start + 72] for start in range(0, len(hexadecimal), 72)]
        words = "\n".join(["", "iptc", f"{len(profile):8}", *lines, ""])
        head = f"{RAW_PROFILE}iptc\0".encode()
        if len(words) <= MAX_PACKED:
            yield b"zTXt", head + b"\0" + zlib.compress(words.encode())
        else:
            yield b"tEXt", head + words.encode()
    for keyword, words in photo.text:
        yield _text_chunk(keyword.encode("latin-1"), words)


def _text_chunk(keyword: bytes, words: str) -> tuple[bytes, bytes]:
    """Plain where Latin-1 has all the letters: not every reader looks into the other kind."""
    try:
        return b"tEXt", keyword + b"\0" + words.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", keyword + b"\0\0\0\0\0" + words.encode("utf-8", "replace")


def _deep_chunks(photo: Photo) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a 16-bit PNG, which Pillow cannot write in colour, nor pypng with a profile or EXIF."""
    samples = np.atleast_3d(to_array(photo))
    height, width, channels = samples.shape
    colour_type = {1: 0, 3: 2, 2: 4, 4: 6}[channels]
    yield b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    yield from _ancillary(photo)
    deflate = zlib.compressobj()
    above = np.zeros(width * channels * 2, np.uint8)
    for row in samples:
        line = np.ascontiguousarray(row, ">u2").view(np.uint8).ravel()
        data = deflate.compress(b"\2" + (line - above).tobytes())  # filter 2: what changed since above
        if data:
            yield b"IDAT", data
        above = line
    yield b"IDAT", deflate.flush()
    yield b"IEND", b""
