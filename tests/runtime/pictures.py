"""Pictures and files for the tests of photographs, made with Pillow, pypng and a little struct."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import png
import pytest
from PIL import Image, ImageCms

from srdiff.errors import ImageError
from srdiff.photo.convert import photo_from
from srdiff.photo.photo import Photo
from srdiff.photo.read import read_photo

HEIGHT, WIDTH = 13, 17
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(7).integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, *shape), dtype, True)


def smooth(height: int = 64, width: int = 80) -> np.ndarray:
    """An RGB picture that JPEG and WebP keep nearly unchanged."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 3, columns * 2, 200 - rows - columns], axis=2).astype(np.uint8)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def png_bytes(samples: np.ndarray, **options: Any) -> bytes:
    """A PNG by pypng, so that what it holds does not depend on Pillow."""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    options.setdefault("bitdepth", samples.dtype.itemsize * 8)
    stream = io.BytesIO()
    writer = png.Writer(WIDTH, HEIGHT, greyscale=channels < 3, alpha=channels in (2, 4), **options)
    writer.write(stream, samples.reshape(HEIGHT, -1).tolist())
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_head(width: int, height: int, depth: int = 8, colour_type: int = 2) -> bytes:
    ihdr = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr)


def read(data: bytes, **options: Any) -> Photo:
    return read_photo(io.BytesIO(data), **options)


def refused(data: bytes, **options: Any) -> str:
    with pytest.raises(ImageError) as caught:
        read(data, **options)
    return one_sentence(caught.value)


def one_sentence(error: Exception) -> str:
    """The message, which says what was found and, after a semicolon, what to do."""
    message = str(error)
    assert message.count("; ") == 1 and "\n" not in message
    return message


def exif_with(**ifd0: Any) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x8769] = {0x829A: 0.25, 0xA002: 4321, 0x927C: b"maker note"}
    exif[0x8825] = {1: "N", 29: "2024:01:01"}
    for tag, value in ifd0.items():
        exif[int(tag[1:], 16)] = value
    return exif.tobytes()


def loaded(data: bytes | None) -> Image.Exif:
    assert data is not None
    exif = Image.Exif()
    exif.load(data)
    return exif


PHOTOS = {
    "grey": (noise(), True),
    "grey-alpha": (noise(2), True),
    "rgb": (noise(3), True),
    "rgba": (noise(4), True),
    "grey-16": (noise(dtype=np.uint16), False),
    "grey-alpha-16": (noise(2, dtype=np.uint16), False),
    "rgb-16": (noise(3, dtype=np.uint16), False),
    "rgba-16": (noise(4, dtype=np.uint16), False),
}


def with_metadata(samples: np.ndarray) -> Photo:
    plain = photo_from(samples)
    exif = read(encoded(Image.new("L", (1, 1)), "PNG", exif=exif_with(_0112=3))).exif
    return Photo(plain.pixels, plain.alpha, plain.grey, SRGB, exif, (240.0, 120.0))
