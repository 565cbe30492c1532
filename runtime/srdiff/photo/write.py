"""Photographs to files and streams."""

from __future__ import annotations

import io
import math
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Iterator

import numpy as np
import png

from ..atomic_files import atomic_file, cannot_write, stream_name
from ..errors import OptionError, OutputError, one_line
from .convert import eight_bit, pillow_info, to_array, to_pil
from .photo import Photo

# What can be written, under the suffixes that ask for it.
FORMATS = {"png": (".png",), "jpg": (".jpg", ".jpeg"), "webp": (".webp",), "tiff": (".tif", ".tiff")}
_PILLOW_FORMAT = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tiff": "TIFF"}
_QUALITY: dict[str, dict[str, Any]] = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"quality": 95}}
_MAX_SIDE = {"jpg": 65500, "webp": 16383}  # libjpeg stops short of the 65535 that the format allows
_MAX_JPEG_EXIF = 65533  # a marker's length counts its own two bytes in sixteen bits


def format_of(path: Path | str) -> str:
    """The key of ``FORMATS`` that a path's suffix asks for, in either case; raises OptionError for others."""
    suffix = Path(path).suffix.lower()
    for name, suffixes in FORMATS.items():
        if suffix in suffixes:
            return name
    known = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
    raise OptionError(f"{path} does not name a format to write; end it in one of {known}")


def check_storable(photo: Photo, format: str, scale: int = 1) -> None:
    """Raises OutputError if ``format`` cannot hold the photo enlarged ``scale`` times: ask before the work.

    JPEG holds no transparency, TIFF no 16-bit colour or alpha here, JPEG and WebP no side beyond 65500 and
    16383 pixels. Raises OptionError for a format that is not in ``FORMATS``.
    """
    if format not in FORMATS:
        raise OptionError(f"format is {format!r}; choose one of {', '.join(FORMATS)}")
    height, width = (scale * side for side in photo.pixels.shape[:2])
    limit = _MAX_SIDE.get(format, math.inf)
    if max(height, width) > limit:
        raise OutputError(f"the picture is {width}x{height}, {format} ends at {limit} pixels a side; choose png")
    if format == "jpg" and _transparent(photo):
        raise OutputError("the picture is transparent in places, which jpg cannot store; choose png or webp")
    if format == "tiff" and photo.pixels.dtype == np.uint16 and (photo.alpha is not None or not photo.grey):
        raise OutputError("the picture has 16-bit colour or alpha, which is not written as tiff; choose png")


def write_photo(photo: Photo, target: Path | str | BinaryIO, format: str, quality: int | None = None) -> None:
    """Writes the photo with its ICC profile, EXIF and resolution, in a format of ``FORMATS``.

    PNG keeps 16 bits, TIFF keeps them for grey; JPEG (quality 95, 4:4:4) and WebP (quality 95) get 8 bits.
    WebP knows no resolution beside the one in EXIF. A path appears whole or not at all.
    Raises OutputError for what the format cannot hold, before any work, and for what the system refuses;
    OptionError for an unknown format.
    """
    check_storable(photo, format)
    if isinstance(target, (str, Path)):
        with atomic_file(Path(target)) as temporary, temporary.open("wb") as stream:
            _encode(photo, stream, format, quality)
        return
    encoded = io.BytesIO()  # encoders seek, pipes do not
    try:
        _encode(photo, encoded, format, quality)
        target.write(encoded.getbuffer())
        target.flush()
    except OSError as error:
        raise cannot_write(stream_name(target, "standard output"), error) from error


def _transparent(photo: Photo) -> bool:
    return photo.alpha is not None and bool((photo.alpha < np.iinfo(photo.alpha.dtype).max).any())


def _encode(photo: Photo, stream: BinaryIO, format: str, quality: int | None) -> None:
    """Writes to a seekable stream; OSError is left to the caller, who knows the name."""
    # WebP knows no grey, and a grey profile does not fit colour.
    if photo.icc_profile and photo.icc_profile[16:20] == b"GRAY" and (format == "webp" or not photo.grey):
        photo = replace(photo, icc_profile=None)
    if format == "jpg":  # any alpha is opaque by now; EXIF beyond one marker is lost
        small = photo.exif is not None and len(photo.exif) <= _MAX_JPEG_EXIF
        photo = replace(photo, alpha=None, exif=photo.exif if small else None)
    try:
        if format == "png" and photo.pixels.dtype == np.uint16:
            png.write_chunks(stream, _deep_png_chunks(photo))
            return
        image = to_pil(photo if format == "tiff" else eight_bit(photo))
        lossy = dict(_QUALITY.get(format, {}))
        if lossy and quality is not None:
            lossy["quality"] = quality
        image.save(stream, _PILLOW_FORMAT[format], **lossy, **pillow_info(photo))
    except (ValueError, ArithmeticError, struct.error, MemoryError) as error:
        raise OutputError(f"the picture cannot be stored as {format} ({one_line(error)}); choose another") from error


def _deep_png_chunks(photo: Photo) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a 16-bit PNG, which Pillow cannot write in colour, nor pypng with a profile or EXIF."""
    samples = np.atleast_3d(to_array(photo))
    height, width, channels = samples.shape
    colour_type = {1: 0, 3: 2, 2: 4, 4: 6}[channels]
    yield b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    if photo.icc_profile:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(photo.icc_profile)
    if photo.dpi:
        x, y = (round(value / 0.0254) for value in photo.dpi)
        yield b"pHYs", struct.pack(">IIB", x, y, 1)
    if photo.exif:
        yield b"eXIf", photo.exif[len(b"Exif\0\0") :]
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
