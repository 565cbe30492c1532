"""Photographs to files and streams."""

from __future__ import annotations

import io
import math
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Callable

import numpy as np

from ..atomic_files import atomic_file, cannot_write, stream_name
from ..errors import OptionError, OutputError, one_line
from .convert import eight_bit, to_pil
from .exif import Tags, all_tags, parsed, stored, turned, with_resolution
from .ifd import Directories
from .jpeg_file import segments
from .photo import Photo
from .png_output import write_png
from .unkept import EIGHT_BIT, fitting

# What can be written, under the suffixes that ask for it.
FORMATS = {"png": (".png",), "jpg": (".jpg", ".jpeg"), "webp": (".webp",), "tiff": (".tif", ".tiff")}
_PILLOW_FORMAT = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tiff": "TIFF"}
_QUALITY: dict[str, dict[str, Any]] = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"quality": 95}}
LOSSY = tuple(_QUALITY)
_MAX_SIDE = {"jpg": 65500, "webp": 16383}  # libjpeg stops short of the 65535 that the format allows
_XMP, _IPTC = 700, 33723  # TIFF's tags


def format_of(path: Path | str) -> str:
    """The key of ``FORMATS`` that a path's suffix asks for, in either case; raises OptionError for others."""
    suffix = Path(path).suffix.lower()
    for name, suffixes in FORMATS.items():
        if suffix in suffixes:
            return name
    known = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
    raise OptionError(f"{path} does not name a format to write; end it in one of {known}")


def check_storable(photo: Photo, format: str, scale: int = 1, size: tuple[int, int] | None = None) -> None:
    """Raises OutputError if ``format`` cannot hold the photo enlarged ``scale`` times, or as (height, width) if that is
    given: ask before the work.

    JPEG holds no transparency, TIFF no 16-bit colour or alpha here, JPEG and WebP no side beyond 65500 and
    16383 pixels. Raises OptionError for a format that is not in ``FORMATS``.
    """
    if format not in FORMATS:
        raise OptionError(f"format is {format!r}; choose one of {', '.join(FORMATS)}")
    height, width = size or tuple(scale * side for side in photo.pixels.shape[:2])
    limit = _MAX_SIDE.get(format, math.inf)
    if max(height, width) > limit:
        raise OutputError(f"the picture is {width}x{height}, {format} ends at {limit} pixels a side; choose png")
    if format == "jpg" and _transparent(photo):
        raise OutputError("the picture is transparent in places, which jpg cannot store; choose png or webp")
    if format == "tiff" and photo.pixels.dtype == np.uint16 and (photo.alpha is not None or not photo.grey):
        raise OutputError("the picture has 16-bit colour or alpha, which is not written as tiff; choose png")


def write_photo(
    photo: Photo,
    target: Path | str | BinaryIO,
    format: str,
    quality: int | None = None,
    before: Callable[[Path], None] | None = None,
    replace: bool = True,
) -> None:
    """Writes the photo with what belongs to it, as far as ``srdiff.photo.unkept.unkept`` allows.

    PNG keeps 16 bits, TIFF keeps them for grey; JPEG (quality 95, 4:4:4) and WebP (quality 95) get 8 bits.
    A path appears whole or not at all; ``before`` and ``replace`` are those of ``srdiff.atomic_files.atomic_file``.
    Raises OutputError for what the format cannot hold, before any work, and for what the system refuses;
    OptionError for an unknown format.
    """
    check_storable(photo, format)
    if isinstance(target, (str, Path)):
        with atomic_file(Path(target), before, replace) as temporary, temporary.open("w+b") as stream:
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
    """Writes to a stream that seeks and can be read; OSError is left to the caller, who knows the name."""
    photo = fitting(eight_bit(photo) if format in EIGHT_BIT else photo, format)
    try:
        if format == "png":
            write_png(photo, stream)
            return
        image = to_pil(replace(photo, alpha=None) if format == "jpg" else photo)  # any alpha is opaque by now
        image.info.clear()  # Pillow takes some of it from there, in some versions
        lossy = dict(_QUALITY.get(format, {}))
        if lossy and quality is not None:
            lossy["quality"] = quality
        image.save(stream, _PILLOW_FORMAT[format], **lossy, **_save_options(photo, format))
        if format == "tiff" and photo.exif:
            _with_exif(stream, photo.exif)
    except (ValueError, ArithmeticError, struct.error, MemoryError) as error:
        raise OutputError(f"the picture cannot be stored as {format} ({one_line(error)}); choose another") from error


def _save_options(photo: Photo, format: str) -> dict[str, Any]:
    """Everything that belongs to the pixels, as Pillow's ``save`` takes it for a format."""
    options: dict[str, Any] = {"icc_profile": photo.icc_profile, "dpi": photo.dpi}
    if format == "tiff":
        options["tiffinfo"] = {tag: value for tag, value in ((_XMP, photo.xmp), (_IPTC, photo.iptc)) if value}
    elif format == "webp" and photo.dpi:
        options["exif"] = with_resolution(photo.exif, photo.dpi)
    else:
        options["exif"] = photo.exif
    if format == "jpg":
        options["extra"] = segments(photo)
    if format == "webp":
        options["xmp"] = photo.xmp
    return {name: value for name, value in options.items() if value}


def _with_exif(stream: BinaryIO, exif: bytes) -> None:
    """Gives a TIFF its directory anew, at its end, with EXIF's tags as they are stored; the file's own come first."""
    file = Directories(stream, "the result")
    written = all_tags(file, file.first)
    tags = turned(*parsed(exif), file.order)
    merged = Tags({**tags.fields, **written.fields}, tags.nested)
    position = file.size + file.size % 2
    stream.seek(file.size)
    stream.write(bytes(file.size % 2) + stored(merged, file.order, position))
    stream.seek(4)
    stream.write(struct.pack(file.order + "I", position))
