"""Mutated pictures through the reader and the writers: ``python -m tests.fuzz.pictures --count 5000``.

See :mod:`tests.fuzz.runner` for what each must end in.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Callable

import numpy as np
from PIL import Image

from srdiff.errors import SRDiffError
from srdiff.photo.read import count_frames, read_photo
from srdiff.photo.unkept import unkept
from srdiff.photo.write import FORMATS, write_photo

from ..runtime.kept_table import things
from ..runtime.pictures import PHOTOS, encoded, png_bytes, smooth
from .runner import Case, Fuzz

WRITTEN_PIXELS = 1_000_000  # larger pictures are read only: writing them costs time for their size alone
EXTREME = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def originals() -> list[bytes]:
    """Small files of every kind that can be made here."""
    made = [item for thing in things().values() for item in thing.files.items()]
    files = [data for name, data in made if data is not None and name != "tga"]  # which is known by its name alone
    files += [png_bytes(samples) for samples, _ in PHOTOS.values()]
    files.append(png_bytes(smooth(13, 17), interlace=True))
    colour, grey = Image.fromarray(smooth(40, 33)), Image.fromarray(smooth(40, 33)[..., 0])
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        files.append(encoded(colour, "TIFF", compression=compression))
    deep = np.arange(40 * 33, dtype=np.uint16).reshape(40, 33) * 49
    for samples in (deep, deep.astype(np.float32) / 65535, deep.astype(np.int32)):
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate"):
            files.append(encoded(Image.fromarray(samples), "TIFF", compression=compression))
    files += [encoded(image, name) for image in (colour, grey) for name in ("BMP", "PPM", "GIF", "JPEG", "WEBP")]
    files += [encoded(colour, "JPEG", progressive=True), encoded(colour.convert("CMYK"), "JPEG")]
    files += [encoded(colour.quantize(7), name) for name in ("PNG", "BMP", "TIFF")]
    frames = [Image.new("RGB", (20, 16), value) for value in ("red", "lime", "blue")]
    for name in ("GIF", "PNG", "WEBP", "TIFF"):
        files.append(encoded(frames[0], name, save_all=True, append_images=frames[1:]))
    if "AVIF" in Image.SAVE:
        files.append(encoded(colour, "AVIF"))
    return files


def suffix(number: int) -> str:
    """Of the file of this number: TGA has no signature, so that it goes by its name."""
    return ".tga" if number % 25 == 0 else ""


def mutated(files: list[bytes], number: int) -> bytes:
    """The file of this number: one of the originals with one to four changes, a PNG's CRCs put right half the time."""
    random = np.random.default_rng([number, 12])
    data = bytearray(files[random.integers(len(files))])
    if suffix(number):
        data = bytearray(encoded(Image.fromarray(smooth(40, 33)), "TGA", compression="tga_rle" if number % 2 else None))
    for _ in range(random.integers(1, 5)):
        if len(data) < 4:
            break
        CHANGES[random.integers(len(CHANGES))](data, random, files)
    if data.startswith(b"\x89PNG") and random.random() < 0.5:
        _mend_crcs(data)
    return bytes(data)


Change = Callable[[bytearray, np.random.Generator, "list[bytes]"], None]


def _flip(data: bytearray, random: np.random.Generator, _: list[bytes]) -> None:
    data[random.integers(len(data))] ^= 1 << int(random.integers(8))


def _extreme(data: bytearray, random: np.random.Generator, _: list[bytes]) -> None:
    """A number of 8, 16 or 32 bits at its limits, in either order, more often where headers are."""
    place = int(random.integers(len(data) if random.random() < 0.5 else min(len(data), 200)))
    value = EXTREME[random.integers(len(EXTREME))]
    kind = "BHI"[random.integers(3)]
    word = struct.pack("<>"[random.integers(2)] + kind, value & (1 << 8 * struct.calcsize(kind)) - 1)
    data[place : place + len(word)] = word


def _cut(data: bytearray, random: np.random.Generator, _: list[bytes]) -> None:
    del data[int(random.integers(1, len(data))) :]


def _remove(data: bytearray, random: np.random.Generator, _: list[bytes]) -> None:
    start = int(random.integers(len(data)))
    del data[start : start + int(random.integers(1, 40))]


def _repeat(data: bytearray, random: np.random.Generator, _: list[bytes]) -> None:
    start = int(random.integers(len(data)))
    part = data[start : start + int(random.integers(1, 200))]
    data[start:start] = part * int(random.integers(1, 20))


def _splice(data: bytearray, random: np.random.Generator, files: list[bytes]) -> None:
    other = files[random.integers(len(files))]
    start, place = int(random.integers(len(other))), int(random.integers(len(data)))
    part = other[start : start + int(random.integers(1, 200))]
    data[place : place + len(part)] = part


CHANGES: tuple[Change, ...] = (_flip, _flip, _extreme, _extreme, _extreme, _cut, _remove, _repeat, _splice)


def _mend_crcs(data: bytearray) -> None:
    place = 8
    while place + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, place)
        if place + 12 + size > len(data):
            return
        crc = zlib.crc32(data[place + 4 : place + 8 + size])
        struct.pack_into(">I", data, place + 8 + size, crc)
        place += 12 + size


def passed_through(data: bytes, folder: Path, name: str = "in") -> str:
    """Reads a file, and writes what it holds in every format: the refusal, or an empty string.

    Raises AssertionError for a refusal of several lines and for a file left behind; passes whatever else is raised.
    """
    source = folder / name
    source.write_bytes(data)
    refusal = ""
    try:
        photo = read_photo(source, frame=count_frames(source) - 1)
        for format in FORMATS if photo.pixels[..., 0].size <= WRITTEN_PIXELS else ():
            unkept(photo, format)
            target = folder / f"out.{format}"
            try:
                write_photo(photo, target, format)
            except SRDiffError as error:
                refusal = str(error)
            else:
                back = read_photo(target)
                assert back.pixels.shape == photo.pixels.shape, format
                target.unlink()
    except SRDiffError as error:
        refusal = str(error)
    source.unlink()
    assert list(folder.iterdir()) == [], "a file is left"
    assert "\n" not in refusal, refusal
    return refusal


def cases() -> Case:
    files = originals()
    return lambda number, folder: passed_through(mutated(files, number), folder, f"in{suffix(number)}")


FUZZ = Fuzz("tests.fuzz.pictures", cases, 5000)

if __name__ == "__main__":
    FUZZ.main()
