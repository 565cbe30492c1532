"""What belongs to a Pillow image beside its pixels."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Mapping

from PIL import Image

from .jpeg_file import COMMENT, XMP_HEADER
from .packets import tag_bytes, upright_xmp
from .photo import MAX_DPI
from .png_metadata import metadata_of_info

_XMP, _IPTC, _IPTC_RESOURCE = 700, 33723, 0x0404
_X_RESOLUTION, _Y_RESOLUTION, _UNIT, _INCH, _CENTIMETRE = 282, 283, 296, 2, 3
_WITHOUT_RESOLUTION = ("WEBP", "AVIF", "HEIF")  # but for what their EXIF says
EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
_ORIENTATION = 0x0112
# What IFD 0 says of the photograph; the rest says how one file stores its pixels, untrue of the next file:
# description, make, model, orientation, resolution, software, date, artist, host, copyright, rating, XP*.
_KEPT_TAGS = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 33432, 18246, 18249}
_KEPT_TAGS.update(range(40091, 40096))
_DROPPED_EXIF_TAGS = {0xA002, 0xA003}  # the old width and height


def exif_of(found: Image.Exif, turned: bool = False) -> tuple[int, bytes | None]:
    """The orientation and the EXIF to pass on; damaged EXIF is no reason to refuse a good picture.

    ``turned``: the decoder has applied the orientation already.
    """
    orientation = 1
    try:
        kept = Image.Exif()
        if not turned:
            orientation = int(found.get(_ORIENTATION, 1))
        kept.endian = found.endian  # maker notes rely on it
        for tag in _KEPT_TAGS.intersection(found):
            kept[tag] = 1 if tag == _ORIENTATION else found[tag]
        for tag in (EXIF_IFD, GPS_IFD):
            nested = {key: value for key, value in found.get_ifd(tag).items() if key not in _DROPPED_EXIF_TAGS}
            if nested.pop(INTEROP_IFD, None):  # says Adobe RGB in photos from cameras that write no profile
                with suppress(Exception):
                    nested[INTEROP_IFD] = dict(found.get_ifd(INTEROP_IFD))
            if nested:
                kept[tag] = nested
        return orientation, kept.tobytes() if len(kept) else None
    except Exception:
        return orientation, None


def loaded_exif(image: Image.Image) -> Image.Exif:
    """The image's EXIF; empty where it is damaged."""
    try:
        return image.getexif()
    except Exception:
        return Image.Exif()


def dpi_of(image: Image.Image) -> tuple[float, float] | None:
    """Dots per inch across and down, or None where there are none that make sense."""
    tags: Any = getattr(image, "tag_v2", None)
    if tags is not None and _X_RESOLUTION not in tags:  # Pillow then says 1
        return None
    if image.format in _WITHOUT_RESOLUTION:
        return dpi_of_tags(loaded_exif(image))
    try:
        x, y = image.info["dpi"]
        return sensible_dpi(x, y)
    except (KeyError, TypeError, ValueError):
        return None


def dpi_of_tags(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    """The same of TIFF's or EXIF's tags."""
    unit = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(tags.get(_UNIT, _INCH))
    try:
        return sensible_dpi(tags[_X_RESOLUTION] * unit, tags[_Y_RESOLUTION] * unit)
    except (KeyError, TypeError):
        return None


def exif_with_dpi(exif: bytes | None, dpi: tuple[float, float]) -> bytes:
    """EXIF that says this resolution, for formats that have no other place for it."""
    tags = Image.Exif()
    if exif:
        tags.load(exif)
    tags[_X_RESOLUTION], tags[_Y_RESOLUTION] = dpi
    tags[_UNIT] = _INCH
    return tags.tobytes()


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
        found["xmp"] = upright_xmp(xmp)
    photoshop = info.get("photoshop")
    iptc = photoshop.get(_IPTC_RESOURCE) if isinstance(photoshop, dict) else _tag(image, _IPTC)
    if isinstance(iptc, bytes) and iptc:
        found["iptc"] = iptc
    comment = info.get("comment")
    if isinstance(comment, bytes) and comment.strip(b"\0 "):
        found["text"] = ((COMMENT, _decoded(comment)),)
    if image.format == "PNG":
        found.update(metadata_of_info(info))
    return found


def _tag(image: Image.Image, number: int) -> bytes | None:
    tags: Any = getattr(image, "tag_v2", None)
    return None if tags is None else tag_bytes(tags, number)


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
