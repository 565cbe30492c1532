"""TIFF: its pages, and the kinds that Pillow misreads or refuses.

Samples of 16 bits and floats are arranged here; strips and tiles in LZW and PackBits are inflated by Pillow's libtiff,
each as a grey picture of its own, so that no strip yields more bytes than its place in the page.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, BinaryIO, Mapping

import numpy as np
from PIL import TiffImagePlugin

from ..errors import ImageError
from .packets import tag_bytes
from .samples import from_floats, from_integers, with_straight_alpha

Page = Mapping[int, Any]

_MAX_PAGES = 10_000
_MAX_STRIP = 160 << 20  # bytes, inflated by Pillow, which takes four times as much and ends at 170 of them
_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
_FILL_ORDER, _OFFSETS, _CHANNELS, _ROWS, _COUNTS, _PLANAR, _PREDICTOR = 266, 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _FORMAT, _DNG = 322, 323, 324, 325, 338, 339, 50706
_DEFLATE = (8, 32946)
_COMPRESSIONS = (1, 5, 32773, *_DEFLATE)  # none, LZW, PackBits
_IPTC = 33723
_TYPES = {(16, 1): "u2", (32, 1): "u4", (16, 3): "f2", (32, 3): "f4", (64, 3): "f8"}


def is_tiff(head: bytes) -> bool:
    """By a file's first four bytes, BigTIFF included."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def full_pages(stream: BinaryIO, name: str) -> list[tuple[int, Page]]:
    """Index and tags of each page that is no thumbnail or mask (bits 0 and 2 of NewSubfileType).

    Raises ImageError for camera raw files (DNG and its kin) and those with thumbnails alone.
    """
    stream.seek(0)
    head = stream.read(16)
    big = head[2:4] in (b"+\0", b"\0+")
    directory = TiffImagePlugin.ImageFileDirectory_v2(head if big else head[:8])
    pages: list[tuple[int, Page]] = []
    seen: set[int] = set()
    count = 0
    while directory.next and directory.next not in seen and count < _MAX_PAGES:
        seen.add(directory.next)
        stream.seek(directory.next)
        directory.load(stream)
        page = dict(directory)
        page[_IPTC] = tag_bytes(directory, _IPTC)
        if _DNG in page:
            raise ImageError(f"{name} is a camera raw file, which is not read here; develop it to a 16-bit tiff or png")
        if not page.get(_SUBFILE, 0) & 5 and page.get(_OLD_SUBFILE) != 2:
            pages.append((count, page))
        count += 1
    if count and not pages:
        raise ImageError(f"{name} holds nothing but thumbnails as camera raw files do; develop it to a tiff or png")
    return pages


def deep_samples(stream: BinaryIO, page: Page, order: str, name: str) -> np.ndarray | None:
    """[h, w, channels] of a page of 16 or more bits a sample, as uint16; None for a page that is Pillow's to read.

    Args:
        stream: the file.
        page: its tags.
        order: ``<`` or ``>``, the file's byte order.
        name: what to call it.

    Raises:
        ImageError: this kind of TIFF is not read, or a strip is cut short.
    """
    bits = _numbers(page.get(_BITS, 1))
    photometric, planar = page.get(_PHOTOMETRIC), page.get(_PLANAR, 1)
    formats = set(_numbers(page.get(_FORMAT, 1)))
    if max(bits) <= 8 and formats <= {1, 4}:
        return None
    if photometric not in (0, 1, 2) and planar == 1 and formats == {1} and set(bits) == {16}:
        return None  # Pillow knows CMYK of 16 bits
    if photometric == 1 and bits == (32,) and formats == {2}:
        return None  # whole numbers with a sign, which Pillow knows
    kind = _TYPES.get((bits[0], min(formats)))
    channels, compression = page.get(_CHANNELS, 1), page.get(_COMPRESSION, 1)
    colours = 3 if photometric == 2 else 1
    understood = kind and len(set(bits)) == len(formats) == 1 and photometric in (0, 1, 2) and planar in (1, 2)
    if not understood or compression not in _COMPRESSIONS or not colours <= channels <= colours + 4:
        raise _unread(name, page)
    if page.get(_FILL_ORDER, 1) != 1 or page.get(_PREDICTOR, 1) not in (1, 2, 3):
        raise _unread(name, page)
    samples = _arranged(stream, page, np.dtype(order + str(kind)), name, colours + 1)
    return _as_shown(samples, page, colours)


def _unread(name: str, page: Page) -> ImageError:
    bits = "/".join(map(str, _numbers(page.get(_BITS, 1))))
    return ImageError(
        f"{name} is a kind of TIFF that is not read (bits {bits}, format {page.get(_FORMAT, 1)}, photometric "
        f"{page.get(_PHOTOMETRIC)}, compression {page.get(_COMPRESSION, 1)}, planar {page.get(_PLANAR, 1)}); "
        "save it as 8- or 16-bit RGB"
    )


def _arranged(stream: BinaryIO, page: Page, dtype: np.dtype, name: str, most: int) -> np.ndarray:
    """[h, w, channels], the first ``most`` of them, of the stored type or float32: strips or tiles in their places."""
    width, height, channels = page[_WIDTH], page[_HEIGHT], page.get(_CHANNELS, 1)
    tiled = _TILE_OFFSETS in page
    columns = page[_TILE_WIDTH] if tiled else width
    rows = page[_TILE_HEIGHT] if tiled else min(page.get(_ROWS, height), height)
    offsets = _numbers(page[_TILE_OFFSETS if tiled else _OFFSETS])
    counts = _numbers(page[_TILE_COUNTS if tiled else _COUNTS])
    if not 0 < columns <= width + 4096 or not 0 < rows <= height + 4096:
        raise _unread(name, page)
    planes = channels if page.get(_PLANAR, 1) == 2 else 1
    depth = channels // planes
    kept = np.dtype(np.float32) if dtype.itemsize == 8 else dtype.newbyteorder("=")
    result = np.zeros((height, width, min(channels, most)), kept)
    places = [
        (plane, top, left)
        for plane in range(planes)
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    ]
    if not len(places) == len(offsets) == len(counts):
        raise ImageError(f"{name} is damaged ({len(offsets)} strips of {len(places)}); give a complete file")
    for (plane, top, left), offset, count in zip(places, offsets, counts):
        if plane >= most:
            break
        tall = rows if tiled else min(rows, height - top)
        stream.seek(offset)
        row_bytes = columns * depth * dtype.itemsize
        data = _inflated(stream.read(count), page.get(_COMPRESSION, 1), tall, row_bytes, name)
        if len(data) != tall * row_bytes:
            raise ImageError(f"{name} is damaged or cut short (a strip of {len(data)} bytes); give a complete file")
        block = _unpredicted(data, (tall, columns, depth), dtype, page.get(_PREDICTOR, 1))
        part = block[: height - top, : width - left, :most]
        result[top : top + rows, left : left + columns, plane : plane + depth] = part
    return result


def _inflated(data: bytes, compression: int, rows: int, row_bytes: int, name: str) -> bytes:
    """A strip's bytes, at most rows * row_bytes of them."""
    if compression == 1:
        return data[: rows * row_bytes]
    if compression in _DEFLATE:
        return zlib.decompressobj().decompress(data, rows * row_bytes)
    if rows * row_bytes > _MAX_STRIP:
        raise ImageError(f"{name} has a strip of more than {_MAX_STRIP >> 20} MB; save it in smaller strips")
    entries = [(_WIDTH, row_bytes), (_HEIGHT, rows), (_BITS, 8), (_COMPRESSION, compression), (_PHOTOMETRIC, 1)]
    entries += [(_OFFSETS, 8 + 2 + 9 * 12 + 4), (_CHANNELS, 1), (_ROWS, rows), (_COUNTS, len(data))]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    head += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries) + bytes(4)
    return TiffImagePlugin.TiffImageFile(io.BytesIO(head + data)).tobytes()


def _unpredicted(data: bytes, shape: tuple[int, int, int], dtype: np.dtype, predictor: int) -> np.ndarray:
    """Undoes horizontal differences of samples (2) or of a float's byte planes (3; TIFF Technical Note 3)."""
    rows, columns, depth = shape
    if predictor == 3:
        bytes_ = np.frombuffer(data, np.uint8).reshape(rows, -1, depth)
        summed = np.cumsum(bytes_, axis=1, dtype=np.uint8).reshape(rows, dtype.itemsize, columns * depth)
        floats = np.ascontiguousarray(summed.swapaxes(1, 2)).view(f">f{dtype.itemsize}")
        return floats.reshape(shape)
    samples = np.frombuffer(data, dtype).reshape(shape)
    if predictor == 2:
        native = samples.astype(dtype.newbyteorder("="))
        return np.cumsum(native.view(f"u{dtype.itemsize}"), axis=1, dtype=f"u{dtype.itemsize}").view(native.dtype)
    return samples


def _as_shown(samples: np.ndarray, page: Page, colours: int) -> np.ndarray:
    """uint16, white at the top, alpha straight; further channels are dropped."""
    if samples.dtype.kind == "f":
        values = from_floats(samples)
    elif samples.dtype.itemsize == 4:
        values = from_integers(samples)
    else:
        values = samples
    if page.get(_PHOTOMETRIC) == 0:
        values = np.concatenate([65535 - values[..., :1], values[..., 1:]], axis=2)
    extra = _numbers(page.get(_EXTRA, 0))
    if values.shape[2] == colours or (extra[0] not in (1, 2) and colours == 3):
        return values[..., :colours]
    values = values[..., : colours + 1]
    return with_straight_alpha(values) if extra[0] == 1 else values


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
