"""Files and streams to photographs.

Reading applies the EXIF orientation and keeps transparency, the ICC profile, EXIF and the resolution.
Sixteen bits survive in greyscale and in PNG; 16-bit colour in other formats arrives as Pillow reads it, in 8.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import png
from PIL import Image

from ..atomic_files import stream_name
from ..errors import ImageError
from .convert import photo_of
from .decoding import decoding
from .formats import readable_formats, refuse_unread
from .photo import Photo
from .samples import stored_samples

DEFAULT_MAX_PIXELS = 64_000_000
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {2: 3, 4: 2, 6: 4}  # by colour type: those that Pillow cuts from 16 bits down to 8


def read_photo(source: Path | str | BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS) -> Photo:
    """Reads a file's first picture; a stream is read from where it stands to its end.

    One-channel files come back grey, palettes as RGB, CMYK and Lab as sRGB without their profile.
    Raises ImageError for what is missing, damaged in any way, no image, or larger than ``max_pixels``.
    """
    name = str(source) if isinstance(source, (str, Path)) else stream_name(source, "standard input")
    with _open(source, name) as stream, decoding(name):
        head = stream.read(32)
        if not head:
            raise ImageError(f"{name} is empty; give an image file")
        stream.seek(0)
        refuse_unread(name, head)
        width, height, depth, colour_type = _png_header(head)
        _check_size(name, width, height, max_pixels)
        image = Image.open(stream, formats=_formats(name))
        _check_size(name, *image.size, max_pixels)
        image.load()
        if depth == 16 and colour_type in _PNG_CHANNELS:
            return photo_of(image, _deep_png(stream, _PNG_CHANNELS[colour_type]))
        if depth in (2, 4) and image.mode == "L" and "transparency" in image.info:
            image.info["transparency"] *= 255 // (2**depth - 1)  # Pillow scales the samples but not the key
        return photo_of(image, stored_samples(image))


def _formats(name: str) -> list[str]:
    """TGA has no signature: nearly any bytes could be one, so it goes by its suffix."""
    tga = Path(name).suffix.lower() == ".tga"
    return [format for format in readable_formats() if format != "TGA" or tga]


def _open(source: Path | str | BinaryIO, name: str) -> BinaryIO:
    """A seekable stream at its start, for the caller to close."""
    try:
        if not isinstance(source, (str, Path)):
            return io.BytesIO(source.read())
        stream = Path(source).open("rb")  # noqa: SIM115
        if stream.seekable():
            return stream
        with stream:
            return io.BytesIO(stream.read())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name} cannot be opened ({reason}); give an image file that you may read") from error


def _check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(
            f"{name} is {width}x{height}, more than the limit of {max_pixels} pixels; "
            "give a smaller image or raise the limit with --max-pixels"
        )


def _png_header(head: bytes) -> tuple[int, int, int, int]:
    """Width, height, bit depth and colour type from a PNG file's first 26 bytes; zeros for other files."""
    if len(head) < 26 or not head.startswith(_PNG_SIGNATURE) or head[12:16] != b"IHDR":
        return 0, 0, 0, 0
    width, height, depth, colour_type = struct.unpack(">IIBB", head[16:26])
    return width, height, depth, colour_type


def _deep_png(stream: BinaryIO, channels: int) -> np.ndarray:
    """[h, w, channels] uint16, where Pillow would drop the low bytes."""
    stream.seek(0)
    width, height, rows, _ = png.Reader(file=stream).read()
    return np.array([np.array(row, np.uint16) for row in rows]).reshape(height, width, channels)
