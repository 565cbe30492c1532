"""What belongs to a Pillow image beside its pixels."""

from __future__ import annotations

from typing import Any, Mapping

from PIL import Image

from ..errors import ImageError
from .exif import (
    DAMAGED,
    DROPPED,
    EXIF_IFD,
    GPS_IFD,
    INCH,
    INTEROP_IFD,
    KEPT,
    ORIENTATION,
    UNIT,
    X_RESOLUTION,
    Y_RESOLUTION,
    Carried,
    carried,
    carried_of,
    damaged,
)
from .ifd import Directories
from .jpeg_file import COMMENT, EXTENSION_HEADER, XMP_HEADER
from .packets import tag_bytes, upright_xmp, without_extension
from .photo import MAX_DPI
from .png_metadata import RAW_EXIF, metadata_of_info, raw_profile

_XMP, _IPTC, _IPTC_RESOURCE = 700, 33723, 0x0404
_CENTIMETRE = 3
_WITHOUT_RESOLUTION = ("WEBP", "AVIF", "HEIF")  # but for what their EXIF says


def exif_of(image: Image.Image) -> Carried:
    """The image's EXIF to pass on, as its file has it; of a TIFF before its data is loaded, which closes the file."""
    data = image.info.get("exif")
    if not data and isinstance(image.info.get(RAW_EXIF), str):
        data = raw_profile(image.info[RAW_EXIF])
    if isinstance(data, bytes) and data:
        return carried(data)
    stream = getattr(image, "fp", None) if image.format == "TIFF" else None
    if stream is None or stream.closed:
        return Carried()
    try:
        file = Directories(stream, "its EXIF")
        return carried_of(file, file.directory(getattr(image, "tag_v2").offset))  # noqa: B009
    except (ImageError, ValueError):
        return DAMAGED


def current_exif(image: Image.Image, stored: Carried) -> Carried:
    """What a program's image says now: its file's EXIF, or Pillow's values where those have been changed."""
    values = loaded_exif(image)
    if stored == DAMAGED or not len(values) or _agree(stored.exif, values):
        return stored
    made, odd = Image.Exif(), []
    made.endian = values.endian
    for tag in sorted(KEPT.intersection(values)):
        if not _put(made, tag, _bytes_of(values[tag])):
            odd.append(tag)
    for pointer in (EXIF_IFD, GPS_IFD):
        nested = {}
        for tag, value in _nested(values, pointer).items():
            if _put(Image.Exif(), pointer, {tag: _bytes_of(value)}):
                nested[tag] = _bytes_of(value)
            else:
                odd.append(tag)
        if nested:
            made[pointer] = nested
    found = carried(made.tobytes() if len(made) else b"")
    return Carried(found.exif, tuple(damaged(odd)) + found.lost)


def _agree(stored: bytes | None, values: Image.Exif) -> bool:
    """Whether Pillow's values are those of the file, but for the orientation, which it resets."""
    read = Image.Exif()
    try:
        if stored:
            read.load(stored)
        same = all(read.get(tag) == values.get(tag) for tag in KEPT - {ORIENTATION})
        return same and all(_nested(read, tag) == _nested(values, tag) for tag in (EXIF_IFD, GPS_IFD))
    except Exception:
        return False


def _nested(values: Image.Exif, pointer: int) -> dict[int, Any]:
    try:
        return {tag: value for tag, value in values.get_ifd(pointer).items() if tag not in DROPPED | {INTEROP_IFD}}
    except Exception:
        return {}


def _put(exif: Image.Exif, tag: int, value: Any) -> bool:
    """Sets a tag if it can be written."""
    trial = Image.Exif()
    try:
        trial[tag] = value
        trial.tobytes()
    except Exception:
        return False
    exif[tag] = value
    return True


def _bytes_of(value: Any) -> Any:
    """Letters as bytes: Pillow reads Latin-1 and writes ASCII."""
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


def orientation_of(values: Image.Exif) -> int:
    try:
        return int(values.get(ORIENTATION, 1))
    except Exception:
        return 1


def loaded_exif(image: Image.Image) -> Image.Exif:
    """The image's EXIF; empty where it is damaged."""
    try:
        return image.getexif()
    except Exception:
        return Image.Exif()


def dpi_of(image: Image.Image, values: Image.Exif) -> tuple[float, float] | None:
    """Dots per inch across and down, or None where there are none that make sense."""
    tags: Any = getattr(image, "tag_v2", None)
    if tags is not None and X_RESOLUTION not in tags:  # Pillow then says 1
        return None
    if image.format in _WITHOUT_RESOLUTION:
        return dpi_of_tags(values)
    try:
        x, y = image.info["dpi"]
        return sensible_dpi(x, y)
    except (KeyError, TypeError, ValueError):
        return None


def dpi_of_tags(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    """The same of TIFF's or EXIF's tags."""
    unit = {INCH: 1.0, _CENTIMETRE: 2.54}.get(tags.get(UNIT, INCH))
    try:
        return sensible_dpi(tags[X_RESOLUTION] * unit, tags[Y_RESOLUTION] * unit)
    except (KeyError, TypeError):
        return None


def sensible_dpi(x: Any, y: Any) -> tuple[float, float] | None:
    """The two as numbers that every format can say, or None."""
    try:
        across, down = float(x), float(y)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (across, down) if 0 < across <= MAX_DPI and 0 < down <= MAX_DPI else None


def texts_of(image: Image.Image) -> dict[str, Any]:
    """XMP, IPTC, texts and what PNG says of colour, under the names of ``Photo``'s fields."""
    info = image.info
    found: dict[str, Any] = {}
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or _tag(image, _XMP) or _jpeg_xmp(image)
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    if isinstance(xmp, bytes) and xmp.strip(b"\0 "):
        found["xmp"] = upright_xmp(without_extension(xmp))
    photoshop = info.get("photoshop")
    iptc = photoshop.get(_IPTC_RESOURCE) if isinstance(photoshop, dict) else _tag(image, _IPTC)
    if isinstance(iptc, bytes) and iptc:
        found["iptc"] = iptc
    found["text"] = tuple((COMMENT, _decoded(comment)) for comment in _comments(image) if comment.strip(b"\0 "))
    if image.format == "PNG":
        found.update(metadata_of_info(info))
    return found


def _tag(image: Image.Image, number: int) -> bytes | None:
    tags: Any = getattr(image, "tag_v2", None)
    return None if tags is None else tag_bytes(tags, number)


def _comments(image: Image.Image) -> list[bytes]:
    """All that a JPEG has, of which ``info`` has one."""
    listed = [data for marker, data in getattr(image, "applist", []) if marker == "COM"]
    comment = image.info.get("comment")
    return listed or ([comment] if isinstance(comment, bytes) else [])


def lost_of(image: Image.Image) -> tuple[str, ...]:
    """What texts an image has beyond those that are read, in words."""
    pieces = [len(data) for marker, data in getattr(image, "applist", []) if data.startswith(EXTENSION_HEADER)]
    return (f"the extension of XMP ({sum(pieces)} bytes)",) if pieces else ()


def _decoded(words: bytes) -> str:
    try:
        return words.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return words.rstrip(b"\0").decode("latin-1")


def _jpeg_xmp(image: Image.Image) -> bytes | None:
    """From the markers, for Pillow before 10."""
    for marker, data in getattr(image, "applist", []):
        if marker == "APP1" and data.startswith(XMP_HEADER):
            return bytes(data[len(XMP_HEADER) :])
    return None
