"""EXIF as it is stored: every tag keeps its type, count and bytes, so that nobody's reading of them gets in between."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Collection, Iterable

import numpy as np

from ..errors import ImageError
from .ifd import SIZES, Directories, Directory, Field

PREFIX = b"Exif\0\0"
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, UNIT, INCH = 274, 282, 283, 296, 2
EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
_SHORT, _LONG, _RATIONAL = 3, 4, 5
# What IFD 0 says of the photograph; the rest says how one file stores its pixels, untrue of the next file:
# description, make, model, orientation, resolution, software, date, artist, host, copyright, rating, XP*.
KEPT = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 33432, 18246, 18249, *range(40091, 40096)}
DROPPED = {0xA002, 0xA003}  # the old width and height
_SWAPPED = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}  # bytes whose order is the file's, by type
_NAMED = 5  # tags that are told one by one


@dataclass(frozen=True)
class Tags:
    """One directory's tags, and the directories under it by the tags that point to them."""

    fields: dict[int, Field] = field(default_factory=dict)
    nested: dict[int, Tags] = field(default_factory=dict)


@dataclass(frozen=True)
class Carried:
    """What of a picture's EXIF goes with it.

    Attributes:
        exif: begins with ``Exif``; None where there is nothing.
        lost: what could not be read of it, in words.
    """

    exif: bytes | None = None
    lost: tuple[str, ...] = ()


DAMAGED = Carried(None, ("EXIF (damaged)",))


def carried(data: bytes) -> Carried:
    """Of EXIF as a file has it; damaged EXIF is no reason to refuse a good picture."""
    while data.startswith(PREFIX):  # some write it twice
        data = data[len(PREFIX) :]
    if not data.strip(b"\0"):
        return Carried()
    try:
        file = Directories(io.BytesIO(data), "its EXIF")
        return carried_of(file, file.directory(file.first))
    except (ImageError, ValueError):
        return DAMAGED


def carried_of(file: Directories, main: Directory) -> Carried:
    """Of the directory of a TIFF's page. Raises ImageError where directories claim more than the file has."""
    odd: list[int] = [] if main.whole else [0]
    kept = _fields(main, KEPT, odd)
    nested = {tag: tags for tag in (EXIF_IFD, GPS_IFD) for tags in [_nested(file, main, tag, odd)] if tags is not None}
    if ORIENTATION in kept:
        kept[ORIENTATION] = Field(_SHORT, 1, struct.pack(file.order + "H", 1))
    lost = damaged(odd)
    if not kept and not nested:
        return Carried(None, lost)
    return Carried(_written(Tags(kept, nested), file.order), lost)


def damaged(tags: Iterable[int]) -> tuple[str, ...]:
    """That these could not be read, in words; 0 stands for those that are cut off."""
    names = [f"0x{tag:04X}" if tag else "what is cut off" for tag in dict.fromkeys(tags)]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (f"of EXIF {', '.join(names[:_NAMED])}{more} (damaged)",) if names else ()


def _nested(file: Directories, parent: Directory, pointer: int, odd: list[int]) -> Tags | None:
    """The directory that a tag points to; None where it is missing or empty."""
    if pointer not in parent:
        return None
    position = parent.number(pointer)
    directory = None if position is None else file.directory(position)
    if directory is None or not (directory.whole or directory.tags()):
        odd.append(pointer)
        return None
    if not directory.whole:
        odd.append(pointer)
    below = {}
    if pointer == EXIF_IFD:  # says Adobe RGB in photos from cameras that write no profile
        interop = _nested(file, directory, INTEROP_IFD, odd)
        below = {} if interop is None else {INTEROP_IFD: interop}
    fields = _fields(directory, set(directory.tags()) - DROPPED - {INTEROP_IFD}, odd)
    return Tags(fields, below) if fields or below else None


def _fields(directory: Directory, wanted: Collection[int], odd: list[int]) -> dict[int, Field]:
    """The wanted tags that can be read; the others' numbers go to ``odd``, but for empty ones."""
    found = {}
    for tag in directory.tags():
        if tag in wanted:
            value = directory.field(tag)
            if value is not None and value.type in SIZES and value.type < 16:
                found[tag] = value
            elif directory.count(tag):
                odd.append(tag)
    return found


def with_resolution(exif: bytes | None, dpi: tuple[float, float]) -> bytes:
    """EXIF that says this resolution, for formats that have no other place for it."""
    tags, order = parsed(exif) if exif else (Tags(), ">")
    said = {UNIT: Field(_SHORT, 1, struct.pack(order + "H", INCH))}
    for tag, value in zip((X_RESOLUTION, Y_RESOLUTION), dpi):
        ratio = Fraction(value).limit_denominator(1 << 15)
        said[tag] = Field(_RATIONAL, 1, struct.pack(order + "II", ratio.numerator, ratio.denominator))
    return _written(replace(tags, fields={**tags.fields, **said}), order)


def parsed(exif: bytes) -> tuple[Tags, str]:
    """All of an EXIF that :func:`carried` has given, and its byte order."""
    file = Directories(io.BytesIO(exif[len(PREFIX) :] if exif.startswith(PREFIX) else exif), "its EXIF")
    return all_tags(file, file.first), file.order


def all_tags(file: Directories, position: int) -> Tags:
    directory = file.directory(position)
    found = {tag: directory.field(tag) for tag in directory.tags()}
    nested = {
        tag: all_tags(file, file.number(value.data[:4]))
        for tag, value in found.items()
        if value is not None and tag in (EXIF_IFD, GPS_IFD, INTEROP_IFD) and value.type in (_LONG, 13)
    }
    return Tags({tag: value for tag, value in found.items() if value is not None and tag not in nested}, nested)


def turned(tags: Tags, order: str, wanted: str) -> Tags:
    """The tags in another byte order."""
    if order == wanted:
        return tags
    fields = {}
    for tag, value in tags.fields.items():
        size = _SWAPPED.get(value.type, 1)
        data = np.frombuffer(value.data, f"{order}u{size}").astype(f"{wanted}u{size}").tobytes()
        fields[tag] = value._replace(data=data)
    return Tags(fields, {tag: turned(below, order, wanted) for tag, below in tags.nested.items()})


def _written(tags: Tags, order: str) -> bytes:
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    return PREFIX + head + stored(tags, order, 8)


def stored(tags: Tags, order: str, position: int) -> bytes:
    """A directory for this position, with its values and what is under it after it."""
    numbers = sorted({*tags.fields, *tags.nested})
    table = bytearray(struct.pack(order + "H", len(numbers)))
    body = bytearray()
    start = position + 2 + 12 * len(numbers) + 4
    for tag in numbers:
        place = struct.pack(order + "I", start + len(body))
        if tag in tags.nested:
            table += struct.pack(order + "HHI", tag, _LONG, 1) + place
            body += stored(tags.nested[tag], order, start + len(body))
            continue
        value = tags.fields[tag]
        inline = len(value.data) <= 4
        table += struct.pack(order + "HHI", tag, value.type, value.length)
        table += value.data.ljust(4, b"\0") if inline else place
        if not inline:
            body += value.data + bytes(len(value.data) % 2)
    return bytes(table + bytes(4) + body)
