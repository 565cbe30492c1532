"""TIFF: its pages, and the kinds that Pillow misreads or refuses.

Samples of 16 bits and floats are arranged here; strips and tiles in LZW and PackBits are inflated by Pillow's libtiff,
some at a time as the strips of a grey picture, so that no strip yields more bytes than its place in the page.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO, Iterable, Iterator, NamedTuple, Sequence

import numpy as np
from PIL import TiffImagePlugin

from ..errors import ImageError
from .ifd import Directories, Directory
from .samples import from_floats, from_integers, with_straight_alpha

_MAX_PAGES = 10_000
_MAX_STRIP = 160 << 20  # bytes, inflated by Pillow, which takes four times as much and ends at 170 of them
_MAX_STRIPS = 1 << 20  # of a page; Pillow holds some hundred bytes for each
_TOGETHER = 8 << 20  # bytes that Pillow inflates at a time where strips are small: a call costs more than they do
_SPARE = 1024  # bytes that a strip may have beyond twice what it holds
_OVERHANG = 1 << 24  # pixels of a tile beyond four times the page
_MAX_SAMPLES = 64  # numbers of one for each channel that are looked at
_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
_FILL_ORDER, _OFFSETS, _CHANNELS, _ROWS, _COUNTS, _PLANAR, _PREDICTOR = 266, 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _FORMAT, _DNG = 322, 323, 324, 325, 338, 339, 50706
_DEFLATE = (8, 32946)
_COMPRESSIONS = (1, 5, 32773, *_DEFLATE)  # none, LZW, PackBits
_TYPES = {(16, 1): "u2", (32, 1): "u4", (16, 3): "f2", (32, 3): "f4", (64, 3): "f8"}


def is_tiff(head: bytes) -> bool:
    """By a file's first four bytes, BigTIFF included."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def full_pages(file: Directories) -> list[tuple[int, Directory]]:
    """Index and directory of each page that is no thumbnail or mask (bits 0 and 2 of NewSubfileType).

    Raises ImageError for camera raw files (DNG and its kin) and those with thumbnails alone.
    """
    name = file.name
    pages: list[tuple[int, Directory]] = []
    seen: set[int] = set()
    count, position = 0, file.first
    while position and position not in seen and count < _MAX_PAGES:
        seen.add(position)
        page = file.directory(position)
        if _DNG in page:
            raise ImageError(f"{name} is a camera raw file, which is not read here; develop it to a 16-bit tiff or png")
        if max(page.count(_OFFSETS), page.count(_TILE_OFFSETS)) > _MAX_STRIPS:
            raise ImageError(f"{name} is damaged, or in more than {_MAX_STRIPS} strips; save it in larger ones")
        if not (page.number(_SUBFILE) or 0) & 5 and page.number(_OLD_SUBFILE) != 2:
            pages.append((count, page))
        count, position = count + 1, page.next
    if count and not pages:
        raise ImageError(f"{name} holds nothing but thumbnails as camera raw files do; develop it to a tiff or png")
    return pages


def deep_samples(stream: BinaryIO, page: Directory, name: str) -> np.ndarray | None:
    """[h, w, channels] of a page of 16 or more bits a sample, as uint16; None for a page that is Pillow's to read.

    Args:
        stream: the file.
        page: its directory.
        name: what to call it.

    Raises:
        ImageError: this kind of TIFF is not read, or a strip is cut short.
    """
    bits = _numbers(page, _BITS)
    photometric, planar = page.number(_PHOTOMETRIC), _number(page, _PLANAR)
    formats = set(_numbers(page, _FORMAT))
    if max(bits) <= 8 and formats <= {1, 4}:
        return None
    if photometric not in (0, 1, 2) and planar == 1 and formats == {1} and set(bits) == {16}:
        return None  # Pillow knows CMYK of 16 bits
    if photometric == 1 and bits == (32,) and formats == {2}:
        return None  # whole numbers with a sign, which Pillow knows
    kind = _TYPES.get((bits[0], min(formats)))
    channels, compression = _number(page, _CHANNELS), _number(page, _COMPRESSION)
    colours = 3 if photometric == 2 else 1
    understood = kind and len(set(bits)) == len(formats) == 1 and photometric in (0, 1, 2) and planar in (1, 2)
    if not understood or compression not in _COMPRESSIONS or not colours <= channels <= colours + 4:
        raise _unread(name, page)
    if _number(page, _FILL_ORDER) != 1 or _number(page, _PREDICTOR) not in (1, 2, 3):
        raise _unread(name, page)
    samples = _arranged(stream, page, np.dtype(page.order + str(kind)), name, colours + 1)
    return _as_shown(samples, page, colours)


def _unread(name: str, page: Directory) -> ImageError:
    bits = "/".join(map(str, _numbers(page, _BITS)))
    return ImageError(
        f"{name} is a kind of TIFF that is not read (bits {bits}, format {_number(page, _FORMAT)}, photometric "
        f"{page.number(_PHOTOMETRIC)}, compression {_number(page, _COMPRESSION)}, planar {_number(page, _PLANAR)}); "
        "save it as 8- or 16-bit RGB"
    )


def _arranged(stream: BinaryIO, page: Directory, dtype: np.dtype, name: str, most: int) -> np.ndarray:
    """[h, w, channels], the first ``most`` of them, of the stored type or float32: strips or tiles in their places."""
    width, height, channels = page.number(_WIDTH) or 0, page.number(_HEIGHT) or 0, _number(page, _CHANNELS)
    tiled = _TILE_OFFSETS in page
    columns = (page.number(_TILE_WIDTH) or 0) if tiled else width
    said = page.number(_TILE_HEIGHT if tiled else _ROWS)
    rows = (said or 0) if tiled else min(height if said is None else said, height)
    if not 0 < columns <= width + 4096 or not 0 < rows <= height + 4096:
        raise _unread(name, page)
    if columns * rows > 4 * width * height + _OVERHANG:
        raise _unread(name, page)
    planes = channels if _number(page, _PLANAR) == 2 else 1
    depth = channels // planes
    # Counted, and compared with what the file has, before anything is made of it.
    total = planes * -(-height // rows) * -(-width // columns)
    tags = (_TILE_OFFSETS, _TILE_COUNTS) if tiled else (_OFFSETS, _COUNTS)
    if not total == page.count(tags[0]) == page.count(tags[1]):
        raise ImageError(f"{name} is damaged ({page.count(tags[0])} strips of {total}); give a complete file")
    offsets, counts = page.numbers(tags[0]), page.numbers(tags[1])
    if offsets is None or counts is None:
        raise ImageError(f"{name} is damaged or cut short (its strips' places are missing); give a complete file")
    kept = np.dtype(np.float32) if dtype.itemsize == 8 else dtype.newbyteorder("=")
    result = np.zeros((height, width, min(channels, most)), kept)
    row_bytes = columns * depth * dtype.itemsize
    compression, predictor = _number(page, _COMPRESSION), _number(page, _PREDICTOR)
    places = (
        (plane, top, left)
        for plane in range(min(planes, most))
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    )
    strips = (
        _Strip(offset, max(count, 0), rows if tiled else min(rows, height - place[1]), place)
        for place, offset, count in zip(places, offsets.tolist(), counts.tolist())
    )
    for strip, data in _inflated(stream, strips, row_bytes, compression, name):
        plane, top, left = strip.place
        if len(data) != strip.rows * row_bytes:
            raise ImageError(f"{name} is damaged or cut short (a strip of {len(data)} bytes); give a complete file")
        block = _unpredicted(data, (strip.rows, columns, depth), dtype, predictor)
        part = block[: height - top, : width - left, :most]
        result[top : top + rows, left : left + columns, plane : plane + depth] = part
    return result


class _Strip(NamedTuple):
    """Where a strip or tile lies in the file, how many rows it has, and its plane, top and left in the page."""

    offset: int
    size: int
    rows: int
    place: tuple[int, int, int]


def _inflated(
    stream: BinaryIO, strips: Iterable[_Strip], row_bytes: int, compression: int, name: str
) -> Iterator[tuple[_Strip, bytes]]:
    """Each strip with its bytes, at most rows * row_bytes of them, for which no more is read than they can take."""
    if compression == 1 or compression in _DEFLATE:
        for strip in strips:
            size = strip.rows * row_bytes
            data = _stored(stream, strip, size if compression == 1 else 2 * size + _SPARE)
            yield strip, data if compression == 1 else zlib.decompressobj().decompress(data, size)
        return
    for group in _groups(strips, row_bytes):
        size = group[0].rows * row_bytes
        if size > _MAX_STRIP:
            raise ImageError(f"{name} has a strip of more than {_MAX_STRIP >> 20} MB; save it in smaller strips")
        stored = [_stored(stream, strip, 2 * size + _SPARE) for strip in group]
        whole = _by_libtiff(stored, group[0].rows, row_bytes, compression)
        for number, strip in enumerate(group):
            yield strip, whole[number * size : (number + 1) * size]


def _stored(stream: BinaryIO, strip: _Strip, most: int) -> bytes:
    stream.seek(strip.offset)
    return stream.read(min(strip.size, most))


def _groups(strips: Iterable[_Strip], row_bytes: int) -> Iterator[list[_Strip]]:
    """Strips that follow each other and have equally many rows, as many as are inflated at a time."""
    group: list[_Strip] = []
    for strip in strips:
        if group and (strip.rows != group[0].rows or (len(group) + 1) * (strip.rows * row_bytes + _SPARE) > _TOGETHER):
            yield group
            group = []
        group.append(strip)
    if group:
        yield group


def _by_libtiff(stored: Sequence[bytes], rows: int, row_bytes: int, compression: int) -> bytes:
    """What strips of equally many rows hold, one after the other."""
    count = len(stored)
    start = 8 + 2 + 9 * 12 + 4
    sizes = np.array([len(data) for data in stored], "<u4")
    places = (start + 8 * count + np.cumsum(sizes) - sizes).astype("<u4")
    ones = [(_WIDTH, row_bytes), (_HEIGHT, rows * count), (_BITS, 8), (_COMPRESSION, compression), (_PHOTOMETRIC, 1)]
    entries = [(tag, 1, value) for tag, value in ones]
    entries.append((_OFFSETS, count, start if count > 1 else int(places[0])))
    entries += [(_CHANNELS, 1, 1), (_ROWS, 1, rows)]
    entries.append((_COUNTS, count, start + 4 * count if count > 1 else int(sizes[0])))
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    head += b"".join(struct.pack("<HHII", tag, 4, count, value) for tag, count, value in entries) + bytes(4)
    return TiffImagePlugin.TiffImageFile(
        io.BytesIO(b"".join([head, places.tobytes(), sizes.tobytes(), *stored]))
    ).tobytes()


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


def _as_shown(samples: np.ndarray, page: Directory, colours: int) -> np.ndarray:
    """uint16, white at the top, alpha straight; further channels are dropped."""
    if samples.dtype.kind == "f":
        values = from_floats(samples)
    elif samples.dtype.itemsize == 4:
        values = from_integers(samples)
    else:
        values = samples
    if page.number(_PHOTOMETRIC) == 0:
        values = np.concatenate([65535 - values[..., :1], values[..., 1:]], axis=2)
    extra = _numbers(page, _EXTRA)
    if values.shape[2] == colours or (extra[0] not in (1, 2) and colours == 3):
        return values[..., :colours]
    values = values[..., : colours + 1]
    return with_straight_alpha(values) if extra[0] == 1 else values


def _number(page: Directory, tag: int) -> int:
    """With the default that TIFF has for it."""
    return _numbers(page, tag)[0]


def _numbers(page: Directory, tag: int) -> tuple[int, ...]:
    found = page.numbers(tag, _MAX_SAMPLES)
    return (int(tag != _EXTRA),) if found is None else tuple(found.tolist())
